import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from './virtual-clock.ts';

test('timers fire in the order of their times, and at their times, however they were set', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(10_000), { maxLength: 20 }), async (delays) => {
      const clock = new VirtualClock();
      const fired: number[] = [];
      for (const ms of delays) clock.setTimer(ms, () => void fired.push(clock.monotonicMs()));
      await clock.advance(10_000);
      expect(fired).toEqual(delays.toSorted((a, b) => a - b));
    }),
    { numRuns: 30 },
  );
});

test('a week of retries passes in a moment, each at its time', async () => {
  const clock = new VirtualClock(0);
  const stop = new AbortController();
  const at: number[] = [];
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await clock.sleep(3_600_000, stop.signal);
      at.push(clock.nowMs());
    }
  })().catch(() => {});
  await clock.advance(7 * 24 * 3_600_000);
  stop.abort();
  await loop;
  expect(at).toHaveLength(168);
  expect(at.at(-1)).toBe(7 * 24 * 3_600_000);
});

test('nothing fires before its time, nor when cancelled', async () => {
  const clock = new VirtualClock();
  let fired = 0;
  clock.setTimer(100, () => {
    fired += 1;
  });
  clock
    .setTimer(50, () => {
      fired += 1;
    })
    .cancel();
  await clock.advance(99);
  expect(fired).toBe(0);
  expect(clock.nextInMs).toBe(1);
  await clock.advance(1);
  expect(fired).toBe(1);
  expect(clock.waiting).toBe(0);
});

test('a sleep rejects with the reason of its signal and leaves no timer behind', async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const sleeping = clock.sleep(1_000, stop.signal);
  const reason = new Error('enough');
  stop.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  await expect(clock.sleep(1_000, stop.signal)).rejects.toBe(reason);
  expect(clock.waiting).toBe(0);
});

test('setting the wall clock moves no duration', async () => {
  const clock = new VirtualClock(1_000);
  let fired = false;
  clock.setTimer(100, () => {
    fired = true;
  });
  clock.setWallMs(9_999_999);
  expect(clock.nowUs()).toBe(9_999_999_000);
  expect(fired).toBe(false);
  await clock.advance(100);
  expect(fired).toBe(true);
  expect(clock.nowMs()).toBe(10_000_099);
});
