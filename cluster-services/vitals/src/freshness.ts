import type { NumericStream } from '@vitalwire/contract';
import { type FreshnessLimits, rulesOf } from './numeric-rules.ts';

declare const ageBrand: unique symbol;
/** An age in milliseconds. Only the functions here make one, so that seconds or microseconds can never be shown as if they were. */
export type AgeMs = number & { readonly [ageBrand]: true };

/** When a value was measured and when the cluster received it: all a screen needs to tell its age. */
export type Stamp = {
  readonly measuredAtUs: number; // the gateway's clock, at the end of what was measured
  readonly clockOffsetUs: number | null; // cluster clock minus gateway clock; null = never measured
  readonly receivedAtUs: number; // the cluster's clock
};

/**
 * How old a value is on the receiver's clock, in ms; null when that cannot be known.
 * Nothing can be measured after it was received, so a wrong gateway clock can never make a value look younger than its arrival.
 * Without a measured offset there is no honest age: a backlog and a slow clock look the same.
 */
export function ageMs(stamp: Stamp, nowUs: number): AgeMs | null {
  if (stamp.clockOffsetUs === null) return null;
  const measuredUs = Math.min(stamp.measuredAtUs + stamp.clockOffsetUs, stamp.receivedAtUs);
  return ageSince(measuredUs, nowUs);
}

/** How long ago a moment was, both in µs on one clock. */
export function ageSince(fromUs: number, nowUs: number): AgeMs {
  return durationMs(Math.max(0, nowUs - fromUs) / 1000);
}

/** A length of time that is shown as ages are. */
export function durationMs(ms: number): AgeMs {
  return ms as AgeMs;
}

export type FreshnessKind = 'eeg' | NumericStream;

/** fresh: shown plainly. grey: shown, greyed. overdue: grey and a technical condition. hidden: `--`. unknown: no honest age, treated as grey. */
export type Freshness = 'fresh' | 'grey' | 'overdue' | 'hidden' | 'unknown';

/** (n) For EEG; each numeric vital has its own in its rules. */
const eegFreshness: FreshnessLimits = { grey: 3_000, overdue: 10_000, hidden: 60_000 };

export function freshnessOf(kind: FreshnessKind, age: AgeMs | null): Freshness {
  if (age === null) return 'unknown';
  const limits = kind === 'eeg' ? eegFreshness : rulesOf(kind).freshness;
  if (age >= limits.hidden) return 'hidden';
  if (age >= limits.overdue) return 'overdue';
  return age >= limits.grey ? 'grey' : 'fresh';
}

/** An age in at most six characters: `<1 s`, `12 s`, `3 min`, `2 h`, `4 d`; unknown is `?`. Rounded down; it never says "now". */
export function formatAge(age: AgeMs | null): string {
  if (age === null) return '?';
  const seconds = Math.floor(Math.max(0, age) / 1000);
  if (seconds < 1) return '<1 s';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
