import { readFileSync } from 'node:fs';
import { HealthAutoExport } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { readPhoneExport } from './health-auto-export.ts';

test('the real payload gives its 592 heart-rate points, though 26 other metrics come first or beside', () => {
  const found = read(file('hae-metrics-2024-03-13_15.json'));
  expect(found.points).toHaveLength(592);
  expect(found.rejected).toEqual({});
  expect(found.ignoredMetrics).toBe(26);
  expect(found.points[0]?.atUs).toBeLessThan(found.points.at(-1)?.atUs ?? 0);
  expect(JSON.stringify(found)).not.toMatch(/Owner|Watch/);
});

test.each([
  ['hae-heart-rate-small.json', 25],
  ['hae-v1-metrics-and-empty-metric.json', 0],
  ['hae-sleep-analysis-aggregated-before-6.6.2.json', 0],
  ['hae-v1-workout.json', 0],
])('%s gives %i points', (name, count) => {
  expect(read(file(name)).points).toHaveLength(count);
});

test('a point is the same whatever the order of its keys, the spelling of its date and its source', () => {
  const [a] = read(metric([{ Min: 60, Avg: 61.5, Max: 63, date: '2024-03-14 00:02:00 -0400', source: 'A|B' }])).points;
  const [b] = read(metric([{ date: '2024-03-14 05:02:00 +0100', Max: 63, source: 'B|A', Avg: 61.5, Min: 60 }])).points;
  expect(a).toEqual(b);
});

test('a corrected value has another digest', () => {
  const [a] = read(metric([{ Min: 60, Avg: 61, Max: 63, date: '2024-03-14 00:02:00 -0400' }])).points;
  const [b] = read(metric([{ Min: 60, Avg: 61, Max: 64, date: '2024-03-14 00:02:00 -0400' }])).points;
  expect(a?.digest).not.toBe(b?.digest);
});

test('an instant that comes twice in one export counts once, with the later values', () => {
  const found = read(
    metric([
      { Avg: 60, date: '2024-03-14 00:02:00 -0400' },
      { Avg: 70, date: '2024-03-14 00:02:00 -0400' },
    ]),
  );
  expect(found.points.map(({ bpm }) => bpm)).toEqual([70]);
  expect(found.repeatedInside).toBe(1);
});

test('lower-case names and a lone qty are understood', () => {
  expect(read(metric([{ min: 60, avg: 61, max: 62, date: '2024-03-14 00:02:00 -0400' }])).points[0]).toMatchObject({
    bpm: 61,
    minBpm: 60,
    maxBpm: 62,
  });
  expect(read(metric([{ qty: 99, date: '2024-03-14 00:02:00 -0400' }])).points[0]).toMatchObject({ bpm: 99, minBpm: null, maxBpm: null });
});

test('heart_rate may come twice, empty, null, without units, and without the outer data', () => {
  const point = { Avg: 60, date: '2024-03-14 00:02:00 -0400' };
  const later = { Avg: 61, date: '2024-03-14 00:03:00 -0400' };
  const metrics = [
    { name: 'heart_rate', data: [point] },
    { name: 'heart_rate', units: 'bpm', data: [later] },
    { name: 'heart_rate', units: 'count/min', data: [] },
    { name: 'heart_rate', data: null },
  ];
  expect(read({ data: { metrics, stateOfMind: [{ x: 1 }] } }).points).toHaveLength(2);
  expect(read({ metrics }).points).toHaveLength(2);
});

test.each([
  ['a text instead of a point', 'x', 'not-an-object'],
  ['a list instead of a point', [1], 'not-an-object'],
  ['no date', { Avg: 60 }, 'no-date'],
  ['a null date', { Avg: 60, date: null }, 'no-date'],
  ['a date without a time', { Avg: 60, date: '2024-03-14' }, 'unreadable-date'],
  ['no number', { date: '2024-03-14 00:02:00 -0400' }, 'no-number'],
  ['a number as text', { Avg: '60', date: '2024-03-14 00:02:00 -0400' }, 'no-number'],
  ['a minimum as text', { Min: 'NaN', Avg: 60, date: '2024-03-14 00:02:00 -0400' }, 'no-number'],
  ['a rate no heart has', { Avg: 301, date: '2024-03-14 00:02:00 -0400' }, 'out-of-range'],
  ['a minimum above the maximum', { Min: 70, Avg: 65, Max: 60, date: '2024-03-14 00:02:00 -0400' }, 'min-above-max'],
])('%s is rejected by name, and the good point beside it is taken', (_what, bad, problem) => {
  const found = read(metric([bad, { Avg: 60, date: '2024-03-14 00:05:00 -0400' }]));
  expect(found.rejected).toEqual({ [problem]: 1 });
  expect(found.points).toHaveLength(1);
});

function read(body: unknown) {
  return readPhoneExport(HealthAutoExport.parse(body));
}

function metric(data: unknown[]): unknown {
  return {
    data: {
      metrics: [
        { name: 'step_count', units: 'count', data: [{ qty: 1, date: 'x' }] },
        { name: 'heart_rate', units: 'count/min', data },
      ],
    },
  };
}

function file(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../datasets/data/heart-rate/${name}`, import.meta.url), 'utf8'));
}
