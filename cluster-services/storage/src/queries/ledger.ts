import { derivedId, type GapReason, type LedgerOfRecording, type LedgerSpan } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { idBytes, type Recording, readMessages } from './recordings.ts';
import { countOf, intersect, normalize, type SeqRange, subtract, union } from './seq-ranges.ts';
import type { StoredSeqs } from './stored-seqs.ts';

export type DeclaredLoss = { readonly range: SeqRange; readonly reason: GapReason };

/** What is known about the seqs of a recording, before it is weighed. */
export type LedgerFacts = {
  readonly stored: readonly SeqRange[];
  readonly quarantined: readonly SeqRange[];
  readonly declared: readonly { readonly fromSeq: number; readonly toSeq: number | null; readonly reason: GapReason }[];
  readonly lastSeq: number | null; // as the end record says; null while the recording is open
};

export type SeqAccount = Pick<LedgerOfRecording, 'state' | 'stored' | 'quarantined' | 'missing'> & {
  readonly declaredLost: DeclaredLoss[];
};

/**
 * Every seq of a recording is exactly one of stored, quarantined, declared lost or missing, and the first of these that holds wins:
 * what arrived after all beats a declared loss. Without an end record a recording is open, never complete.
 */
export function accountFor(facts: LedgerFacts): SeqAccount {
  const stored = normalize(facts.stored);
  const quarantined = subtract(normalize(facts.quarantined), stored);
  const known = [...stored, ...quarantined, ...facts.declared.map(({ fromSeq, toSeq }) => ({ from: fromSeq, to: toSeq ?? fromSeq }))];
  const highest = known.reduce((most, { to }) => Math.max(most, to), -1);
  // A seq beyond the declared last one contradicts the end record; it is kept and shown.
  const last = Math.max(facts.lastSeq ?? highest, stored.at(-1)?.to ?? -1, quarantined.at(-1)?.to ?? -1);
  const expected = last < 0 ? [] : [{ from: 0, to: last }];
  let left = subtract(subtract(expected, stored), quarantined);
  const declaredLost: DeclaredLoss[] = [];
  for (const { fromSeq, toSeq, reason } of facts.declared) {
    const lost = intersect(left, [{ from: fromSeq, to: toSeq ?? last }]);
    declaredLost.push(...lost.map((range) => ({ range, reason })));
    left = subtract(left, lost);
  }
  const isWhole = left.length === 0 && declaredLost.length === 0 && quarantined.length === 0;
  return {
    state: facts.lastSeq === null ? 'open' : isWhole ? 'complete' : 'incomplete',
    stored,
    quarantined,
    declaredLost: declaredLost.toSorted((a, b) => a.range.from - b.range.from),
    missing: left,
  };
}

const ledgerLimits = { gapsPerRecording: 10_000, quarantinedPerRecording: 10_000 } as const;

/** The ledger of one recording. */
export async function ledgerOf(db: Kysely<ReadingsTables>, recording: Recording, stored: StoredSeqs): Promise<LedgerOfRecording> {
  const [quarantined, declared] = await Promise.all([quarantinedSeqs(db, recording), declaredLosses(db, recording)]);
  const account = accountFor({ stored: stored.ranges, quarantined, declared, lastSeq: recording.end?.lastSeq ?? null });
  return {
    recordingId: recording.recordingId,
    stream: recording.stream,
    ...account,
    samplesStored: stored.samples,
    chunksStored: stored.chunks,
  };
}

/** Totals over several recordings, each seq in exactly one of them. */
export function totalsOf(ledgers: readonly LedgerOfRecording[]) {
  const sum = (pick: (ledger: LedgerOfRecording) => number): number => ledgers.reduce((total, ledger) => total + pick(ledger), 0);
  return {
    recordings: ledgers.length,
    chunksStored: sum(({ chunksStored }) => chunksStored),
    samplesStored: sum(({ samplesStored }) => samplesStored),
    quarantined: sum(({ quarantined }) => countOf(quarantined)),
    declaredLost: sum(({ declaredLost }) => countOf(declaredLost.map(({ range }) => range))),
    missing: sum(({ missing }) => countOf(missing)),
  };
}

// Only what its own gateway sent: bytes of another sender under this recording's id say nothing about it.
async function quarantinedSeqs(db: Kysely<ReadingsTables>, recording: Recording): Promise<SeqRange[]> {
  const rows = await db
    .selectFrom('quarantine')
    .select('seq')
    .where('recording_id', '=', idBytes(recording.recordingId))
    .where('sender', '=', recording.gateway)
    .where('seq', 'is not', null)
    .limit(ledgerLimits.quarantinedPerRecording)
    .execute();
  return normalize(rows.flatMap(({ seq }) => (seq === null ? [] : [{ from: Number(seq), to: Number(seq) }])));
}

async function declaredLosses(db: Kysely<ReadingsTables>, recording: Recording): Promise<LedgerFacts['declared']> {
  const messages = await readMessages(db, derivedId(recording.recordingId, 'gap'), { fromSeq: 0, limit: ledgerLimits.gapsPerRecording });
  return messages.flatMap(({ message }) => {
    if (message.stream !== 'gap' || (message.fromSeq === null && message.toSeq === null)) return [];
    return [{ fromSeq: message.fromSeq ?? 0, toSeq: message.toSeq, reason: message.reason }];
  });
}

/** A stretch of time in which readings of one recording are stored, or known to be lost. */
export type Stretch = { readonly fromUs: number; readonly toUs: number };
export type Lost = Stretch & { readonly reason: NonNullable<LedgerSpan['reason']> | null };

/** What is known about the time line of one stream of one device. */
export type TimeFacts = {
  readonly recorded: readonly Stretch[];
  readonly lost: readonly Lost[]; // reasons for what is not recorded; an earlier one in the list wins
};

/**
 * Divides a time range into spans that are recorded, or not recorded because. They follow each other without a hole or an overlap;
 * the reason is null where nothing has said one.
 */
export function spansOf(facts: TimeFacts, fromUs: number, toUs: number): Pick<LedgerSpan, 'fromUs' | 'toUs' | 'state' | 'reason'>[] {
  if (toUs <= fromUs) return [];
  const recorded = clipped(facts.recorded, fromUs, toUs);
  // Half-open times as ranges of whole microseconds: the same set arithmetic as for seqs.
  const covered = union(
    [],
    recorded.map((stretch) => ({ from: stretch.fromUs, to: stretch.toUs - 1 })),
  );
  let open = subtract([{ from: fromUs, to: toUs - 1 }], covered);
  const parts = covered.map((range) => ({ range, state: 'recorded' as const, reason: null as LedgerSpan['reason'] }));
  const gone: { range: SeqRange; state: 'not-recorded'; reason: LedgerSpan['reason'] }[] = [];
  for (const { reason, ...stretch } of facts.lost) {
    if (reason === null) continue;
    const hit = intersect(
      open,
      clipped([stretch], fromUs, toUs).map((one) => ({ from: one.fromUs, to: one.toUs - 1 })),
    );
    gone.push(...hit.map((range) => ({ range, state: 'not-recorded' as const, reason })));
    open = subtract(open, hit);
  }
  gone.push(...open.map((range) => ({ range, state: 'not-recorded' as const, reason: null })));
  const spans: { fromUs: number; toUs: number; state: LedgerSpan['state']; reason: LedgerSpan['reason'] }[] = [];
  for (const { range, state, reason } of [...parts, ...gone].toSorted((a, b) => a.range.from - b.range.from)) {
    const last = spans.at(-1);
    if (last !== undefined && last.state === state && last.reason === reason) last.toUs = range.to + 1;
    else spans.push({ fromUs: range.from, toUs: range.to + 1, state, reason });
  }
  return spans;
}

function clipped(stretches: readonly Stretch[], fromUs: number, toUs: number): Stretch[] {
  return stretches
    .map((stretch) => ({ fromUs: Math.max(stretch.fromUs, fromUs), toUs: Math.min(stretch.toUs, toUs) }))
    .filter((stretch) => stretch.fromUs < stretch.toUs);
}
