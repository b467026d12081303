import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  areaUnderCurve,
  brier,
  calibrationError,
  confusionAt,
  sensitivityAt99,
  thresholdForSensitivity,
  thresholdForSpecificity,
} from './metrics.ts';

const judged = fc
  .array(fc.record({ score: fc.double({ min: 0, max: 1, noNaN: true }), ictal: fc.boolean() }), { minLength: 4, maxLength: 60 })
  .filter((items) => items.some(({ ictal }) => ictal) && items.some(({ ictal }) => !ictal));

test('the area is the share of pairs in the right order, ties half', () => {
  fc.assert(
    fc.property(judged, (items) => {
      let right = 0;
      let pairs = 0;
      for (const a of items.filter(({ ictal }) => ictal)) {
        for (const b of items.filter(({ ictal }) => !ictal)) {
          pairs++;
          right += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0;
        }
      }
      expect(areaUnderCurve(items)).toBeCloseTo(right / pairs, 9);
    }),
  );
});

test('a threshold keeps the share it promises', () => {
  fc.assert(
    fc.property(judged, fc.double({ min: 0.5, max: 1, noNaN: true }), (items, share) => {
      expect(confusionAt(items, thresholdForSpecificity(items, share)).specificity).toBeGreaterThanOrEqual(share - 1e-6);
      expect(confusionAt(items, thresholdForSensitivity(items, share)).sensitivity).toBeGreaterThanOrEqual(share - 1e-6);
    }),
  );
});

test('of 100 quiet windows one may lie above the threshold for .99', () => {
  const items = Array.from({ length: 100 }, (_, index) => ({ score: index / 100, ictal: false }));
  expect(sensitivityAt99([...items, { score: 0.985, ictal: true }, { score: 0.975, ictal: true }])).toBe(0.5);
});

test('probabilities that keep their promise have no calibration error, overconfident ones have theirs', () => {
  const group = (score: number, ictal: number, others: number) => [
    ...Array.from({ length: ictal }, () => ({ score, ictal: true })),
    ...Array.from({ length: others }, () => ({ score, ictal: false })),
  ];
  expect(calibrationError([...group(0.9, 90, 10), ...group(0.1, 10, 90)])).toBeCloseTo(0, 12);
  expect(calibrationError(group(1, 80, 20))).toBeCloseTo(0.2, 12);
  expect(brier(group(0.5, 1, 1))).toBeCloseTo(0.25, 12);
});
