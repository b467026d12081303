import fc from 'fast-check';
import { expect, test } from 'vitest';
import { complement, countOf, intersect, normalize, type SeqRange, subtract, toRanges, union } from './seq-ranges.ts';

const seqs = fc.uniqueArray(fc.nat(120), { maxLength: 80 });

test('ranges name exactly the numbers they were made of, and no two touch', () => {
  fc.assert(
    fc.property(seqs, (numbers) => {
      const ranges = rangesOf(numbers);
      expect(expand(ranges)).toEqual([...numbers].sort((a, b) => a - b));
      for (const [index, range] of ranges.entries()) {
        const next = ranges[index + 1];
        if (next !== undefined) expect(next.from).toBeGreaterThan(range.to + 1);
      }
      expect(countOf(ranges)).toBe(numbers.length);
    }),
  );
});

test('union, subtract, intersect and complement are those of sets', () => {
  fc.assert(
    fc.property(seqs, seqs, (a, b) => {
      const [left, right] = [rangesOf(a), rangesOf(b)];
      const inB = new Set(b);
      expect(expand(union(left, right))).toEqual([...new Set([...a, ...b])].sort((x, y) => x - y));
      expect(expand(subtract(left, right))).toEqual(a.filter((one) => !inB.has(one)).sort((x, y) => x - y));
      expect(expand(intersect(left, right))).toEqual(a.filter((one) => inB.has(one)).sort((x, y) => x - y));
      expect(expand(union(left, complement(left, 0, 130)))).toEqual(Array.from({ length: 131 }, (_item, index) => index));
    }),
  );
});

test('overlapping, touching and empty ranges are brought into order', () => {
  expect(
    normalize([
      { from: 8, to: 9 },
      { from: 0, to: 3 },
      { from: 4, to: 5 },
      { from: 2, to: 1 },
      { from: 3, to: 4 },
    ]),
  ).toEqual([
    { from: 0, to: 5 },
    { from: 8, to: 9 },
  ]);
  expect(complement([], 5, 4)).toEqual([]);
});

function rangesOf(numbers: readonly number[]): SeqRange[] {
  return toRanges([...numbers].sort((a, b) => a - b));
}

function expand(ranges: readonly SeqRange[]): number[] {
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_item, index) => from + index));
}
