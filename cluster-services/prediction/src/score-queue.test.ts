import type { Score } from '@vitalwire/detector';
import { expect, test } from 'vitest';
import { ScoreQueue, topChannel } from './score-queue.ts';

const rails = { min: -1, max: 1 };
const job = (value: number, channels = 1) => ({
  channels: Array.from({ length: channels }, () => Float64Array.of(value)),
  rails: Array.from({ length: channels }, () => rails),
});
const score = (probability: number | null, verdict: Score['verdict'] = 'unsure'): Score => ({ probability, verdict, reason: null });

/** Gives each window its first sample as probability and remembers how many came at once. */
function echo() {
  const batches: number[] = [];
  const scoreWindows = (windows: readonly Float64Array[]) => {
    batches.push(windows.length);
    return windows.map((window) => score(window[0] ?? null));
  };
  return { batches, scoreWindows };
}

test('each window gets its own score back, in batches that do not hold the event loop', async () => {
  const detector = echo();
  const queue = new ScoreQueue(detector);
  const scores = await Promise.all(Array.from({ length: 150 }, (_, index) => queue.score(job(index, 2), false)));
  expect(scores.map(({ probability }) => probability)).toEqual(Array.from({ length: 150 }, (_, index) => index));
  expect(Math.max(...detector.batches)).toBeLessThanOrEqual(64);
  expect(queue.depth).toBe(0);
});

test('what is being watched passes what is being caught up', async () => {
  const order: number[] = [];
  const queue = new ScoreQueue(echo());
  const done = (index: number) => () => void order.push(index);
  const backlog = Array.from({ length: 200 }, (_, index) => queue.score(job(index), false).then(done(index)));
  await Promise.all([...backlog, queue.score(job(1000), true).then(done(1000))]);
  expect(order[0]).toBe(1000);
});

test('one window with more channels than a batch is still scored whole', async () => {
  const detector = echo();
  await new ScoreQueue(detector).score(job(1, 256), true);
  expect(detector.batches).toEqual([256]);
});

test('a detector that throws fails its own windows and the queue goes on', async () => {
  let broken = true;
  const queue = new ScoreQueue({
    scoreWindows: (windows) => {
      if (broken) throw new Error('no');
      return windows.map(() => score(0.5));
    },
  });
  await expect(queue.score(job(1), true)).rejects.toThrow('no');
  broken = false;
  expect((await queue.score(job(1), true)).probability).toBe(0.5);
});

test.each([
  ['the highest probability', [score(0.2), score(0.9), score(0.3)], 1],
  ['any probability before a refusal', [score(null, 'not-scorable'), score(0.01)], 1],
  ['unlike training before not scorable', [score(null, 'not-scorable'), score(null, 'unsure')], 1],
  ['the first of equals', [score(0.4), score(0.4)], 0],
])('%s speaks for the window', (_, scores, channel) => {
  expect(topChannel(scores).channel).toBe(channel);
});
