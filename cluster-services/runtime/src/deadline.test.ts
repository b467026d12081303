import { VirtualClock } from '@vitalwire/testkit';
import { expect, test, vi } from 'vitest';
import { within } from './deadline.ts';

test('what comes in time counts, and its deadline is never told', async () => {
  const clock = new VirtualClock();
  const onLate = vi.fn(() => new Error('late'));
  expect(await within(clock, 1_000, Promise.resolve('in time'), onLate)).toBe('in time');
  await expect(within(clock, 1_000, Promise.reject(new Error('broken')), onLate)).rejects.toThrow('broken');
  await clock.advance(10_000);
  expect(onLate).not.toHaveBeenCalled();
});

test('what does not come fails at the deadline, and what it does later disturbs nobody', async () => {
  const clock = new VirtualClock();
  const slow = Promise.withResolvers<string>();
  const answer = expect(within(clock, 1_000, slow.promise, () => new Error('late'))).rejects.toThrow('late');
  await clock.advance(1_000);
  await answer;
  slow.reject(new Error('too late')); // unhandled it would end the process
  await clock.advance(1_000);
});
