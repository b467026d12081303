import type { Rate } from '@vitalwire/contract';
import { parseDecimal, rateOf, toMicros } from '../decimal.ts';

/** A time of a row: µs, since the start for seconds, since 1970 for date and time (read without a zone, as files of recordings are). */
export type RowTime = { readonly us: number; readonly resolutionUs: number; readonly absolute: boolean };

/** Seconds larger than this are counted from 1970. */
const UNIX_FROM_S = 100_000_000;

export function parseTime(text: string): RowTime | null {
  const iso = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?Z?$/.exec(text);
  if (iso !== null) {
    const [, day = '', clock = '', fraction = ''] = iso;
    const ms = Date.parse(`${day}T${clock}Z`);
    if (Number.isNaN(ms)) return null;
    return { us: ms * 1000 + Math.round(Number(`0.${fraction || '0'}`) * 1e6), resolutionUs: resolution(fraction.length), absolute: true };
  }
  const decimal = parseDecimal(text.replace(',', '.'));
  const us = decimal === null ? null : toMicros(decimal);
  if (decimal === null || us === null) return null;
  return { us, resolutionUs: resolution(decimal.scale), absolute: us >= UNIX_FROM_S * 1e6 };
}

function resolution(decimals: number): number {
  return Math.max(1, 10 ** (6 - decimals));
}

/** The simplest rate that `steps` steps in `spanUs` can mean, given how finely the times are written; of equally simple ones the closest. */
export function simplestRate(steps: number, spanUs: number, resolutionUs: number): Rate {
  const slack = Math.min(resolutionUs, spanUs / 4);
  const { den } = simplestBetween((steps * 1e6) / (spanUs + slack), (steps * 1e6) / (spanUs - slack));
  const { rate } = rateOf(BigInt(Math.max(1, Math.round((steps * den * 1e6) / spanUs))), BigInt(den));
  return rate;
}

/** The fraction with the smallest denominator in a closed interval of positive numbers (walk of the Stern-Brocot tree by continued fractions). */
function simplestBetween(low: number, high: number): Rate {
  const whole = Math.floor(low);
  if (whole >= low) return { num: whole, den: 1 };
  if (whole + 1 <= high) return { num: whole + 1, den: 1 };
  const { num, den } = simplestBetween(1 / (high - whole), 1 / (low - whole));
  return { num: whole * num + den, den: num };
}
