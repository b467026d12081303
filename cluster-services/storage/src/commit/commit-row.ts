import type { RecordingEnd, RecordingStart, Stream } from '@vitalwire/contract/wire';
import { isUuid, streamNumbers } from '@vitalwire/contract/wire';
import { StorageError } from '../errors.ts';

/** One message on its way into the database, understood (`chunk`) or not (`quarantine`). */
export type CommitRow = ChunkRow | QuarantineRow;

export type ChunkRow = {
  readonly kind: 'chunk';
  readonly recordingId: string;
  readonly seq: number;
  readonly stream: Stream;
  readonly subject: string | null; // the recording or session that a derived message speaks of
  readonly gateway: string;
  readonly device: string;
  readonly measuredAtUs: number; // the device's clock
  readonly spanUs: number; // from the first reading to one sample period after the last
  readonly codec: number;
  readonly clockQuality: number;
  readonly firstSample?: number | null; // left out: the service decodes the message when it needs it
  readonly samples?: number | null; // readings per channel
  readonly crc32: number; // of the whole message
  readonly message: Uint8Array;
  readonly firstWriteWins: boolean; // detections: a second result for the same window changes nothing
  readonly recording?: RecordingStart | RecordingEnd; // index columns of a start or end record
};

export type QuarantineRow = {
  readonly kind: 'quarantine';
  readonly sha256: Uint8Array;
  readonly sender: string;
  readonly topic: string;
  readonly reason: string;
  readonly message: Uint8Array;
  readonly recordingId: string | null;
  readonly seq: number | null;
};

/**
 * What became of a row. `conflict`: other bytes under a known identity; they are in quarantine, by the same transaction.
 * `repeat-differs`: the same, where the first write wins; counted only.
 */
export type CommitOutcome = 'committed' | 'duplicate' | 'conflict' | 'repeat-differs';

/** The limits of the tables; the commit library refuses to write beyond them, so that no value is ever altered by the database. */
export const rowLimits = {
  idLength: 64,
  topicLength: 255,
  textLength: 255,
  reasonLength: 64,
  channelsJsonBytes: 1024 * 1024,
  messageBytes: 1024 * 1024,
  rowsPerCommit: 4096,
  bytesPerStatement: 4 * 1024 * 1024,
  knownIdentities: 65_536,
} as const;

/** The number of a stream in the tables. */
export function streamCode(stream: Stream): number {
  return streamNumbers[stream] + 1;
}

/** Throws BAD_ROW for a row that the tables cannot hold exactly: the caller has checked the border, so this is a bug of ours. */
export function checkRow(row: CommitRow): void {
  const fail = (what: string): never => {
    throw new StorageError('BAD_ROW', `${what} (recording ${row.recordingId ?? 'unknown'}, seq ${row.seq ?? 'unknown'})`);
  };
  if (row.message.byteLength > rowLimits.messageBytes) fail(`message of ${row.message.byteLength} bytes`);
  if (row.kind === 'quarantine') {
    if (row.sha256.byteLength !== 32) fail(`sha256 of ${row.sha256.byteLength} bytes`);
    return;
  }
  if (!isUuid(row.recordingId) || (row.subject !== null && !isUuid(row.subject))) fail('an id that is not a UUID');
  if (streamNumbers[row.stream] === undefined) fail(`unknown stream ${row.stream}`);
  if (row.gateway.length > rowLimits.idLength || row.device.length > rowLimits.idLength) fail('gateway or device id too long');
  if (!isCount(row.seq)) fail('seq is not a count');
  if (!Number.isSafeInteger(row.measuredAtUs)) fail('measuredAtUs is not a whole number of microseconds');
  if (!isCount(row.spanUs) || row.spanUs > 0xffff_ffff) fail('spanUs out of range');
  if (!isCount(row.crc32) || row.crc32 > 0xffff_ffff) fail('crc32 is not an unsigned 32-bit number');
  if (!isByte(row.codec) || !isByte(row.clockQuality)) fail('codec or clockQuality out of range');
  for (const count of [row.firstSample, row.samples])
    if (count !== null && count !== undefined && !isCount(count)) fail('sample count out of range');
}

/** What `stream_index` holds: one entry per identity, so that recordings are found by device, gateway, subject and time. */
export type IndexEntry = Pick<ChunkRow, 'recordingId' | 'seq' | 'subject' | 'gateway' | 'device' | 'stream' | 'measuredAtUs'>;

/** A start record also enters the recording it announces: it is known, and its missing chunks are told, before its first chunk arrives. */
export function indexEntries(row: ChunkRow): IndexEntry[] {
  if (row.recording?.kind !== 'start') return [row];
  return [row, { ...row, recordingId: row.recording.subject, seq: 0, subject: null, stream: row.recording.of }];
}

/** The column values of a start or end record, clipped to the columns: the message itself keeps the whole truth. */
export type StartColumns = {
  readonly recordingId: string;
  readonly gateway: string;
  readonly device: string;
  readonly stream: string;
  readonly measuredAtUs: number;
  readonly rateNum: number | null;
  readonly rateDen: number | null;
  readonly channels: string;
  readonly montageHash: string;
  readonly predecessor: string | null;
  readonly captureId: string;
  readonly captureFirstSample: number;
  readonly replaySpeed: number | null;
  readonly replaySource: string | null;
  readonly source: string;
};

export type EndColumns = {
  readonly recordingId: string;
  readonly measuredAtUs: number;
  readonly lastSeq: number;
  readonly readings: number;
  readonly reason: string;
};

export function startColumns(start: RecordingStart): StartColumns {
  const channels = JSON.stringify(start.channels);
  return {
    recordingId: start.subject,
    gateway: clip(start.gateway, rowLimits.idLength),
    device: clip(start.device, rowLimits.idLength),
    stream: start.of,
    measuredAtUs: start.measuredAtUs,
    rateNum: start.rate?.num ?? null,
    rateDen: start.rate?.den ?? null,
    channels: channels.length > rowLimits.channelsJsonBytes ? '[]' : channels,
    montageHash: clip(start.montageHash, 32),
    predecessor: start.predecessor !== null && isUuid(start.predecessor) ? start.predecessor : null,
    captureId: clip(start.captureId, rowLimits.textLength),
    captureFirstSample: start.captureFirstSample,
    replaySpeed: start.replay?.speed ?? null,
    replaySource: start.replay === null ? null : clip(start.replay.source, rowLimits.textLength),
    source: clip(start.source, rowLimits.textLength),
  };
}

export function endColumns(end: RecordingEnd): EndColumns {
  return {
    recordingId: end.subject,
    measuredAtUs: end.measuredAtUs,
    lastSeq: end.lastSeq,
    readings: end.readings,
    reason: clip(end.reason, rowLimits.reasonLength),
  };
}

export function clip(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).toWellFormed();
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isByte(value: number): boolean {
  return isCount(value) && value <= 255;
}
