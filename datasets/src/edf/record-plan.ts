import type { Rate } from '@vitalwire/contract';
import { DatasetError } from '../dataset-error.ts';
import { type Decimal, decimalText, gcd, parseDecimal, toNumber } from '../decimal.ts';
import type { SignalGroup } from '../signal-source.ts';

/** How a source is cut into data records of one length. */
export type RecordPlan = {
  readonly duration: Decimal; // seconds
  readonly samplesPerRecord: readonly number[]; // of each group
  readonly runs: readonly PlannedRun[];
};

export type PlannedRun = {
  readonly onsetUs: number;
  readonly records: number;
  readonly paddingFromUs: number | null; // the last record is filled up from here on
};

/** Lengths that people and programs like, the best first. */
const likedSeconds = [
  '1',
  '0.5',
  '2',
  '0.25',
  '4',
  '5',
  '0.2',
  '0.1',
  '10',
  '0.125',
  '8',
  '20',
  '30',
  '60',
  '0.05',
  '0.04',
  '0.02',
  '0.01',
];

/** EDFlib, and with it EDFbrowser and pyEDFlib, opens no file with larger records. */
const MAX_RECORD_BYTES = 10 * 1024 * 1024;

const MAX_RECORDS = 99_999_999;
const FIELD_CHARS = 8;

/** Finds a record length in which every group has a whole number of samples; one that needs no filling up is best. */
export function planRecords(name: string, groups: readonly SignalGroup[], sampleBytes: number): RecordPlan {
  const candidates = [...likedSeconds, ...wholeSeconds(groups.map(({ rate }) => rate))];
  let best: RecordPlan | null = null;
  let why = 'no length of a data record holds whole samples of all rates';
  for (const text of candidates) {
    const duration = parseDecimal(text);
    const perRecord = duration === null ? null : samplesIn(duration, groups);
    if (duration === null || perRecord === null || decimalText(duration).length > FIELD_CHARS) continue;
    const bytes = groups.reduce((sum, { channels }, index) => sum + channels.length * (perRecord[index] ?? 0) * sampleBytes, 0);
    if (bytes > MAX_RECORD_BYTES) {
      why = `data records of ${text} s have ${bytes} bytes, more than ${MAX_RECORD_BYTES}`;
      continue;
    }
    const runs = runsOf(groups, duration, perRecord);
    if (typeof runs === 'string') {
      why = runs;
      continue;
    }
    const plan = { duration, samplesPerRecord: perRecord, runs };
    if (runs.every(({ paddingFromUs }) => paddingFromUs === null)) return plan;
    best ??= plan;
  }
  if (best === null) throw new DatasetError('UNWRITABLE', `${name} as EDF or BDF: ${why}`);
  return best;
}

/** The shortest whole number of seconds in which all rates have whole samples, and a few of its multiples. */
function wholeSeconds(rates: readonly Rate[]): string[] {
  let seconds = 1n;
  for (const { den } of rates) seconds = (seconds * BigInt(den)) / gcd(seconds, BigInt(den));
  return [1n, 2n, 5n, 10n].map((times) => String(seconds * times));
}

function samplesIn({ units, scale }: Decimal, groups: readonly SignalGroup[]): number[] | null {
  const counts: number[] = [];
  for (const { rate } of groups) {
    const [above, below] = [BigInt(rate.num) * units, BigInt(rate.den) * 10n ** BigInt(scale)];
    if (above % below !== 0n) return null;
    const count = Number(above / below);
    if (count < 1 || count > 99_999_999) return null;
    counts.push(count);
  }
  return counts;
}

/** The stretches as runs of records, or why they cannot be. */
function runsOf(groups: readonly SignalGroup[], duration: Decimal, perRecord: readonly number[]): PlannedRun[] | string {
  const recordUs = toNumber(duration) * 1e6;
  const [leading] = groups;
  const runs: PlannedRun[] = [];
  let records = 0;
  for (const [index, { onsetUs }] of (leading?.stretches ?? []).entries()) {
    const stretches = groups.map((group) => group.stretches[index]);
    const counts = groups.map((group, at) => ({ samples: group.stretches[index]?.samples ?? 0, perRecord: perRecord[at] ?? 1 }));
    const apart = stretches.some((one, at) => one === undefined || Math.abs(one.onsetUs - onsetUs) > recordUs / (perRecord[at] ?? 1) / 2);
    if (apart || groups.some((group) => group.stretches.length !== leading?.stretches.length))
      return 'its groups are interrupted at different times';
    const needed = Math.max(...counts.map((one) => Math.ceil(one.samples / one.perRecord)));
    const endUs = onsetUs + needed * recordUs;
    const next = leading?.stretches[index + 1];
    if (next !== undefined && next.onsetUs < endUs - recordUs / Math.max(...perRecord) / 2)
      return 'a gap is shorter than the record that would be filled up before it';
    const padding = paddingOf(counts, needed, endUs, recordUs);
    if (padding === 'apart') return 'its groups end at different times';
    runs.push({ onsetUs, records: needed, paddingFromUs: padding });
    records += needed;
  }
  if (records > MAX_RECORDS) return `there would be ${records} data records, more than ${MAX_RECORDS}`;
  return runs;
}

/** A time from which on exactly the missing samples of every group lie, or null when none is missing. */
function paddingOf(
  counts: readonly { samples: number; perRecord: number }[],
  records: number,
  endUs: number,
  recordUs: number,
): number | null | 'apart' {
  let [low, high] = [endUs - recordUs, endUs];
  let missing = false;
  for (const { samples, perRecord } of counts) {
    const pad = records * perRecord - samples;
    if (pad > perRecord) return 'apart';
    missing ||= pad > 0;
    const stepUs = recordUs / perRecord;
    low = Math.max(low, endUs - (pad + 0.5) * stepUs);
    high = Math.min(high, endUs - (pad - 0.5) * stepUs);
  }
  if (!missing) return null;
  const middle = Math.round((low + high) / 2);
  return middle > low && middle < high ? middle : 'apart';
}
