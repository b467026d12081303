import { decodeMessage, isNumericChunk, RecentMap, readingsOf, uuidToBytes } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ChunkTable, ReadingsTables } from '../schema/tables.ts';
import { Fresh } from './fresh.ts';
import { complement, countOf, type SeqRange, toRanges, union } from './seq-ranges.ts';
import { breathe } from './slices.ts';
import { mergeRuns, type TimedChunk, type TimeRun, timeRunLimits, timeRuns } from './time-runs.ts';

/** What is stored of one identity. `samples` counts readings per channel. */
export type StoredSeqs = {
  readonly ranges: readonly SeqRange[];
  readonly chunks: number;
  readonly samples: number;
  readonly lastCommittedAtUs: number | null; // of the rows seen, the latest
  readonly runs: readonly TimeRun[] | null; // when their signal was measured; null: the clock was set too often to say
};

type Row = Pick<ChunkTable, 'seq' | 'samples' | 'committed_at_us' | 'measured_at_us' | 'span_us' | 'first_sample'>;

const LONGEST_SPAN_US = 0xffff_ffff;
const ROWS_PER_PAGE = 4_000;
const MAX_HOLES = 64; // looked into one by one; with more, everything above the first is read again
const MAX_KEPT = 8_192;
const NOTHING: StoredSeqs = { ranges: [], chunks: 0, samples: 0, lastCommittedAtUs: null, runs: [] };

/**
 * Which seqs of an identity are stored. A stored row never changes and never goes, so what was once seen is kept, and only the
 * holes and the end are looked at again: asking for a day-long recording a second time costs a few index look-ups.
 */
export class StoredSeqsReader {
  readonly #db: Kysely<ReadingsTables>;
  readonly #kept = new RecentMap<string, StoredSeqs>(MAX_KEPT);
  readonly #readings = new Map<string, Fresh<StoredSeqs>>();

  constructor(db: Kysely<ReadingsTables>) {
    this.#db = db;
  }

  /** What is stored at some moment after the call. */
  async read(recordingId: string): Promise<StoredSeqs> {
    const reading = this.#readings.get(recordingId) ?? new Fresh(() => this.#refresh(recordingId));
    this.#readings.set(recordingId, reading);
    try {
      return await reading.read();
    } finally {
      if (reading.isIdle) this.#readings.delete(recordingId);
    }
  }

  /** After the database was replaced: nothing that was seen is known to be there any more. */
  forget(): void {
    this.#kept.clear();
  }

  async #refresh(recordingId: string): Promise<StoredSeqs> {
    const before = this.#kept.get(recordingId) ?? NOTHING;
    const id = Buffer.from(uuidToBytes(recordingId));
    let ranges = before.ranges;
    let samples = before.samples;
    let lastCommittedAtUs = before.lastCommittedAtUs;
    let runs = before.runs;
    const holes = complement(before.ranges, 0, Number.MAX_SAFE_INTEGER);
    const places = holes.length <= MAX_HOLES ? holes : [{ from: holes[0]?.from ?? 0, to: Number.MAX_SAFE_INTEGER }];
    const rescanned = places.length < holes.length;
    const known = rescanned ? before.ranges : null;
    for (const place of places) {
      for (let from = place.from; from <= place.to; ) {
        const rows = await this.#page(id, from, place.to);
        const last = rows.at(-1);
        if (last === undefined) break;
        const fresh = known === null ? rows : rows.filter(({ seq }) => !known.some((range) => range.from <= seq && seq <= range.to));
        for (const row of fresh) {
          samples += row.samples ?? 0;
          lastCommittedAtUs = Math.max(lastCommittedAtUs ?? row.committed_at_us, row.committed_at_us);
        }
        samples += await this.#undeclaredSamples(
          id,
          fresh.filter((row) => row.samples === null).map(({ seq }) => seq),
        );
        if (runs !== null) runs = mergeRuns(runs, timeRuns(await this.#timed(id, fresh)));
        if (runs !== null && runs.length > timeRunLimits.runs) runs = null;
        ranges = union(ranges, toRanges(rows.map(({ seq }) => seq)));
        if (rows.length < ROWS_PER_PAGE) break;
        from = last.seq + 1;
        await breathe();
      }
    }
    const seen: StoredSeqs = { ranges, chunks: countOf(ranges), samples, lastCommittedAtUs, runs };
    this.#kept.renew(recordingId, seen);
    return seen;
  }

  #page(id: Buffer, from: number, to: number): Promise<Row[]> {
    return this.#db
      .selectFrom('chunk')
      .select(['seq', 'samples', 'committed_at_us', 'measured_at_us', 'span_us', 'first_sample'])
      .where('recording_id', '=', id)
      .where('seq', '>=', from)
      .where('seq', '<=', to)
      .orderBy('seq')
      .limit(ROWS_PER_PAGE)
      .execute();
  }

  // Rows of a sender that did not say how many readings are in them: the message itself does.
  async #undeclaredSamples(id: Buffer, seqs: readonly number[]): Promise<number> {
    let samples = 0;
    for (const seq of seqs) {
      const row = await this.#db
        .selectFrom('chunk')
        .select('message')
        .where('recording_id', '=', id)
        .where('seq', '=', seq)
        .executeTakeFirst();
      const decoded = row === undefined ? null : decodeMessage(row.message);
      if (decoded?.ok === true) samples += readingsOf(decoded.value);
    }
    return samples;
  }

  // The column of a chunk's length ends at a good hour; a phone's export can hold months, which its message tells.
  async #timed(id: Buffer, rows: readonly Row[]): Promise<TimedChunk[]> {
    const timed: TimedChunk[] = [];
    for (const { seq, measured_at_us: measuredAtUs, span_us, first_sample: firstSample, samples } of rows) {
      const spanUs = span_us < LONGEST_SPAN_US ? span_us : ((await this.#toldSpan(id, seq)) ?? span_us);
      timed.push({ seq, measuredAtUs, spanUs, firstSample, samples });
    }
    return timed;
  }

  async #toldSpan(id: Buffer, seq: number): Promise<number | null> {
    const row = await this.#db
      .selectFrom('chunk')
      .select('message')
      .where('recording_id', '=', id)
      .where('seq', '=', seq)
      .executeTakeFirst();
    const decoded = row === undefined ? null : decodeMessage(row.message);
    if (decoded?.ok !== true) return null;
    const { value } = decoded;
    const times = isNumericChunk(value)
      ? value.readings
      : value.stream === 'event'
        ? value.events
        : value.stream === 'quality'
          ? value.items
          : [];
    return times.reduce((most, { atUs }) => Math.max(most, atUs - value.measuredAtUs), 0);
  }
}
