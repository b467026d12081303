import { createHash, createHmac } from 'node:crypto';
import { type ClockState, type Conversion, type NumericStream, noReadingReason, type PhoneMetric } from '@vitalwire/contract';
import { parsePhoneDate } from './phone-date.ts';
import { type PhoneVital, partNames } from './phone-vitals.ts';

/** Why a point was not taken. Counted and answered, never with its content. */
export type PointProblem =
  | 'not-an-object'
  | 'too-long'
  | 'no-date'
  | 'unreadable-date'
  | 'impossible-date'
  | 'no-number'
  | 'not-a-reading'
  | 'out-of-range'
  | 'min-above-max'
  | 'unknown-unit';

/** What a point says, before it is known of what: numbers as they stand there, by part; '' = it has one alone. */
export type PhonePoint = {
  readonly atUs: number;
  readonly numbers: readonly PointNumber[];
  readonly units: string; // of the point itself; '' = it says none
  readonly source: string; // as the phone wrote it: it may hold the owner's name
  readonly isMidnight: boolean;
};
export type PointNumber = { readonly part: string; readonly value: number; readonly least: number | null; readonly most: number | null };

/** Instants that are taken: outside lies what a phone's calendar or clock got wrong. */
export type DateBounds = { readonly earliestUs: number; readonly latestUs: number };

const DAY_US = 86_400_000_000;
const EARLIEST_US = Date.UTC(2000, 0, 1) * 1000;
const LATEST_US = Date.UTC(2100, 0, 1) * 1000;
const WRITTEN_US = Date.UTC(2026, 0, 1) * 1000; // a gateway whose clock says less has lost it
/** Nothing can have been measured more than a day after now; a clock that is plainly wrong itself judges nobody. */
export function phoneBounds(nowUs: number, { offsetUs }: ClockState): DateBounds {
  const bestUs = nowUs + offsetUs;
  return { earliestUs: EARLIEST_US, latestUs: bestUs < WRITTEN_US ? LATEST_US : Math.min(LATEST_US, bestUs + DAY_US) };
}

export function readPoint(raw: unknown, bounds: DateBounds): PhonePoint | PointProblem {
  if (raw === undefined) return 'too-long';
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return 'not-an-object';
  const fields: Record<string, unknown> = { ...raw };
  const atUs = readDate(fields['date'], bounds);
  if (typeof atUs === 'string') return atUs;
  const numbers = numbersIn(fields);
  if (numbers === null) return 'no-number';
  const units = fields['units'] ?? '';
  if (typeof units !== 'string') return 'unknown-unit';
  const source = typeof fields['source'] === 'string' ? fields['source'] : '';
  return { ...atUs, numbers, units, source };
}

function numbersIn(fields: Record<string, unknown>): PointNumber[] | null {
  const parts = partNames.filter((part) => fields[part] !== undefined);
  if (parts.length > 0) {
    const numbers = parts.flatMap((part) => {
      const value = fields[part];
      return isNumber(value) ? [{ part, value, least: null, most: null }] : [];
    });
    return numbers.length === parts.length ? numbers : null;
  }
  const value = fields['Avg'] ?? fields['avg'] ?? fields['qty'];
  const least = fields['Min'] ?? fields['min'] ?? null;
  const most = fields['Max'] ?? fields['max'] ?? null;
  if (!isNumber(value) || !(least === null || isNumber(least)) || !(most === null || isNumber(most))) return null;
  return [{ part: '', value, least, most }];
}

/** A number of a phone in the vital's unit, or why it is no reading. `isTrimmed`: a minimum or maximum that is none was left out. */
export function judged(
  { stream, phone }: PhoneVital,
  { plus, times }: Conversion,
  { value, least, most }: Omit<PointNumber, 'part'>,
): { readonly value: number; readonly least: number | null; readonly most: number | null; readonly isTrimmed: boolean } | PointProblem {
  const converted = (one: number): number => (one + plus) * times;
  const problem = problemOf(stream, phone, converted(value));
  if (problem !== null) return problem;
  // A minimum or maximum that is no reading does not make the mean beside it one.
  const orNull = (one: number | null): number | null =>
    one === null || problemOf(stream, phone, converted(one)) !== null ? null : converted(one);
  const [mean, low, high] = [converted(value), orNull(least), orNull(most)];
  if ((low ?? mean) > (high ?? mean)) return 'min-above-max';
  return { value: mean, least: low, most: high, isTrimmed: (low === null) !== (least === null) || (high === null) !== (most === null) };
}

export function readDate(value: unknown, { earliestUs, latestUs }: DateBounds): { atUs: number; isMidnight: boolean } | PointProblem {
  if (value === undefined || value === null || value === '') return 'no-date';
  const date = parsePhoneDate(value);
  if (date === null) return 'unreadable-date';
  return date.atUs < earliestUs || date.atUs > latestUs ? 'impossible-date' : date;
}

/** Why a number, in the vital's unit, is no reading of it: sensors without contact to the skin send codes. */
export function problemOf(stream: NumericStream, { least, most }: PhoneMetric, value: number): PointProblem | null {
  return noReadingReason(stream, value) ?? (value >= least && value <= most ? null : 'out-of-range');
}

/** 48 bits that stand for the values: enough to tell a corrected point from a repeated one. */
export function digestOf(...values: readonly (number | string | null)[]): number {
  return createHash('sha256').update(values.join(' ')).digest().readUIntBE(0, 6);
}

/** What a source is called outside the phone: the same for the same devices in any order, and no way back to the name. */
export function sourceId(source: string, key: string): string {
  const devices = [...new Set(source.split('|').map((one) => one.trim()))].filter((one) => one !== '').sort();
  return devices.length === 0 ? '' : createHmac('sha256', key).update(devices.join('|')).digest('hex').slice(0, 8);
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
