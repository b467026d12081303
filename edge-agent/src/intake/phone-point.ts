import { createHash, createHmac } from 'node:crypto';
import type { ClockState } from '@vitalwire/contract';
import { parsePhoneDate } from './phone-date.ts';

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

export type PhonePoint = {
  readonly atUs: number;
  readonly bpm: number;
  readonly minBpm: number | null;
  readonly maxBpm: number | null;
  readonly source: string; // as the phone wrote it: it may hold the owner's name
  readonly isMidnight: boolean;
  readonly isTrimmed: boolean; // a minimum or maximum that is no heart rate was left out
};

/** Instants that are taken: outside lies what a phone's calendar or clock got wrong. */
export type DateBounds = { readonly earliestUs: number; readonly latestUs: number };

const DAY_US = 86_400_000_000;
const EARLIEST_US = Date.UTC(2000, 0, 1) * 1000;
const LATEST_US = Date.UTC(2100, 0, 1) * 1000;
const WRITTEN_US = Date.UTC(2026, 0, 1) * 1000; // a gateway whose clock says less has lost it
const LEAST_BPM = 20;
const MOST_BPM = 300;
const rates = new Set([
  '',
  'count',
  'bpm',
  'count/min',
  'counts/min',
  'beat/min',
  'beats/min',
  'beats/minute',
  'beatsperminute',
  '1/min',
  '/min',
  'min-1',
]);

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
  if (!isHeartRateUnit(fields['units'])) return 'unknown-unit';
  const bpm = fields['Avg'] ?? fields['avg'] ?? fields['qty'];
  const min = fields['Min'] ?? fields['min'] ?? null;
  const max = fields['Max'] ?? fields['max'] ?? null;
  if (!isNumber(bpm) || !(min === null || isNumber(min)) || !(max === null || isNumber(max))) return 'no-number';
  const problem = problemOf(bpm);
  if (problem !== null) return problem;
  // A minimum or maximum that is no heart rate does not make the mean beside it one.
  const minBpm = min === null || problemOf(min) !== null ? null : min;
  const maxBpm = max === null || problemOf(max) !== null ? null : max;
  if ((minBpm ?? bpm) > (maxBpm ?? bpm)) return 'min-above-max';
  const source = typeof fields['source'] === 'string' ? fields['source'] : '';
  return { ...atUs, bpm, minBpm, maxBpm, source, isTrimmed: minBpm !== min || maxBpm !== max };
}

export function readDate(value: unknown, { earliestUs, latestUs }: DateBounds): { atUs: number; isMidnight: boolean } | PointProblem {
  if (value === undefined || value === null || value === '') return 'no-date';
  const date = parsePhoneDate(value);
  if (date === null) return 'unreadable-date';
  return date.atUs < earliestUs || date.atUs > latestUs ? 'impossible-date' : date;
}

/** Why a number is no heart rate: 0 and 255 are what sensors send without contact to the skin. */
export function problemOf(bpm: number): 'not-a-reading' | 'out-of-range' | null {
  if (bpm === 0 || bpm === 255) return 'not-a-reading';
  return bpm >= LEAST_BPM && bpm <= MOST_BPM ? null : 'out-of-range';
}

/** Units under which a number is beats per minute; absent ones count, as the metric's name says what it is. */
export function isHeartRateUnit(units: unknown): boolean {
  if (units === undefined || units === null) return true;
  return typeof units === 'string' && rates.has(units.toLowerCase().replaceAll(/[\s\\]/g, ''));
}

/** `heart_rate`, `Heart Rate` and `heartRate` are one metric. */
export function isHeartRateName(name: string): boolean {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '') === 'heartrate';
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
