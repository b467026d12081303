import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coverageOf } from './coverage.ts';

test('every sample stored once: nothing lost, nothing duplicated', () => {
  const ranges = [
    { from: 0, to: 43 },
    { from: 43, to: 86 },
    { from: 86, to: 100 },
  ];
  expect(coverageOf([{ from: 0, to: 100 }], ranges)).toEqual({ stored: 100, duplicated: 0, lost: 0, missing: [] });
});

test('one sample stored a second time in another recording is one duplicate', () => {
  expect(
    coverageOf(
      [{ from: 0, to: 100 }],
      [
        { from: 0, to: 50 },
        { from: 49, to: 100 },
      ],
    ).duplicated,
  ).toBe(1);
});

test('a hole, and an end that never arrived, are lost and named', () => {
  expect(
    coverageOf(
      [{ from: 0, to: 100 }],
      [
        { from: 10, to: 20 },
        { from: 30, to: 90 },
      ],
    ),
  ).toEqual({
    stored: 70,
    duplicated: 0,
    lost: 30,
    missing: [
      { from: 0, to: 10 },
      { from: 20, to: 30 },
      { from: 90, to: 100 },
    ],
  });
});

test('nothing stored at all is everything lost', () => {
  expect(coverageOf([{ from: 0, to: 7 }], [])).toMatchObject({ stored: 0, lost: 7 });
});

test('what was stored although its answer never came is stored, not lost', () => {
  expect(coverageOf([{ from: 0, to: 50 }], [{ from: 0, to: 60 }])).toEqual({ stored: 60, duplicated: 0, lost: 0, missing: [] });
});

test('agrees with counting every sample, for any ranges in any order', () => {
  const range = fc.tuple(fc.nat(60), fc.nat(20)).map(([from, length]) => ({ from, to: from + length }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), fc.nat(80), (ranges, sent) => {
      const counts = Array.from({ length: 100 }, (_, sample) => ranges.filter(({ from, to }) => sample >= from && sample < to).length);
      const coverage = coverageOf([{ from: 0, to: sent }], ranges);
      expect(coverage.stored).toBe(counts.filter((count) => count > 0).length);
      expect(coverage.duplicated).toBe(counts.filter((count) => count > 1).length);
      expect(coverage.lost).toBe(counts.slice(0, sent).filter((count) => count === 0).length);
    }),
  );
});
