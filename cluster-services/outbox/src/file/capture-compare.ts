import { crc32 } from 'node:zlib';
import {
  bytesToUuid,
  type DataStream,
  decodeMessage,
  type EegChunk,
  type EventChunk,
  type EventReading,
  isNumericChunk,
  type NumericChunk,
  type NumericReading,
  type Rate,
  readingsOf,
} from '@vitalwire/contract/wire';
import type { CaptureClaim, CaptureMatch, NoReading } from '../append.ts';
import type { Statements } from './statements.ts';

type Taken = { readonly id: Buffer; readonly from: number; readonly nextSeq: number }; // a recording of the capture and its place there
type Chunk = EegChunk | NumericChunk | EventChunk;
type ChunkRow = { seq: number; crc32: number; message: Buffer };

/** A device that repeats a request gives the time it gave before; one that has begun anew needs longer than this to start. */
const SAME_TIME_US = 100_000;

/**
 * Holds readings against the chunks that were cut from the ones taken at their place: the same samples at the same time are a repeat.
 * What is no longer in the outbox cannot be shown to be one, and so is none.
 */
export function compareCapture(sql: Statements, claim: CaptureClaim): CaptureMatch {
  const recordings = recordingsOf(sql, claim);
  const end = claim.firstSample + countOf(claim);
  let at = claim.firstSample;
  let last: Taken | null = null;
  let lastSeq = -1;
  while (at < end) {
    if (isEmptyPlace(claim, at)) {
      at += 1;
      continue;
    }
    const recording: Taken | undefined = recordings.find(({ from }) => from <= at);
    if (recording === undefined) return { kind: 'unknown', sample: at };
    const index = at - recording.from;
    const chunk = (last === recording ? chunkAt(sql, recording, index, lastSeq + 1) : null) ?? chunkAt(sql, recording, index, null);
    if (chunk === null) return { kind: 'unknown', sample: at };
    last = recording;
    lastSeq = chunk.seq;
    const chunkEnd = recording.from + chunk.firstSample + readingsOf(chunk);
    const to = Math.min(end, chunkEnd);
    const other = differenceIn(claim, chunk, at, to, index - chunk.firstSample);
    if (other !== null) return other;
    at = to;
  }
  return { kind: 'same' };
}

/** The recordings of a capture, the latest first. */
function recordingsOf(sql: Statements, { device, captureId, readings: { stream } }: CaptureClaim): Taken[] {
  const rows = sql.recordingsOfCapture.all(device, stream satisfies DataStream, captureId) as {
    recording_id: Buffer;
    next_seq: number;
    start_message: Buffer;
  }[];
  return rows.flatMap((row) => {
    const start = decodeMessage(new Uint8Array(row.start_message));
    if (!start.ok || start.value.stream !== 'recording' || start.value.kind !== 'start') return [];
    return [{ id: row.recording_id, from: start.value.captureFirstSample, nextSeq: row.next_seq }];
  });
}

/** The chunk that holds a reading of a recording: looked for at `seq`, or by halving, as chunks lie in the order of their readings. */
function chunkAt(sql: Statements, { id, nextSeq }: Taken, index: number, seq: number | null): Chunk | null {
  let low = seq ?? 0;
  let high = seq ?? nextSeq - 1;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const row = sql.chunkFrom.get(id, middle) as ChunkRow | undefined;
    const chunk = row === undefined || row.seq > high ? null : chunkIn(row, id);
    if (chunk === null || index < chunk.firstSample) high = middle - 1;
    else if (index >= chunk.firstSample + readingsOf(chunk)) low = chunk.seq + 1;
    else return chunk;
  }
  return null;
}

function chunkIn(row: ChunkRow, id: Buffer): Chunk | null {
  if (crc32(row.message) !== row.crc32) return null;
  const decoded = decodeMessage(new Uint8Array(row.message));
  if (!decoded.ok || decoded.value.recordingId !== bytesToUuid(id)) return null;
  const { value } = decoded;
  return value.stream === 'eeg' || value.stream === 'event' || isNumericChunk(value) ? value : null;
}

/** Compares readings `at` to `to` of the capture with a chunk, of which the first of them is number `offset`. */
function differenceIn(claim: CaptureClaim, chunk: Chunk, at: number, to: number, offset: number): CaptureMatch | null {
  const { readings, firstSample } = claim;
  if (readings.stream === 'eeg') {
    if (chunk.stream !== 'eeg') return { kind: 'unknown', sample: at };
    const storedAtUs = timeOf(chunk.measuredAtUs, offset, chunk.rate);
    const claimedAtUs = timeOf(readings.measuredAtUs, at - firstSample, readings.rate);
    const other = { kind: 'other', sample: at, storedAtUs, claimedAtUs } as const;
    if (chunk.channels !== readings.channels || Math.abs(storedAtUs - claimedAtUs) > SAME_TIME_US) return other;
    for (let channel = 0; channel < readings.channels; channel += 1) {
      const mine = channel * readings.samplesPerChannel + at - firstSample;
      const theirs = channel * chunk.samplesPerChannel + offset;
      for (let index = 0; index < to - at; index += 1)
        if (readings.samples[mine + index] !== chunk.samples[theirs + index]) return { ...other, sample: at + index };
    }
    return null;
  }
  const claimed: readonly (NumericReading | EventReading | NoReading)[] = readings.stream === 'event' ? readings.events : readings.readings;
  const stored: readonly (NumericReading | EventReading)[] =
    chunk.stream === 'eeg' ? [] : chunk.stream === 'event' ? chunk.events : chunk.readings;
  for (let index = 0; index < to - at; index += 1) {
    const mine = claimed[at - firstSample + index];
    const theirs = stored[offset + index];
    if (mine === undefined || theirs === undefined) return { kind: 'unknown', sample: at + index };
    if (isNone(mine)) return { kind: 'other', sample: at + index, storedAtUs: theirs.atUs, claimedAtUs: mine.atUs };
    if (!isSame(mine, theirs)) return { kind: 'other', sample: at + index, storedAtUs: theirs.atUs, claimedAtUs: mine.atUs };
  }
  return null;
}

/** Where the device sent no number nothing was stored. */
function isEmptyPlace({ readings, firstSample }: CaptureClaim, at: number): boolean {
  return 'readings' in readings && readings.readings[at - firstSample]?.value === null;
}

function isNone(one: NumericReading | EventReading | NoReading): one is NoReading {
  return 'value' in one && one.value === null;
}

function isSame(a: NumericReading | EventReading, b: NumericReading | EventReading): boolean {
  if ('value' in a) return 'value' in b && a.atUs === b.atUs && a.value === b.value && a.least === b.least && a.most === b.most;
  return (
    !('value' in b) && a.atUs === b.atUs && a.durationUs === b.durationUs && a.type === b.type && a.text === b.text && a.source === b.source
  );
}

function timeOf(startUs: number, index: number, rate: Rate): number {
  return startUs + Math.round((index * rate.den * 1_000_000) / rate.num);
}

function countOf({ readings }: CaptureClaim): number {
  if (readings.stream === 'eeg') return readings.samplesPerChannel;
  return readings.stream === 'event' ? readings.events.length : readings.readings.length;
}
