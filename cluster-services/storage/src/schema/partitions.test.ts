import { expect, test } from 'vitest';
import { dayPartitions, missingPartitions, partitionList } from './partitions.ts';

const nowUs = Date.UTC(2026, 10, 22, 13) * 1000;

test('there is a partition for every day from a week ago to a week ahead, bounded by the first UUID of the next day', () => {
  const days = dayPartitions(nowUs);
  expect(days[0]).toEqual({ name: 'p_unset_clock', lessThan: boundOf(Date.UTC(2026, 10, 14)) });
  expect(days[1]?.name).toBe('p_20261114');
  expect(days.at(-1)).toEqual({ name: 'p_20261129', lessThan: boundOf(Date.UTC(2026, 10, 30)) });
  expect(partitionList(days.slice(0, 1))).toMatch(
    /^PARTITION p_unset_clock VALUES LESS THAN \(x'[0-9a-f]{32}'\), PARTITION p_future VALUES LESS THAN \(MAXVALUE\)$/,
  );
});

test('only the days after the newest there is are made', () => {
  const existing = [...dayPartitions(nowUs).map(({ name }) => name), 'p_future'];
  expect(missingPartitions(existing, nowUs)).toEqual([]);
  expect(missingPartitions(existing, nowUs + 2 * 86_400_000_000).map(({ name }) => name)).toEqual(['p_20261130', 'p_20261201']);
});

test('after a long absence the days between are not left out', () => {
  const existing = [...dayPartitions(nowUs).map(({ name }) => name), 'p_future'];
  const later = missingPartitions(existing, nowUs + 30 * 86_400_000_000).map(({ name }) => name);
  expect(later[0]).toBe('p_20261130');
  expect(later.at(-1)).toBe('p_20261229');
  expect(later).toHaveLength(30);
});

function boundOf(ms: number): string {
  return ms.toString(16).padStart(12, '0').padEnd(32, '0');
}
