import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Decimator, makeGrid } from './decimate.ts';

test('no value is lost and none is invented: each bucket is the envelope of exactly its samples', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 400 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1_000, max: 9_000 }),
      (values, points, periodUs) => {
        const grid = makeGrid(0, values.length * periodUs, points, periodUs);
        expect(grid.buckets).toBeLessThanOrEqual(points);
        const decimator = new Decimator(grid, 1);
        decimator.addRun(0, { startUs: 0, periodUs, values, scale: 2, offset: 1, continues: false });
        const { min, max } = decimator.envelope();
        expect(max[0]).toHaveLength(grid.buckets);
        expect(Math.max(...(max[0] ?? []).map((value) => value ?? Number.NEGATIVE_INFINITY))).toBe(Math.max(...values) * 2 + 1);
        expect(Math.min(...(min[0] ?? []).map((value) => value ?? Number.POSITIVE_INFINITY))).toBe(Math.min(...values) * 2 + 1);
        expect((max[0] ?? []).every((value) => value !== null)).toBe(true);
        for (const [index, value] of values.entries()) {
          const bucket = Math.floor((index * periodUs + 1) / grid.bucketUs);
          expect(max[0]?.[bucket]).toBeGreaterThanOrEqual(value * 2 + 1);
          expect(min[0]?.[bucket]).toBeLessThanOrEqual(value * 2 + 1);
        }
      },
    ),
  );
});

test('a clock that jitters by less than a sample leaves no holes where nothing is missing, and a pause stays a hole', () => {
  const periodUs = 5_000;
  const decimator = new Decimator(makeGrid(0, 60 * periodUs, 60, periodUs), 1);
  for (let chunk = 0; chunk < 6; chunk += 1) {
    if (chunk === 4) continue;
    const jitterUs = chunk % 2 === 0 ? 0 : 2_400;
    decimator.addRun(0, {
      startUs: chunk * 10 * periodUs + jitterUs,
      periodUs,
      values: new Int16Array(10).fill(chunk),
      scale: 1,
      offset: 0,
      continues: chunk !== 5,
    });
  }
  const empty = (decimator.envelope().max[0] ?? []).flatMap((value, bucket) => (value === null ? [bucket] : []));
  expect(empty).toEqual([40, 41, 42, 43, 44, 45, 46, 47, 48, 49]);
});

test('readings outside the time asked for, and channels that do not exist, change nothing', () => {
  const decimator = new Decimator(makeGrid(0, 100, 10, 1), 1);
  decimator.add(0, -5, 1);
  decimator.add(0, 101, 1);
  decimator.add(3, 50, 1);
  expect(decimator.envelope().max[0]?.every((value) => value === null)).toBe(true);
});
