import { expect, test } from 'vitest';
import { pause, systemClock } from './clock.ts';

test('microseconds are safe integers that follow the wall clock to within 3 ms', () => {
  for (let i = 0; i < 1_000; i += 1) {
    const beforeMs = Date.now();
    const us = systemClock.nowUs();
    expect(Number.isSafeInteger(us)).toBe(true);
    expect(us / 1000).toBeGreaterThan(beforeMs - 3);
    expect(us / 1000).toBeLessThan(Date.now() + 3);
  }
});

test('a sleep ends at once with the reason of its signal', async () => {
  const abort = new AbortController();
  const reason = new Error('asked to stop');
  const sleeping = systemClock.sleep(60_000, abort.signal);
  abort.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  await expect(systemClock.sleep(60_000, abort.signal)).rejects.toBe(reason);
});

test('a timer longer than 24 days does not fire at once', async () => {
  let fired = false;
  const timer = systemClock.setTimer(90 * 24 * 3_600_000, () => {
    fired = true;
  });
  await systemClock.sleep(20);
  timer.cancel();
  expect(fired).toBe(false);
});

test('a cancelled timer does not fire', async () => {
  let fired = false;
  systemClock
    .setTimer(1, () => {
      fired = true;
    })
    .cancel();
  await systemClock.sleep(10);
  expect(fired).toBe(false);
});

test('a pause ends when it is told to, without an error', async () => {
  const stop = new AbortController();
  const paused = pause(systemClock, 3_600_000, stop.signal);
  stop.abort();
  await paused;
  await pause(systemClock, 3_600_000, stop.signal);
  await pause(systemClock, 1);
});
