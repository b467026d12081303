import { expect, test } from 'vitest';
import { scoringHealth } from './prediction.ts';
import type { PoolState } from './scoring/pool.ts';

const model = { backend: 'wasm', modelHash: 'a', modelVersion: '1', seizureAt: 0.8, quietBelow: 0.2 };
const idle: PoolState = {
  workers: 2,
  ready: 2,
  restarts: 0,
  pids: [1, 2],
  busyMs: 0,
  waiting: { live: 0, 'catch-up': 0 },
  oldestLiveMs: 0,
  oldestPacedMs: 0,
  liveShare: 0,
  everyS: 1,
  leftOut: 0,
};

test.each([
  ['in time', {}, true, false, 'in-time'],
  ['in time, however much is being caught up', { waiting: { live: 3, 'catch-up': 1e6 } }, true, false, 'in-time'],
  ['behind when live windows wait', { oldestLiveMs: 2_500 }, true, true, 'behind'],
  ['thinned, and says how seldom it judges', { everyS: 4, oldestLiveMs: 3_000 }, true, true, 'thinned'],
  ['behind when so much waits that the rest is left to storage', { waiting: { live: 40_000, 'catch-up': 0 } }, true, true, 'behind'],
  ['degraded with a worker missing', { ready: 1 }, true, true, 'workers-down'],
  ['not ready without any worker', { ready: 0 }, false, true, 'workers-down'],
] as const)('scoring is %s', (_, changed, ok, degraded, state) => {
  const health = scoringHealth(model, { ...idle, ...changed });
  expect(health).toMatchObject({ ok, degraded, detail: { state } });
  expect((health.detail as { problem: string | null }).problem === null).toBe(state === 'in-time');
});
