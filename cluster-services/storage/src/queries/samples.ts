import {
  type ChannelScale,
  decodeMessage,
  type EegChunk,
  isNumeric,
  isNumericChunk,
  type NumericChunk,
  numericFacts,
  type SamplesAnswer,
} from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { Decimator, makeGrid } from './decimate.ts';
import { refusals } from './errors.ts';
import { type ChunkTimes, extentOf, idBytes, type Recording, readChunks } from './recordings.ts';
import { countOf, intersect, type SeqRange } from './seq-ranges.ts';
import { Pace } from './slices.ts';
import type { StoredSeqs } from './stored-seqs.ts';

const samplesLimits = { chunksPerQuery: 50_000, chunksPerPage: 64 } as const;

export type SamplesWish = { readonly fromUs?: number | undefined; readonly toUs?: number | undefined; readonly points: number };

/** The envelope of a recording over a time range, computed from the raw chunks: the stored integers are never changed, this is a view. */
export async function readSamples(
  db: Kysely<ReadingsTables>,
  recording: Recording,
  stored: StoredSeqs,
  wish: SamplesWish,
  signal: AbortSignal | null = null,
): Promise<SamplesAnswer> {
  if (recording.stream !== 'eeg' && !isNumeric(recording.stream)) throw refusals.notASignal(recording.recordingId, recording.stream);
  const extent = await extentOf(db, recording, stored);
  const fromUs = wish.fromUs ?? extent?.startedAtUs ?? recording.firstMeasuredAtUs;
  const toUs = wish.toUs ?? Math.max(extent?.endedAtUs ?? fromUs, fromUs) + 1;
  if (toUs <= fromUs) throw refusals.emptyRange();
  const wanted = await seqsBetween(db, recording, stored, fromUs, toUs);
  const chunks = countOf(wanted);
  if (chunks > samplesLimits.chunksPerQuery) throw refusals.rangeTooLong(chunks, samplesLimits.chunksPerQuery);
  const rate = recording.start?.rate ?? null;
  const grid = makeGrid(fromUs, toUs, wish.points, rate === null ? 0 : (rate.den * 1e6) / rate.num);
  const channels = channelsOf(recording);
  let decimator = new Decimator(grid, channels.length);
  let isFresh = true;
  let expected: number | null = null;

  const pace = new Pace(signal);
  for (const range of wanted) {
    for (let fromSeq = range.from; fromSeq <= range.to; ) {
      const rows = await readChunks(db, recording.recordingId, { fromSeq, toSeq: range.to, limit: samplesLimits.chunksPerPage });
      for (const row of rows) {
        const decoded = decodeMessage(row.message);
        await pace.step();
        if (!decoded.ok) continue;
        const message = decoded.value;
        if (isNumericChunk(message)) addReadings(decimator, message);
        if (message.stream !== 'eeg') continue;
        if (isFresh && message.channels > channels.length) {
          // The start record is missing: what the chunk itself says must do.
          for (let channel = channels.length; channel < message.channels; channel += 1) channels.push(unscaled(channel));
          decimator = new Decimator(grid, channels.length);
        }
        isFresh = false;
        addEeg(decimator, message, channels, expected === message.firstSample);
        expected = message.firstSample + message.samplesPerChannel;
      }
      fromSeq = (rows.at(-1)?.seq ?? range.to) + 1;
    }
    expected = null;
  }
  const named = channels.map(({ label, unit }) => ({ label, unit }));
  return { recordingId: recording.recordingId, rate, channels: named, fromUs, bucketUs: grid.bucketUs, ...decimator.envelope() };
}

/**
 * The stored seqs whose readings may lie in the range, by binary search on seq: chunks of one recording follow each other in time.
 * Readings that are sent late (a phone's export) do not, but there are few of them, so their rows are looked through.
 */
export async function seqsBetween(
  db: Kysely<ReadingsTables>,
  recording: Recording,
  stored: StoredSeqs,
  fromUs: number,
  toUs: number,
): Promise<SeqRange[]> {
  const last = stored.ranges.at(-1);
  if (last === undefined) return [];
  if (recording.stream !== 'eeg') {
    const rows = await db
      .selectFrom('chunk')
      .select('seq')
      .where('recording_id', '=', idBytes(recording.recordingId))
      .where('measured_at_us', '<', toUs)
      .where((eb) => eb(eb('measured_at_us', '+', eb.ref('span_us')), '>=', fromUs))
      .orderBy('seq')
      .limit(samplesLimits.chunksPerQuery + 1)
      .execute();
    return rows.map(({ seq }) => ({ from: seq, to: seq }));
  }
  const first = await firstSeqWhere(db, recording.recordingId, last.to, ({ measuredAtUs, spanUs }) => measuredAtUs + spanUs > fromUs);
  const after = await firstSeqWhere(db, recording.recordingId, last.to, ({ measuredAtUs }) => measuredAtUs >= toUs);
  return first === null ? [] : intersect(stored.ranges, [{ from: first, to: (after ?? last.to + 1) - 1 }]);
}

/** The lowest stored seq for which a claim that stays true once it is true holds; null if it holds for none. */
async function firstSeqWhere(
  db: Kysely<ReadingsTables>,
  recordingId: string,
  lastSeq: number,
  holds: (times: ChunkTimes) => boolean,
): Promise<number | null> {
  let low = 0;
  let high = lastSeq + 1;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const times = await timesFrom(db, recordingId, middle);
    if (times === null || holds(times)) high = middle;
    else low = times.seq + 1;
  }
  const found = await timesFrom(db, recordingId, low);
  return found === null ? null : found.seq;
}

async function timesFrom(db: Kysely<ReadingsTables>, recordingId: string, seq: number): Promise<ChunkTimes | null> {
  const row = await db
    .selectFrom('chunk')
    .select(['seq', 'measured_at_us', 'span_us'])
    .where('recording_id', '=', idBytes(recordingId))
    .where('seq', '>=', seq)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : { seq: row.seq, measuredAtUs: row.measured_at_us, spanUs: row.span_us };
}

type Channel = { readonly label: string; readonly unit: string; readonly scale: number; readonly offset: number };

function channelsOf(recording: Recording): Channel[] {
  if (isNumeric(recording.stream)) {
    const { label, unit } = numericFacts(recording.stream);
    return [{ label, unit, scale: 1, offset: 0 }];
  }
  return (recording.start?.channels ?? []).map((channel) => ({ label: channel.label, unit: channel.unit, ...lineOf(channel) }));
}

function unscaled(index: number): Channel {
  return { label: `channel ${index + 1}`, unit: 'digital', scale: 1, offset: 0 };
}

function lineOf({ digitalMin, digitalMax, physicalMin, physicalMax }: ChannelScale): { scale: number; offset: number } {
  const scale = (physicalMax - physicalMin) / (digitalMax - digitalMin);
  return { scale, offset: physicalMin - digitalMin * scale };
}

function addEeg(decimator: Decimator, chunk: EegChunk, channels: readonly Channel[], continues: boolean): void {
  const { samplesPerChannel, rate } = chunk;
  const periodUs = (rate.den * 1e6) / rate.num;
  for (const [index, { scale, offset }] of channels.entries()) {
    if (index >= chunk.channels) break;
    const values = chunk.samples.subarray(index * samplesPerChannel, (index + 1) * samplesPerChannel);
    decimator.addRun(index, { startUs: chunk.measuredAtUs, periodUs, values, scale, offset, continues });
  }
}

function addReadings(decimator: Decimator, chunk: NumericChunk): void {
  for (const { atUs, value, least, most } of chunk.readings) {
    for (const one of [value, least, most]) if (one !== null) decimator.add(0, atUs, one);
  }
}
