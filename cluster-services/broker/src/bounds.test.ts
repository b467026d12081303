import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Budget, RateLimit } from './bounds.ts';

test('a budget never gives more than it has, and wakes those who waited once there is room', () => {
  const budget = new Budget(100);
  const woken: string[] = [];
  expect(budget.tryTake(60)).toBe(true);
  expect(budget.tryTake(60)).toBe(false);
  budget.wakeOnRoom(() => woken.push('first'));
  const gone = (): void => void woken.push('gone');
  budget.wakeOnRoom(gone);
  budget.forget(gone);
  budget.give(60);
  expect(woken).toEqual(['first']);
  expect(budget.usedBytes).toBe(0);
});

test('what alone is larger than the budget passes when nothing else is in hand, or it would wait for ever', () => {
  const budget = new Budget(10);
  expect(budget.tryTake(50)).toBe(true);
  expect(budget.tryTake(1)).toBe(false);
});

test('a rate gives its burst at once and then one permit per interval', async () => {
  const clock = new VirtualClock();
  const rate = new RateLimit(clock, 10, 3);
  expect([rate.take(), rate.take(), rate.take()]).toEqual([0, 0, 0]);
  expect(rate.take()).toBe(100);
  await clock.advance(100);
  expect(rate.take()).toBe(0);
  expect(rate.take()).toBe(100);
});

test('reserved permits come one interval after another, and beyond the longest wait none is given', () => {
  const rate = new RateLimit(new VirtualClock(), 10, 1);
  expect([rate.reserve(250), rate.reserve(250), rate.reserve(250), rate.reserve(250)]).toEqual([0, 100, 200, null]);
});
