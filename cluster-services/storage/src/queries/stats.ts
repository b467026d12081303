import { bytesToUuid, dataStreams, type Quarantine, type Stats, type Stream } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { Fresh } from './fresh.ts';
import { breathe } from './slices.ts';
import type { StoredSeqsReader } from './stored-seqs.ts';

const PAGE = 500;
const MAX_FINISHED = 200_000;

type Tally = { chunks: number; samples: number; detections: number; lastCommittedAtUs: number | null };

/**
 * Counts over everything stored, without reading everything: a recording that is complete never changes, so it is counted once;
 * only the others are looked at again. `chunks` and `samples` are of data streams (samples: EEG, per channel).
 */
export class StatsReader {
  readonly #db: Kysely<ReadingsTables>;
  readonly #seqs: StoredSeqsReader;
  readonly #finished = new Set<string>();
  readonly #finishedTally: Tally = emptyTally();
  readonly #tallies = new Fresh(() => this.#tally());

  constructor(db: Kysely<ReadingsTables>, seqs: StoredSeqsReader) {
    this.#db = db;
    this.#seqs = seqs;
  }

  async read(): Promise<Omit<Stats, 'schemaVersion' | 'generation'>> {
    const [tally, quarantine] = await Promise.all([
      this.#tallies.read(), // one at a time: two would count a recording twice that finishes between them
      this.#db
        .selectFrom('quarantine')
        .select((eb) => ['reason', eb.fn.countAll<number>().as('rows')])
        .groupBy('reason')
        .execute(),
    ]);
    return {
      ...tally,
      quarantined: quarantine.reduce((sum, { rows }) => sum + Number(rows), 0),
      conflicts: Number(quarantine.find(({ reason }) => reason === 'conflict')?.rows ?? 0),
    };
  }

  /** After the database was replaced. */
  forget(): void {
    this.#finished.clear();
    Object.assign(this.#finishedTally, emptyTally());
  }

  async #tally(): Promise<Tally> {
    const tally = emptyTally();
    let after: Buffer | null = null;
    for (;;) {
      let query = this.#db
        .selectFrom('stream_index as i')
        .leftJoin('recording_end as e', 'e.recording_id', 'i.recording_id')
        .select(['i.recording_id as id', 'i.stream as stream', 'e.last_seq as lastSeq'])
        .where('i.stream', 'in', [...dataStreams, 'detection']);
      if (after !== null) query = query.where('i.recording_id', '>', after);
      const rows = await query.orderBy('i.recording_id').limit(PAGE).execute();
      for (const row of rows) await this.#count(bytesToUuid(row.id), row.stream, row.lastSeq, tally);
      after = rows.at(-1)?.id ?? null;
      if (rows.length < PAGE || after === null) break;
      await breathe();
    }
    add(tally, this.#finishedTally);
    return tally;
  }

  async #count(recordingId: string, stream: Stream, lastSeq: number | null, tally: Tally): Promise<void> {
    if (this.#finished.has(recordingId)) return;
    const { chunks, samples, ranges, lastCommittedAtUs } = await this.#seqs.read(recordingId);
    const isData = stream !== 'detection';
    const own: Tally = {
      chunks: isData ? chunks : 0,
      samples: stream === 'eeg' ? samples : 0,
      detections: isData ? 0 : chunks,
      lastCommittedAtUs,
    };
    const isComplete = lastSeq !== null && lastSeq >= 0 && ranges.length === 1 && ranges[0]?.from === 0 && ranges[0].to === lastSeq;
    if (isComplete && this.#finished.size < MAX_FINISHED) {
      this.#finished.add(recordingId);
      add(this.#finishedTally, own);
    } else add(tally, own);
  }
}

/** What is in quarantine, newest first. */
export async function readQuarantine(db: Kysely<ReadingsTables>, limit: number): Promise<Quarantine> {
  const [counted, rows] = await Promise.all([
    db
      .selectFrom('quarantine')
      .select((eb) => eb.fn.countAll<number>().as('rows'))
      .executeTakeFirst(),
    db
      .selectFrom('quarantine')
      .select(['sha256', 'sender', 'topic', 'reason', 'message_bytes', 'first_seen_us'])
      .orderBy('first_seen_us', 'desc')
      .limit(limit)
      .execute(),
  ]);
  return {
    count: Number(counted?.rows ?? 0),
    items: rows.map((row) => ({
      sha256: Buffer.from(row.sha256).toString('hex'),
      sender: row.sender,
      topic: row.topic,
      reason: row.reason,
      bytes: row.message_bytes,
      firstSeenUs: row.first_seen_us,
    })),
  };
}

function emptyTally(): Tally {
  return { chunks: 0, samples: 0, detections: 0, lastCommittedAtUs: null };
}

function add(into: Tally, more: Tally): void {
  into.chunks += more.chunks;
  into.samples += more.samples;
  into.detections += more.detections;
  if (more.lastCommittedAtUs !== null) into.lastCommittedAtUs = Math.max(into.lastCommittedAtUs ?? 0, more.lastCommittedAtUs);
}
