import { decodeMessage, derivedId, detectionKind, readingsOf, type Unscored } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { idBytes, type Recording, readChunks } from './recordings.ts';
import { countOf, intersect, normalize, type SeqRange, subtract } from './seq-ranges.ts';
import { Pace } from './slices.ts';
import type { StoredSeqs, StoredSeqsReader } from './stored-seqs.ts';

export type Windows = { readonly model: string; readonly window: number; readonly hop: number; readonly limit: number };

/** The windows of an EEG recording that could be scored with what is stored, and have no detection of this model. */
export async function unscoredWindows(
  db: Kysely<ReadingsTables>,
  seqs: StoredSeqsReader,
  recording: Recording,
  stored: StoredSeqs,
  wish: Windows,
): Promise<Unscored> {
  if (recording.stream !== 'eeg') return { ranges: [], scorableWindows: 0, scoredWindows: 0 };
  const scorable = wholeWindows(await storedSamples(db, recording.recordingId, stored), wish.window, wish.hop);
  const scored = await seqs.read(derivedId(recording.recordingId, detectionKind(wish.model)));
  const left = subtract(scorable, scored.ranges);
  return {
    ranges: left.slice(0, wish.limit).map(({ from, to }) => ({ fromWindow: from, toWindow: to })),
    scorableWindows: countOf(scorable),
    scoredWindows: countOf(intersect(scorable, scored.ranges)),
  };
}

/** The windows (index w covers samples w·hop up to w·hop + window) that lie wholly inside one range of samples. */
export function wholeWindows(samples: readonly SeqRange[], window: number, hop: number): SeqRange[] {
  return normalize(
    samples
      .map(({ from, to }) => ({ from: Math.ceil(from / hop), to: Math.floor((to + 1 - window) / hop) }))
      .filter(({ from, to }) => from <= to),
  );
}

/** The samples that are stored, as ranges. Chunks that follow each other in seq follow each other in samples; checked by their sum. */
async function storedSamples(db: Kysely<ReadingsTables>, recordingId: string, stored: StoredSeqs): Promise<SeqRange[]> {
  const ranges: SeqRange[] = [];
  const pace = new Pace();
  for (const { from, to } of stored.ranges) {
    const [first, last] = [await samplesAt(db, recordingId, from), await samplesAt(db, recordingId, to)];
    if (first !== null && last !== null) ranges.push({ from: first.from, to: last.to });
    await pace.step();
  }
  const joined = normalize(ranges);
  if (countOf(joined) === stored.samples) return joined;
  return samplesChunkByChunk(db, recordingId, stored);
}

async function samplesAt(db: Kysely<ReadingsTables>, recordingId: string, seq: number): Promise<SeqRange | null> {
  const row = await db
    .selectFrom('chunk')
    .select(['first_sample', 'samples'])
    .where('recording_id', '=', idBytes(recordingId))
    .where('seq', '=', seq)
    .executeTakeFirst();
  if (row === undefined) return null;
  if (row.first_sample !== null && row.samples !== null) return { from: row.first_sample, to: row.first_sample + row.samples - 1 };
  const message = (await readChunks(db, recordingId, { fromSeq: seq, toSeq: seq, limit: 1 }))[0]?.message;
  return message === undefined ? null : samplesIn(message);
}

async function samplesChunkByChunk(db: Kysely<ReadingsTables>, recordingId: string, stored: StoredSeqs): Promise<SeqRange[]> {
  let ranges: SeqRange[] = [];
  const pace = new Pace();
  for (const { from, to } of stored.ranges) {
    for (let fromSeq = from; fromSeq <= to; ) {
      const rows = await db
        .selectFrom('chunk')
        .select(['seq', 'first_sample', 'samples'])
        .where('recording_id', '=', idBytes(recordingId))
        .where('seq', '>=', fromSeq)
        .where('seq', '<=', to)
        .orderBy('seq')
        .limit(4_000)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) break;
      const found: (SeqRange | null)[] = [];
      for (const row of rows) {
        const known =
          row.first_sample === null || row.samples === null ? null : { from: row.first_sample, to: row.first_sample + row.samples - 1 };
        found.push(known ?? (await samplesAt(db, recordingId, row.seq)));
      }
      ranges = normalize([...ranges, ...found.filter((range) => range !== null)]);
      fromSeq = last.seq + 1;
      await pace.step();
    }
  }
  return ranges;
}

function samplesIn(message: Uint8Array): SeqRange | null {
  const decoded = decodeMessage(message);
  if (!decoded.ok || !('firstSample' in decoded.value)) return null;
  const { firstSample } = decoded.value;
  return { from: firstSample, to: firstSample + readingsOf(decoded.value) - 1 };
}
