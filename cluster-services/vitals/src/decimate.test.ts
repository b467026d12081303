import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minMaxDecimate } from './decimate.ts';

const values = fc.array(fc.oneof(fc.integer({ min: -100, max: 100 }), fc.constant(Number.NaN)), { maxLength: 300 });
const buckets = fc.integer({ min: 1, max: 50 });

test('no extreme is lost and none is invented', () => {
  fc.assert(
    fc.property(values, buckets, (samples, count) => {
      const { min, max } = minMaxDecimate(samples, count);
      const real = samples.filter(Number.isFinite);
      const seen = [...min, ...max].filter((value) => value !== null);
      expect(seen.every((value) => real.includes(value))).toBe(true);
      if (real.length === 0) expect(seen).toEqual([]);
      else expect([Math.min(...seen), Math.max(...seen)]).toEqual([Math.min(...real), Math.max(...real)]);
    }),
  );
});

test('there are exactly as many buckets as asked for, each with both ends or none', () => {
  fc.assert(
    fc.property(values, buckets, (samples, count) => {
      const { min, max } = minMaxDecimate(samples, count);
      expect([min.length, max.length]).toEqual([count, count]);
      for (const [index, low] of min.entries()) {
        const high = max[index] ?? null;
        expect(low === null).toBe(high === null);
        if (low !== null && high !== null) expect(low).toBeLessThanOrEqual(high);
      }
    }),
  );
});

test('with room for every value each keeps its own bucket, and a missing reading stays missing', () => {
  expect(minMaxDecimate([3, Number.NaN, 5], 4)).toEqual({ min: [3, null, 5, null], max: [3, null, 5, null] });
});
