/**
 * The day partitions of `chunk` on MySQL. A recording id is a UUIDv7: its first 48 bits are the milliseconds of its start, so
 * the identity itself is the partition key, and a day can be dropped whole. What a gateway with a wrong clock sends lands in
 * p_unset_clock (before the first day) or p_future (after the last); neither is ever dropped by schedule.
 */
export type DayPartition = { readonly name: string; readonly lessThan: string };

const partitionLimits = { daysBack: 8, daysAhead: 7 } as const;
const unsetClockPartition = 'p_unset_clock';
export const futurePartition = 'p_future';

const DAY_US = 86_400_000_000;

/** Partitions from a few days ago to a week ahead, without the last one that takes the rest. */
export function dayPartitions(nowUs: number): DayPartition[] {
  const first = dayOf(nowUs) - partitionLimits.daysBack;
  return [{ name: unsetClockPartition, lessThan: dayBound(first) }, ...days(first, dayOf(nowUs) + partitionLimits.daysAhead)];
}

/** The days to split off p_future so that a week ahead exists again; `existing` are the names there are. */
export function missingPartitions(existing: readonly string[], nowUs: number): DayPartition[] {
  const newest = existing
    .filter((name) => /^p_\d{8}$/.test(name))
    .sort()
    .at(-1);
  if (newest === undefined) return []; // not a table of ours
  return days(dayOf(dateOf(newest) * 1000) + 1, dayOf(nowUs) + partitionLimits.daysAhead);
}

export function partitionList(days: readonly DayPartition[]): string {
  return [
    ...days.map(({ name, lessThan }) => `PARTITION ${name} VALUES LESS THAN (x'${lessThan}')`),
    `PARTITION ${futurePartition} VALUES LESS THAN (MAXVALUE)`,
  ].join(', ');
}

function days(first: number, last: number): DayPartition[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_item, index) => ({
    name: dayName(first + index),
    lessThan: dayBound(first + index + 1),
  }));
}

function dayOf(us: number): number {
  return Math.floor(us / DAY_US);
}

function dateOf(name: string): number {
  return Date.UTC(Number(name.slice(2, 6)), Number(name.slice(6, 8)) - 1, Number(name.slice(8, 10)));
}

function dayName(day: number): string {
  return `p_${new Date(day * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

// The smallest UUID of a day: its first millisecond, then zeros.
function dayBound(day: number): string {
  return (day * 86_400_000).toString(16).padStart(12, '0').padEnd(32, '0');
}
