import { createLog, systemClock } from '@vitalwire/runtime';
import { until, VirtualClock } from '@vitalwire/testkit';
import { afterEach, expect, test } from 'vitest';
import { type PoolOptions, ScoringPool, type ScoringSession } from './pool.ts';
import type { Lane } from './scoring-worker.ts';

const log = createLog({ name: 'pool-test', level: 'silent' });
const entry = new URL('./test-worker.ts', import.meta.url);
const rate = { num: 100, den: 1 };
const scale = { label: 'C3', unit: 'uV', digitalMin: -1, digitalMax: 1, physicalMin: -1, physicalMax: 1, reference: '' };
const signal = new AbortController().signal;
const pools: ScoringPool[] = [];

async function start(changed: Partial<PoolOptions> = {}): Promise<ScoringPool> {
  const pool = new ScoringPool({ workers: 1, backend: 'echo', log, clock: systemClock, entry, ...changed });
  pools.push(pool);
  await pool.start(signal);
  return pool;
}

const push = (session: ScoringSession, value: number, lane: Lane = 'live', samplesPerChannel = 100) =>
  session.push({ firstSample: value, samplesPerChannel, samples: Int16Array.of(value), before: 'nothing', fromWindow: 0 }, lane);
const sumOf = async (session: ScoringSession, value: number, lane: Lane = 'live') => (await push(session, value, lane))[0]?.probability;

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
});

test('each session has a state of its own, and a batch holds windows of several recordings', async () => {
  const pool = await start();
  const [one, two] = [pool.open('one', rate, [scale]), pool.open('two', rate, [scale])];
  await push(one, 1020); // the worker is busy: what follows waits and becomes one batch
  const busy = push(one, 1020);
  const waiting = [push(one, 1), push(two, 10), push(one, 2), push(two, 20)];
  await busy;
  const windows = (await Promise.all(waiting)).flat();
  expect(windows.map(({ probability }) => probability)).toEqual([2041, 10, 2043, 30]);
  expect(windows.map(({ samples }) => samples)).toEqual([4, 4, 4, 4]); // all four in the same batch
  expect(pool.state).toMatchObject({ workers: 1, ready: 1, restarts: 0, waiting: { live: 0, 'catch-up': 0 } });
});

test('a live window waits for one batch of what is being caught up, however much that is', async () => {
  const pool = await start();
  const [old, live] = [pool.open('old', rate, [scale]), pool.open('live', rate, [scale])];
  let caughtUp = 0;
  // 64 channel seconds are a batch; each push is 100 of them and takes 15 ms: 1.2 s of work in all.
  const backlog = Array.from({ length: 80 }, () => push(old, 1015, 'catch-up', 10_000).then(() => caughtUp++));
  await until(() => caughtUp > 2);
  const startMs = performance.now();
  const before = caughtUp;
  await push(live, 1);
  expect(caughtUp - before).toBeLessThanOrEqual(2);
  expect(performance.now() - startMs).toBeLessThan(500);
  expect(pool.state.waiting['catch-up']).toBeGreaterThan(4_000);
  await Promise.all(backlog);
  expect(pool.state.waiting['catch-up']).toBe(0);
}, 20_000);

test('a copy goes on from where its original was, and both are independent', async () => {
  const pool = await start();
  const one = pool.open('one', rate, [scale]);
  const before = push(one, 5);
  const copy = one.fork();
  const after = push(one, 1);
  expect(await sumOf(copy, 10)).toBe(15);
  expect((await before)[0]?.probability).toBe(5);
  expect((await after)[0]?.probability).toBe(6);
  one.close();
  expect(await sumOf(copy, 10)).toBe(25);
});

test('a killed worker is started again: what it was asked is answered, its sessions are lost, new ones work', async () => {
  const pool = await start();
  const session = pool.open('one', rate, [scale]);
  const asked = [push(session, 1), push(session, 666), push(session, 2, 'catch-up')];
  const answers = await Promise.allSettled(asked);
  expect(answers.map((answer) => (answer.status === 'rejected' ? answer.reason.code : answer.status))).toEqual([
    expect.stringMatching(/fulfilled|WORKER_LOST/), // whether it got into a batch before
    'WORKER_LOST',
    'WORKER_LOST',
  ]);
  expect(session.isLost).toBe(true);
  expect(pool.state).toMatchObject({ ready: 0, restarts: 1 });
  await expect(push(session, 1)).rejects.toMatchObject({ code: 'WORKER_LOST' });
  const again = pool.open('one', rate, [scale]); // asked for before the new process is there
  expect(await sumOf(again, 3)).toBe(3);
  expect(pool.state).toMatchObject({ ready: 1, restarts: 1 });
});

test('a worker that hangs is killed and started again', async () => {
  const clock = new VirtualClock();
  const pool = await start({ clock });
  const hanging = push(pool.open('one', rate, [scale]), 667);
  const told = expect(hanging).rejects.toMatchObject({
    code: 'WORKER_LOST',
    message: expect.stringContaining('did not answer within 20 s'),
  });
  await clock.advance(21_000);
  await told;
  await clock.advance(10_000); // the pause before the next start
  expect(await sumOf(pool.open('one', rate, [scale]), 4)).toBe(4);
});

test('one push that cannot be scored fails alone', async () => {
  const pool = await start();
  const session = pool.open('one', rate, [scale]);
  const [bad, good] = [push(session, 668), push(session, 7)];
  await expect(bad).rejects.toMatchObject({ code: 'NOT_SCORED', message: expect.stringContaining('this one cannot be scored') });
  expect((await good)[0]?.probability).toBe(7);
  expect(session.isLost).toBe(false);
});

test('a closed session answers what was pushed before, and nothing after', async () => {
  const pool = await start();
  const session = pool.open('one', rate, [scale]);
  const last = push(session, 9);
  session.close();
  expect((await last)[0]?.probability).toBe(9);
  await expect(push(session, 1)).rejects.toMatchObject({ code: 'WORKER_LOST' });
});

test('recordings are spread over the workers, and all sessions of one share a worker', async () => {
  const pool = await start({ workers: 2 });
  const slow = [pool.open('one', rate, [scale]), pool.open('one', rate, [scale])];
  const fast = pool.open('two', rate, [scale]);
  const slowly = slow.map((session) => push(session, 1300));
  const startMs = performance.now();
  await push(fast, 1);
  expect(performance.now() - startMs).toBeLessThan(250); // it did not wait for the other's 600 ms
  await Promise.all(slowly);
});

test.each([
  ['broken', /WorkerFailed|no backend works/],
  ['different', /different models/],
])('a pool whose workers are %s does not start and says why', async (backend, why) => {
  await expect(start({ backend, workers: 2 })).rejects.toThrow(why);
});
