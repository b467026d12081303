import { type DataStream, isNumeric, type LedgerSpan, numericFacts } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { ledgerOf } from './ledger.ts';
import { extentOf, type Recording } from './recordings.ts';
import type { StoredSeqsReader } from './stored-seqs.ts';
import { type Accounted, type Timeline, timelineOf } from './timeline.ts';

/** When a device of one gateway was (or is) somebody's; null = without a bound, or while nobody knows whose the device is. */
export type Wearing = {
  readonly device: string;
  readonly gateway: string | null;
  readonly fromUs: number | null;
  readonly toUs: number | null;
};

export type AccountedLedger = Accounted & {
  readonly ledger: Awaited<ReturnType<typeof ledgerOf>>;
  readonly beginsUs: number;
  readonly endsUs: number;
};

export async function account(db: Kysely<ReadingsTables>, seqs: StoredSeqsReader, recording: Recording): Promise<AccountedLedger> {
  const stored = await seqs.read(recording.recordingId);
  const extent = await extentOf(db, recording, stored);
  const ledger = await ledgerOf(db, recording, stored);
  const beginsUs = extent?.startedAtUs ?? recording.start?.measuredAtUs ?? recording.firstMeasuredAtUs;
  return {
    recording,
    ledger,
    account: ledger,
    stored,
    beginsUs,
    endsUs: Math.max(extent?.endedAtUs ?? beginsUs, recording.end?.measuredAtUs ?? beginsUs),
  };
}

export async function overlaps(
  db: Kysely<ReadingsTables>,
  seqs: StoredSeqsReader,
  recording: Recording,
  { fromUs, toUs }: Wearing,
): Promise<boolean> {
  const extent = await extentOf(db, recording, await seqs.read(recording.recordingId));
  const begins = extent?.startedAtUs ?? recording.start?.measuredAtUs ?? recording.firstMeasuredAtUs;
  const ends = Math.max(extent?.endedAtUs ?? begins, recording.end?.measuredAtUs ?? begins);
  return (toUs === null || begins < toUs) && (fromUs === null || ends >= fromUs);
}

/** The spans of every device and stream over its time; a bound that was not given is where the recordings begin or end. */
export async function spansOver(
  db: Kysely<ReadingsTables>,
  wearings: readonly Wearing[],
  all: readonly AccountedLedger[],
): Promise<Timeline> {
  const spans: LedgerSpan[] = [];
  const clockSteps: Timeline['clockSteps'] = [];
  for (const { device, gateway, fromUs, toUs } of wearings) {
    const own = all.filter(({ recording }) => recording.device === device && (gateway === null || recording.gateway === gateway));
    const begin = fromUs ?? own.reduce((least, { beginsUs }) => Math.min(least, beginsUs), Number.POSITIVE_INFINITY);
    const end = toUs ?? own.reduce((most, { endsUs }) => Math.max(most, endsUs), Number.NEGATIVE_INFINITY);
    if (!Number.isFinite(begin) || !Number.isFinite(end) || end <= begin) continue;
    const found = new Set(own.map(({ recording }) => recording.stream).filter(isContinuous));
    // Nothing at all was recorded: that, too, is an answer.
    for (const stream of own.length === 0 ? (['eeg'] as const) : found) {
      const recordings = own.filter(({ recording }) => recording.stream === stream);
      const line = await timelineOf(db, { device, gateway, stream, recordings }, begin, end);
      spans.push(...line.spans);
      clockSteps.push(...line.clockSteps);
    }
  }
  return { spans, clockSteps };
}

// Events, quality values and vitals that are measured now and then come when they come: a time without them says nothing.
function isContinuous(stream: DataStream): boolean {
  return stream === 'eeg' || (isNumeric(stream) && !numericFacts(stream).isSpot);
}
