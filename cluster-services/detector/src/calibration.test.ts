import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fitTemperature, sigmoid } from './calibration.ts';
import { seededRandom } from './training/seeded-random.ts';

test('the sigmoid never overflows and is symmetric', () => {
  fc.assert(fc.property(fc.double({ noNaN: true }), (logit) => Math.abs(sigmoid(logit) + sigmoid(-logit) - 1) < 1e-12));
});

test('logits that are twice too sure get the temperature 2', () => {
  const random = seededRandom(3);
  const logits: number[] = [];
  const truth: boolean[] = [];
  for (let index = 0; index < 20_000; index++) {
    const honest = 6 * random() - 3;
    logits.push(2 * honest);
    truth.push(random() < sigmoid(honest));
  }
  expect(fitTemperature(logits, truth)).toBeCloseTo(2, 1);
});
