import {
  bytesToUuid,
  type ClockState,
  dataStreams,
  isClockWrong,
  isNumeric,
  isNumericChunk,
  type LatestOfDevice,
  limits,
  type Message,
  type NumericReading,
  numericStreams,
  type Stream,
} from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { detectionInfo } from './detections.ts';
import { findRecording, type Recording, readMessagesBackwards, type StoredMessage } from './recordings.ts';

/** Recordings of a stream that are looked at: those without an end, the newest begun first, and some more in case their clocks are wrong. */
const CANDIDATES = 4;
const MAX_CANDIDATES = 12;
const ROWS_PER_PAGE = 16;
/** Rows of one recording that are looked at: a device whose clock is wrong for longer has no latest value there. */
const MAX_ROWS = 4_096;
/** The same where only the columns have to be looked at. */
const MAX_ROWS_OF_COLUMNS = 20_000;
/** Replicas commit side by side: rows of this much time may lie out of the order of their seqs. */
const ORDER_SLACK_US = 5_000_000;

/** A device, and the gateway it belongs to; null: nobody knows yet. */
export type OwnedDevice = { readonly device: string; readonly gateway: string | null };

/**
 * The latest stored values of a device: what was measured last on the cluster's clock, as far as the gateway's offset is known. A backlog that
 * arrives late is not the latest, what comes from the future is nobody's, and what another gateway sent as this device is none of it.
 */
export async function latestOf(db: Kysely<ReadingsTables>, owned: OwnedDevice, patient: string | null): Promise<LatestOfDevice> {
  const [detection, eeg, ...numerics] = await Promise.all([
    latestValue(db, owned, 'detection'),
    latestValue(db, owned, 'eeg'),
    ...numericStreams.map((stream) => latestValue(db, owned, stream)),
  ]);
  return { device: owned.device, patient, numerics: numerics.flatMap(numericOf), detection: detectionOf(detection), eeg: eegOf(eeg) };
}

/** Every device of which anything is stored. */
export async function storedDevices(db: Kysely<ReadingsTables>, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('stream_index')
    .select('device')
    .distinct()
    .where('stream', 'in', dataStreams)
    .orderBy('device')
    .limit(limit)
    .execute();
  return rows.map(({ device }) => device);
}

/** A value with the recording it is of; `heldAtUs` is when it was measured on the cluster's clock, and never after its commit. */
type Value = StoredMessage & {
  readonly recording: Recording | null;
  readonly endUs: number; // the device's clock
  readonly heldAtUs: number;
  readonly reading: NumericReading | null;
};

async function latestValue(db: Kysely<ReadingsTables>, owned: OwnedDevice, stream: Stream): Promise<Value | null> {
  const ids = await candidates(db, owned, stream);
  let latest: Value | null = null;
  for (const [index, id] of ids.entries()) {
    if (index >= CANDIDATES && latest !== null) break;
    const value = await latestIn(db, id, stream);
    if (value !== null && (latest === null || value.heldAtUs > latest.heldAtUs)) latest = value;
  }
  return latest;
}

async function candidates(db: Kysely<ReadingsTables>, { device, gateway }: OwnedDevice, stream: Stream): Promise<Buffer[]> {
  let query = db
    .selectFrom('stream_index as i')
    .leftJoin('recording_end as e', 'e.recording_id', 'i.recording_id')
    .select(['i.recording_id as id', 'e.measured_at_us as endedUs'])
    .where('i.device', '=', device)
    .where('i.stream', '=', stream);
  if (gateway !== null) query = query.where('i.gateway', '=', gateway);
  const rows = await query.orderBy('i.first_measured_at_us', 'desc').limit(MAX_CANDIDATES).execute();
  // One that goes on may have begun long before others that have ended.
  const [open, ended] = [rows.filter(({ endedUs }) => endedUs === null), rows.filter(({ endedUs }) => endedUs !== null)];
  const first = stream === 'detection' ? rows : [...ended.slice(0, CANDIDATES / 2), ...open.slice(0, CANDIDATES / 2)];
  return [...new Set([...first, ...rows])].map(({ id }) => id);
}

/** Of one recording. The samples of EEG, and the windows of detections, are in the order of their seqs; numeric vitals are not. */
async function latestIn(db: Kysely<ReadingsTables>, id: Buffer, stream: Stream): Promise<Value | null> {
  const recordingId = bytesToUuid(id);
  const [last] = (await readMessagesBackwards(db, recordingId, { beforeSeq: null, limit: 1 })).messages;
  if (last === undefined) return null;
  const recording = await findRecording(db, subjectOf(last.message));
  const newest = valueIn(last, recording);
  if (isNumeric(stream)) return latestReading(db, { recordingId, recording, newest, beforeSeq: last.seq });
  if (newest !== null) return newest;
  // The last one comes from the future: the columns tell where that began, the message whether it is so.
  const notAheadByUs = limits.maxClockAheadUs + Math.max(0, -offsetOf(last.message.clock));
  const rows = { beforeSeq: last.seq, limit: ROWS_PER_PAGE, notAheadByUs, fromSeq: last.seq - MAX_ROWS_OF_COLUMNS };
  const { messages } = await readMessagesBackwards(db, recordingId, rows);
  for (const message of messages) {
    const value = valueIn(message, recording);
    if (value !== null) return value;
  }
  return null;
}

type Walk = {
  readonly recordingId: string;
  readonly recording: Recording | null;
  readonly newest: Value | null; // of the last row
  readonly beforeSeq: number;
};

// An export of yesterday comes after a reading of today. Nothing is measured after its commit, so rows committed before the best value cannot
// beat it: of a device that sends as it measures a few rows are read.
async function latestReading(db: Kysely<ReadingsTables>, { recordingId, recording, newest, ...from }: Walk): Promise<Value | null> {
  let latest = newest;
  let beforeSeq = from.beforeSeq;
  for (let seen = 0; seen < MAX_ROWS; seen += ROWS_PER_PAGE) {
    const { messages, lowestSeq } = await readMessagesBackwards(db, recordingId, { beforeSeq, limit: ROWS_PER_PAGE });
    for (const row of messages) {
      if (latest !== null && row.committedAtUs + ORDER_SLACK_US < latest.heldAtUs) return latest;
      const value = valueIn(row, recording);
      if (value !== null && (latest === null || value.heldAtUs > latest.heldAtUs)) latest = value;
    }
    if (lowestSeq === null) return latest;
    beforeSeq = lowestSeq;
  }
  return latest;
}

/** Null when its clock was wrong: then it is stored, and nobody's latest. Replays have a time of their own. */
function valueIn(stored: StoredMessage, recording: Recording | null): Value | null {
  const { message, committedAtUs } = stored;
  const { clock } = message;
  const isReplay = recording !== null && recording.start !== null && recording.start.replay !== null;
  const isRight = (atUs: number): boolean => isReplay || !isClockWrong(atUs, clock, committedAtUs);
  const reading = isNumericChunk(message) ? newestOf(message.readings.filter(({ atUs }) => isRight(atUs))) : null;
  const endUs = isNumericChunk(message) ? (reading?.atUs ?? null) : endOf(message, recording);
  if (endUs === null || !isRight(endUs)) return null;
  return { ...stored, recording, endUs, reading, heldAtUs: Math.min(endUs + offsetOf(clock), committedAtUs) };
}

function newestOf(readings: readonly NumericReading[]): NumericReading | null {
  return readings.reduce<NumericReading | null>((best, one) => (best === null || one.atUs >= best.atUs ? one : best), null);
}

function endOf(message: Message, recording: Recording | null): number | null {
  if (message.stream === 'eeg') {
    const { measuredAtUs, samplesPerChannel, rate } = message;
    return measuredAtUs + Math.round(((samplesPerChannel - 1) * 1e6 * rate.den) / rate.num);
  }
  if (message.stream !== 'detection') return null;
  const rate = recording?.start?.rate ?? null;
  return message.measuredAtUs + (rate === null ? 0 : Math.round((message.samples * 1e6 * rate.den) / rate.num));
}

function offsetOf(clock: ClockState): number {
  return clock.source === 'none' ? 0 : clock.offsetUs;
}

function subjectOf(message: Message): string {
  return message.stream === 'detection' ? message.subject : message.recordingId;
}

function aroundOf({ recording, message: { clock } }: Value) {
  return {
    clockOffsetUs: clock.source === 'none' ? null : clock.offsetUs,
    ...(recording === null ? {} : { gateway: recording.gateway }),
    ...(recording === null || recording.start === null ? {} : { replay: recording.start.replay }),
  };
}

function numericOf(stored: Value | null): LatestOfDevice['numerics'] {
  if (stored === null || !isNumericChunk(stored.message) || stored.reading === null) return [];
  const { stream, kind, recordingId } = stored.message;
  const { value, atUs } = stored.reading;
  return [{ stream, value, kind, measuredAtUs: atUs, committedAtUs: stored.committedAtUs, recordingId, ...aroundOf(stored) }];
}

function detectionOf(value: Value | null): LatestOfDevice['detection'] {
  if (value === null || value.message.stream !== 'detection') return null;
  const { message, committedAtUs, endUs } = value;
  return { ...detectionInfo(message, committedAtUs), recordingId: message.subject, endUs, ...aroundOf(value) };
}

function eegOf(value: Value | null): LatestOfDevice['eeg'] {
  if (value === null || value.message.stream !== 'eeg') return null;
  const { recordingId, rate, channels, montageHash } = value.message;
  return { recordingId, measuredAtUs: value.endUs, committedAtUs: value.committedAtUs, rate, channels, montageHash, ...aroundOf(value) };
}
