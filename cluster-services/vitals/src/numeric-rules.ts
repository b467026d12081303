import type { NumericStream } from '@vitalwire/contract';
import { news2Pulse } from './news2-pulse.ts';

/** How long a shown value stays true, in ms of its age: from then on it is greyed, named overdue, hidden. The age itself is always shown. */
export type FreshnessLimits = { readonly grey: number; readonly overdue: number; readonly hidden: number };
/** Silence of a stream that should go on, in ms on the receiver's clock. */
export type SilenceLimits = { readonly silentMs: number; readonly urgentMs: number };

/** A component of NEWS2: alone it is never the score. */
export type News2Component = { readonly name: string; readonly points: (value: number) => 0 | 1 | 2 | 3 | null };

/** How a numeric vital is judged. Sources: (n) our notes from monitors' manuals; (t) to be tuned; (k) common practice, not verified. */
export type NumericRules = {
  readonly freshness: FreshnessLimits;
  readonly silence: SilenceLimits | null; // null: measured now and then, so nobody can miss the next
  readonly validationUs: number; // a limit must be broken for so long, on data time
  readonly staleUs: number; // a longer pause between two readings: what was being validated begins anew
  readonly news2: News2Component | null; // null = none is given
  readonly frozen: { readonly readings: number; readonly forUs: number } | null; // the same value so often and so long: the sensor repeats itself
};

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** (n) The table of stale data of our notes for a stream of readings. */
const streamed = {
  freshness: { grey: 15 * SECOND_MS, overdue: MINUTE_MS, hidden: 5 * MINUTE_MS },
  silence: { silentMs: MINUTE_MS, urgentMs: 5 * MINUTE_MS },
  staleUs: 60_000_000,
  news2: null,
} as const;

/** (n) Grey after 15 min, overdue after 30; (k) hidden after 12 h: a ward measures twice a day at least. One value breaks a limit. */
const spot = {
  freshness: { grey: 15 * MINUTE_MS, overdue: 30 * MINUTE_MS, hidden: 12 * HOUR_MS },
  silence: null,
  validationUs: 0,
  staleUs: 60_000_000,
  news2: null,
  frozen: null,
} as const;

export const numericRules = {
  'heart-rate': {
    ...streamed,
    validationUs: 6_000_000, // (n) with transport, alarms of the heart rate come within 10 s
    news2: { name: 'pulse', points: news2Pulse },
    frozen: { readings: 30, forUs: 300_000_000 }, // (t)
  },
  spo2: { ...streamed, validationUs: 10_000_000 /* (n) */, frozen: null /* a healthy patient's does not change for minutes */ },
  'respiratory-rate': { ...streamed, validationUs: 10_000_000 /* (k) */, frozen: null },
  'body-temperature': spot,
  'systolic-pressure': spot,
  'diastolic-pressure': spot,
  'heart-rate-variability': spot,
  'resting-heart-rate': spot,
} as const satisfies Record<NumericStream, NumericRules>;

/** How this vital is judged. */
export function rulesOf(stream: NumericStream): NumericRules {
  return numericRules[stream];
}
