import type { Conversion } from '@vitalwire/contract';
import { conversionOf, isSameConversion } from './phone-metrics.ts';
import type { PhonePoint, PointProblem } from './phone-point.ts';
import type { PointColumns } from './point-columns.ts';

/** What was read of a metric so far: its name may come behind its points. */
export type Metric = {
  readonly columns: Map<string, PointColumns>; // by part
  readonly rejected: Map<PointProblem, number>;
  name: unknown; // NONE until it was seen: it may come behind the points
  units: unknown;
  pointUnits: Conversion | null; // what the first point says that says a unit of its own
  isDataOdd: boolean;
  points: number;
};
export const NONE = Symbol('not seen');
const MAX_NAME = 200;

export function newMetric(): Metric {
  return { columns: new Map(), rejected: new Map(), name: NONE, units: null, pointUnits: null, isDataOdd: false, points: 0 };
}

export function heldBy({ columns }: Metric): number {
  return [...columns.values()].reduce((sum, { length }) => sum + length, 0);
}

export function count(metric: Metric, problem: PointProblem, times: number): void {
  metric.rejected.set(problem, (metric.rejected.get(problem) ?? 0) + times);
}

/** Whether the unit a point says of itself, if any, is known, and the same as that of the points before it. */
export function hasUnitOf(metric: Metric, { units }: PhonePoint): boolean {
  if (units === undefined || units === null) return true;
  const conversion = conversionOf(units);
  if (conversion === null) return false;
  metric.pointUnits ??= conversion;
  return isSameConversion(metric.pointUnits, conversion);
}

/** Why a metric cannot be read at all. */
export function oddity({ name, units, isDataOdd }: Metric): string | null {
  if (typeof name !== 'string' || name.trim() === '') return 'no-name';
  if (name.length > MAX_NAME) return 'name-too-long';
  if (units !== null && typeof units !== 'string') return 'units-are-no-text';
  return isDataOdd ? 'data-is-no-list' : null;
}
