import { createHash } from 'node:crypto';
import type { HealthAutoExport, HeartRateReading } from '@vitalwire/contract';
import { parsePhoneDate } from './phone-date.ts';

/** Why a point was not taken. Counted and answered, never with its content. */
export type PointProblem = 'not-an-object' | 'no-date' | 'unreadable-date' | 'no-number' | 'out-of-range' | 'min-above-max';

export type PhonePoint = HeartRateReading & { readonly digest: number };

export type PhoneExport = {
  readonly points: readonly PhonePoint[]; // ascending, each instant once: the last of equal ones wins, as in a later post
  readonly repeatedInside: number;
  readonly rejected: Readonly<Partial<Record<PointProblem, number>>>;
  readonly ignoredMetrics: number; // metrics that are not heart rate
  readonly ignoredPoints: number;
};

export const heartRateMetric = 'heart_rate';
const units = new Set(['count/min', 'bpm', 'count', '']);
const LEAST_BPM = 20;
const MOST_BPM = 300;

/**
 * Takes the heart-rate points out of an export of the phone app. Metrics come in no fixed order, a name may appear twice, points come
 * with their keys in any order. `source` is not even looked at: it holds the owner's name.
 */
export function readPhoneExport(body: HealthAutoExport): PhoneExport {
  const byInstant = new Map<number, PhonePoint>();
  const rejected: Partial<Record<PointProblem, number>> = {};
  let repeatedInside = 0;
  let ignoredMetrics = 0;
  let ignoredPoints = 0;
  for (const metric of body.data.metrics ?? []) {
    const points = metric.data ?? [];
    if (metric.name !== heartRateMetric || !units.has(metric.units ?? '')) {
      ignoredMetrics += 1;
      ignoredPoints += points.length;
      continue;
    }
    for (const raw of points) {
      const point = readPoint(raw);
      if (typeof point === 'string') {
        rejected[point] = (rejected[point] ?? 0) + 1;
        continue;
      }
      if (byInstant.has(point.atUs)) repeatedInside += 1;
      byInstant.set(point.atUs, point);
    }
  }
  const points = [...byInstant.values()].sort((a, b) => a.atUs - b.atUs);
  return { points, repeatedInside, rejected, ignoredMetrics, ignoredPoints };
}

function readPoint(raw: unknown): PhonePoint | PointProblem {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return 'not-an-object';
  const fields: Record<string, unknown> = { ...raw };
  const date = fields['date'];
  if (typeof date !== 'string') return 'no-date';
  const atUs = parsePhoneDate(date);
  if (atUs === null) return 'unreadable-date';
  const bpm = fields['Avg'] ?? fields['avg'] ?? fields['qty'];
  const minBpm = fields['Min'] ?? fields['min'] ?? null;
  const maxBpm = fields['Max'] ?? fields['max'] ?? null;
  if (!isNumber(bpm) || !(minBpm === null || isNumber(minBpm)) || !(maxBpm === null || isNumber(maxBpm))) return 'no-number';
  if (![bpm, minBpm ?? bpm, maxBpm ?? bpm].every((value) => value >= LEAST_BPM && value <= MOST_BPM)) return 'out-of-range';
  if ((minBpm ?? bpm) > (maxBpm ?? bpm)) return 'min-above-max';
  return { atUs, bpm, minBpm, maxBpm, digest: digestOf(bpm, minBpm, maxBpm) };
}

/** 48 bits that stand for the values: enough to tell a corrected point from a repeated one. */
function digestOf(bpm: number, minBpm: number | null, maxBpm: number | null): number {
  return createHash('sha256').update(`${bpm} ${minBpm} ${maxBpm}`).digest().readUIntBE(0, 6);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
