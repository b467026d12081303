import {
  bytesToUuid,
  type ChannelScale,
  type DataStream,
  dataStreams,
  decodeMessage,
  isUuid,
  type Message,
  type Rate,
  type RecordingInfo,
  uuidToBytes,
} from '@vitalwire/contract';
import type { Kysely, Selectable } from 'kysely';
import type { ChunkTable, ReadingsTables } from '../schema/tables.ts';
import type { StoredSeqs, StoredSeqsReader } from './stored-seqs.ts';

/** One recording as the index, its start and its end record describe it; what a missing start record would say is null. */
export type Recording = {
  readonly recordingId: string;
  readonly gateway: string;
  readonly device: string;
  readonly stream: DataStream;
  readonly firstMeasuredAtUs: number;
  readonly start: RecordingStartFacts | null;
  readonly end: { readonly measuredAtUs: number; readonly lastSeq: number; readonly readings: number; readonly reason: string } | null;
};

export type RecordingStartFacts = {
  readonly measuredAtUs: number;
  readonly rate: Rate | null;
  readonly channels: readonly ChannelScale[];
  readonly montageHash: string;
  readonly predecessor: string | null;
  readonly captureId: string;
  readonly captureFirstSample: number;
  readonly replay: { readonly speed: number; readonly source: string } | null;
  readonly source: string;
};

/** A stored message with the columns around it. */
export type StoredMessage = { readonly message: Message; readonly seq: number; readonly committedAtUs: number };

export type RecordingFilter = {
  readonly devices?: readonly string[];
  readonly gateway?: string;
  readonly stream?: DataStream;
  readonly afterUs?: number; // not ended before this moment
  readonly beforeUs?: number; // first measured before this moment
  readonly afterCursor?: Cursor;
  readonly limit: number;
};

/** Where the next page of a list of recordings begins: just before this one, in the order newest first. */
export type Cursor = { readonly firstMeasuredAtUs: number; readonly recordingId: string };

// The index row is made by whatever arrived first, which after an outage need not be the earliest chunk.
const ORDER_SLACK_US = 3_600_000_000;

/** Recordings, newest first. */
export async function listRecordings(db: Kysely<ReadingsTables>, filter: RecordingFilter): Promise<Recording[]> {
  if (filter.devices?.length === 0) return [];
  let query = recordingsQuery(db).where('i.stream', 'in', filter.stream === undefined ? [...dataStreams] : [filter.stream]);
  if (filter.devices !== undefined) query = query.where('i.device', 'in', [...filter.devices]);
  if (filter.gateway !== undefined) query = query.where('i.gateway', '=', filter.gateway);
  if (filter.beforeUs !== undefined) query = query.where('i.first_measured_at_us', '<=', filter.beforeUs + ORDER_SLACK_US);
  const { afterUs, afterCursor: cursor } = filter;
  if (afterUs !== undefined) {
    query = query.where((eb) => eb.or([eb('e.measured_at_us', 'is', null), eb('e.measured_at_us', '>=', afterUs - ORDER_SLACK_US)]));
  }
  if (cursor !== undefined) {
    query = query.where((eb) =>
      eb.or([
        eb('i.first_measured_at_us', '<', cursor.firstMeasuredAtUs),
        eb.and([eb('i.first_measured_at_us', '=', cursor.firstMeasuredAtUs), eb('i.recording_id', '<', idBytes(cursor.recordingId))]),
      ]),
    );
  }
  const rows = await query.orderBy('i.first_measured_at_us', 'desc').orderBy('i.recording_id', 'desc').limit(filter.limit).execute();
  return rows.map(toRecording);
}

/** One recording, or null when nothing of it is stored. */
export async function findRecording(db: Kysely<ReadingsTables>, recordingId: string): Promise<Recording | null> {
  const row = await recordingsQuery(db)
    .where('i.recording_id', '=', idBytes(recordingId))
    .where('i.stream', 'in', [...dataStreams])
    .executeTakeFirst();
  return row === undefined ? null : toRecording(row);
}

function recordingsQuery(db: Kysely<ReadingsTables>) {
  return db
    .selectFrom('stream_index as i')
    .leftJoin('recording_start as s', 's.recording_id', 'i.recording_id')
    .leftJoin('recording_end as e', 'e.recording_id', 'i.recording_id')
    .select([
      'i.recording_id as id',
      'i.gateway as gateway',
      'i.device as device',
      'i.stream as stream',
      'i.first_measured_at_us as firstMeasuredAtUs',
      's.measured_at_us as startUs',
      's.rate_num as rateNum',
      's.rate_den as rateDen',
      's.channels as channels',
      's.montage_hash as montageHash',
      's.predecessor as predecessor',
      's.capture_id as captureId',
      's.capture_first_sample as captureFirstSample',
      's.replay_speed as replaySpeed',
      's.replay_source as replaySource',
      's.source as source',
      'e.measured_at_us as endUs',
      'e.last_seq as lastSeq',
      'e.readings as readings',
      'e.reason as endReason',
    ]);
}

type Row = Awaited<ReturnType<ReturnType<typeof recordingsQuery>['execute']>>[number];

function toRecording(row: Row): Recording {
  return {
    recordingId: bytesToUuid(row.id),
    gateway: row.gateway,
    device: row.device,
    stream: row.stream as DataStream, // the query asks for these streams alone
    firstMeasuredAtUs: row.firstMeasuredAtUs,
    start: startOf(row),
    end:
      row.endUs === null || row.lastSeq === null
        ? null
        : { measuredAtUs: row.endUs, lastSeq: row.lastSeq, readings: row.readings ?? 0, reason: row.endReason ?? '' },
  };
}

function startOf(row: Row): RecordingStartFacts | null {
  if (row.startUs === null || row.captureId === null) return null;
  return {
    measuredAtUs: row.startUs,
    rate: row.rateNum === null || row.rateDen === null ? null : { num: row.rateNum, den: row.rateDen },
    channels: JSON.parse(row.channels ?? '[]') as ChannelScale[], // written by us from a checked message
    montageHash: row.montageHash ?? '',
    predecessor: row.predecessor === null ? null : bytesToUuid(row.predecessor),
    captureId: row.captureId,
    captureFirstSample: row.captureFirstSample ?? 0,
    replay: row.replaySpeed === null ? null : { speed: row.replaySpeed, source: row.replaySource ?? '' },
    source: row.source ?? '',
  };
}

/** When the stored part of a recording began and ended on the device's clock; null while no chunk is stored. */
export type Extent = { readonly startedAtUs: number; readonly endedAtUs: number };

export async function extentOf(db: Kysely<ReadingsTables>, recording: Recording, stored: StoredSeqs): Promise<Extent | null> {
  if (stored.runs !== null && stored.runs.length > 0) {
    const startedAtUs = stored.runs.reduce(
      (least, { fromUs }) => Math.min(least, fromUs),
      recording.start?.measuredAtUs ?? Number.MAX_SAFE_INTEGER,
    );
    return { startedAtUs, endedAtUs: stored.runs.reduce((most, { toUs }) => Math.max(most, toUs), startedAtUs) };
  }
  const [first, last] = [stored.ranges[0], stored.ranges.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [begin, end] = await Promise.all([timesAt(db, recording.recordingId, first.from), timesAt(db, recording.recordingId, last.to)]);
  if (begin === null || end === null) return null;
  const startedAtUs = Math.min(begin.measuredAtUs, recording.start?.measuredAtUs ?? begin.measuredAtUs);
  return { startedAtUs, endedAtUs: Math.max(end.measuredAtUs + end.spanUs, startedAtUs) };
}

export type ChunkTimes = { readonly seq: number; readonly measuredAtUs: number; readonly spanUs: number };

async function timesAt(db: Kysely<ReadingsTables>, recordingId: string, seq: number): Promise<ChunkTimes | null> {
  const row = await db
    .selectFrom('chunk')
    .select(['seq', 'measured_at_us', 'span_us'])
    .where('recording_id', '=', idBytes(recordingId))
    .where('seq', '=', seq)
    .executeTakeFirst();
  return row === undefined ? null : { seq: row.seq, measuredAtUs: row.measured_at_us, spanUs: row.span_us };
}

/** A recording as the HTTP API tells it. */
export async function recordingInfo(
  db: Kysely<ReadingsTables>,
  seqs: StoredSeqsReader,
  recording: Recording,
  patient: string | null,
): Promise<RecordingInfo> {
  const stored = await seqs.read(recording.recordingId);
  const extent = await extentOf(db, recording, stored);
  const { start, end } = recording;
  const startedAtUs = extent?.startedAtUs ?? start?.measuredAtUs ?? recording.firstMeasuredAtUs;
  return {
    recordingId: recording.recordingId,
    gateway: recording.gateway,
    device: recording.device,
    patient,
    stream: recording.stream,
    rate: start?.rate ?? null,
    channels: [...(start?.channels ?? [])],
    startedAtUs,
    endedAtUs: end === null ? null : (extent?.endedAtUs ?? Math.max(end.measuredAtUs, startedAtUs)),
    open: end === null,
    lastSeq: end?.lastSeq ?? null,
    storedChunks: stored.chunks,
    firstSeq: stored.ranges[0]?.from ?? null,
    maxSeq: stored.ranges.at(-1)?.to ?? null,
    predecessor: start?.predecessor ?? null,
    captureId: start?.captureId ?? null,
    captureFirstSample: start?.captureFirstSample ?? null,
    replay: start?.replay ?? null,
    source: start?.source ?? null,
    montageHash: start?.montageHash ?? null,
  };
}

/** Raw rows of an identity in seq order. */
export async function readChunks(
  db: Kysely<ReadingsTables>,
  recordingId: string,
  range: { readonly fromSeq: number; readonly toSeq?: number; readonly limit: number },
): Promise<Pick<Selectable<ChunkTable>, 'seq' | 'measured_at_us' | 'committed_at_us' | 'span_us' | 'message'>[]> {
  let query = db
    .selectFrom('chunk')
    .select(['seq', 'measured_at_us', 'committed_at_us', 'span_us', 'message'])
    .where('recording_id', '=', idBytes(recordingId))
    .where('seq', '>=', range.fromSeq);
  if (range.toSeq !== undefined) query = query.where('seq', '<=', range.toSeq);
  return query.orderBy('seq').limit(range.limit).execute();
}

/** Decoded messages of an identity; rows nobody can read any more are left out, their bytes stay available as chunks. */
export async function readMessages(
  db: Kysely<ReadingsTables>,
  recordingId: string,
  range: { readonly fromSeq: number; readonly toSeq?: number; readonly limit: number },
): Promise<StoredMessage[]> {
  const rows = await readChunks(db, recordingId, range);
  return rows.flatMap((row) => {
    const decoded = decodeMessage(row.message);
    return decoded.ok ? [{ message: decoded.value, seq: row.seq, committedAtUs: row.committed_at_us }] : [];
  });
}

export type BackwardsWish = {
  readonly beforeSeq: number | null; // null = from its end
  readonly limit: number;
  readonly fromSeq?: number;
  readonly notAheadByUs?: number; // measured at most this much after the commit, by the columns
};

/** Decoded messages of an identity from the last backwards, and the lowest seq that was looked at. */
export async function readMessagesBackwards(
  db: Kysely<ReadingsTables>,
  recordingId: string,
  { beforeSeq, limit, fromSeq, notAheadByUs }: BackwardsWish,
): Promise<{ readonly messages: StoredMessage[]; readonly lowestSeq: number | null }> {
  let query = db.selectFrom('chunk').select(['seq', 'committed_at_us', 'message']).where('recording_id', '=', idBytes(recordingId));
  if (beforeSeq !== null) query = query.where('seq', '<', beforeSeq);
  if (fromSeq !== undefined && fromSeq > 0) query = query.where('seq', '>=', fromSeq);
  if (notAheadByUs !== undefined) query = query.where((eb) => eb('measured_at_us', '<=', eb('committed_at_us', '+', notAheadByUs)));
  const rows = await query.orderBy('seq', 'desc').limit(limit).execute();
  const messages = rows.flatMap((row) => {
    const decoded = decodeMessage(row.message);
    return decoded.ok ? [{ message: decoded.value, seq: row.seq, committedAtUs: row.committed_at_us }] : [];
  });
  return { messages, lowestSeq: rows.at(-1)?.seq ?? null };
}

export function encodeCursor(recording: Recording): string {
  return `${recording.firstMeasuredAtUs}.${recording.recordingId}`;
}

/** The cursor a client sends back, or null when it is none of ours. */
export function decodeCursor(text: string): Cursor | null {
  const at = text.indexOf('.');
  const firstMeasuredAtUs = Number(text.slice(0, at));
  const recordingId = text.slice(at + 1);
  return at > 0 && Number.isSafeInteger(firstMeasuredAtUs) && isUuid(recordingId) ? { firstMeasuredAtUs, recordingId } : null;
}

export function idBytes(uuid: string): Buffer {
  return Buffer.from(uuidToBytes(uuid));
}
