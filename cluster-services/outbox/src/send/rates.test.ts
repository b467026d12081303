import { expect, test } from 'vitest';
import { Rate, secondsUntilFull } from './rates.ts';

test('a rate is taken over the last half minute', () => {
  const rate = new Rate();
  expect(rate.perSecond).toBe(0);
  for (let second = 0; second <= 100; second += 1) rate.add(second < 60 ? second * 100 : 6_000 + (second - 60) * 4, second * 1_000);
  expect(rate.perSecond).toBeCloseTo(4, 5);
});

test('the forecast is what is left by what comes in; none while the outbox does not fill', () => {
  expect(secondsUntilFull(400, 1_000, 6)).toBe(100);
  expect(secondsUntilFull(400, 1_000, 0)).toBeNull();
  expect(secondsUntilFull(400, 1_000, -3)).toBeNull();
  expect(secondsUntilFull(2_000, 1_000, 5)).toBe(0);
});
