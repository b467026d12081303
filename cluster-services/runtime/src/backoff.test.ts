import { VirtualClock } from '@vitalwire/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fullJitter } from './backoff.ts';

test('bounds double from 1 s to 60 s', () => {
  const backoff = fullJitter({ random: () => 1, clock: new VirtualClock() });
  expect(Array.from({ length: 9 }, () => backoff.nextMs())).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1000));
});

test('every delay lies between 0 and its bound, after any number of failures', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, chance) => {
      const backoff = fullJitter({ random: () => chance });
      let delayMs = 0;
      for (let i = 0; i < failures; i += 1) delayMs = backoff.nextMs();
      expect(delayMs).toBeGreaterThanOrEqual(0);
      expect(delayMs).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** (failures - 1)));
    }),
    { numRuns: 50 },
  );
});

test('a kick right after the connection counts as one more failure', async () => {
  const clock = new VirtualClock();
  const backoff = fullJitter({ random: () => 1, clock });
  for (let i = 0; i < 3; i += 1) backoff.nextMs();
  backoff.healthy();
  await clock.advance(59_999);
  expect(backoff.nextMs()).toBe(8_000);
});

test('after 60 s of health the delays begin again at 1 s', async () => {
  const clock = new VirtualClock();
  const backoff = fullJitter({ random: () => 1, clock });
  for (let i = 0; i < 3; i += 1) backoff.nextMs();
  backoff.healthy();
  await clock.advance(60_000);
  expect(backoff.nextMs()).toBe(1_000);
  expect(backoff.nextMs()).toBe(2_000);
});

test('health that ended does not count for the next connection', async () => {
  const clock = new VirtualClock();
  const backoff = fullJitter({ random: () => 1, clock });
  backoff.healthy();
  backoff.nextMs();
  await clock.advance(120_000);
  expect(backoff.nextMs()).toBe(2_000);
});
