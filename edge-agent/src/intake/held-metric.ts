import type { PointProblem } from './phone-point.ts';
import type { PointColumns } from './point-columns.ts';

/** What was read of a metric so far: its name may come behind its points. */
export type Metric = {
  readonly columns: Map<string, PointColumns>; // by part
  readonly rejected: Map<PointProblem, number>;
  name: unknown; // NONE until it was seen: it may come behind the points
  units: unknown;
  isDataOdd: boolean;
  points: number;
  held: number; // numbers in the columns
};
export const NONE = Symbol('not seen');
const MAX_NAME = 200;

export function newMetric(): Metric {
  return { columns: new Map(), rejected: new Map(), name: NONE, units: null, isDataOdd: false, points: 0, held: 0 };
}

export function noteRejected(metric: Metric, problem: PointProblem, points: number): void {
  metric.rejected.set(problem, (metric.rejected.get(problem) ?? 0) + points);
}

/** Why a metric cannot be read at all. */
export function oddity({ name, units, isDataOdd }: Metric): string | null {
  if (typeof name !== 'string' || name.trim() === '') return 'no-name';
  if (name.length > MAX_NAME) return 'name-too-long';
  if (units !== null && typeof units !== 'string') return 'units-are-no-text';
  return isDataOdd ? 'data-is-no-list' : null;
}
