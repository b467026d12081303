import { expect, test } from 'vitest';
import { isWanted, LiveQueue, type Waiting } from './live-queue.ts';

/** Chunks of a second, of which each completes the window three before it. */
function add(
  queue: LiveQueue,
  line: number,
  second: number,
  { sinceMs = 1000 * second, session = line, ...changed }: Partial<Waiting> & { session?: number } = {},
) {
  queue.add(line, {
    task: {
      kind: 'push',
      session,
      firstSample: second * 100,
      samplesPerChannel: 100,
      samples: new Int16Array(100),
      before: 'nothing',
      fromWindow: 0,
    },
    cost: 1,
    seconds: 1,
    completes: second < 3 ? null : { first: second - 3, last: second - 3 },
    resolve: () => undefined,
    reject: () => undefined,
    ...changed,
    sinceMs,
  });
}

/** What is taken: the second of each chunk, and whether its window is judged. */
function taken(queue: LiveQueue, room: number, hop: number, nowMs: number): string[] {
  return queue.take(room, hop, nowMs).map(({ waiting: { task, completes }, thin }) => {
    const second = task.kind === 'push' ? task.firstSample / 100 : -1;
    const isJudged = completes && (thin === null || isWanted(completes.last, thin));
    return `${task.session}:${second}${isJudged ? '!' : ''}`;
  });
}

test('samples that complete no window wait for those that do, or four seconds, or until their session is flushed', () => {
  const queue = new LiveQueue();
  for (const second of [0, 1, 2]) add(queue, 1, second);
  expect(taken(queue, 64, 1, 2_500)).toEqual([]);
  add(queue, 1, 3);
  expect(taken(queue, 64, 1, 3_000)).toEqual(['1:0', '1:1', '1:2', '1:3!']);
  add(queue, 1, 1);
  expect(taken(queue, 64, 1, 4_900)).toEqual([]);
  expect(taken(queue, 64, 1, 5_000)).toEqual(['1:1']);
  add(queue, 1, 2);
  queue.flush(1);
  expect(taken(queue, 64, 1, 2_000)).toEqual(['1:2']);
  expect(queue.cost).toBe(0);
});

test('one window in a hop is judged, each recording at its own phase', () => {
  const queue = new LiveQueue();
  const judged = new Map<string, number>();
  for (let second = 3; second < 43; second++) {
    for (const line of [1, 2, 3, 4]) add(queue, line, second);
    for (const one of taken(queue, 1000, 4, 1000 * second))
      if (one.endsWith('!')) judged.set(one.slice(0, 2), (judged.get(one.slice(0, 2)) ?? 0) + 1);
    expect(queue.oldestMs(4, 1000 * second).all).toBe(0); // of what is to be judged nothing is left
  }
  expect([...judged]).toHaveLength(4);
  for (const count of judged.values()) expect(count).toBe(10);
});

test('who waited for longer than the hop gets the newest window judged and no other; without overload all are', () => {
  const fill = () => {
    const queue = new LiveQueue();
    for (let second = 3; second < 13; second++) add(queue, 1, second);
    return queue;
  };
  expect(taken(fill(), 64, 1, 12_000).filter((one) => one.endsWith('!'))).toHaveLength(10);
  expect(taken(fill(), 64, 2, 12_000).filter((one) => one.endsWith('!'))).toEqual(['1:12!']);
});

test('who was like a seizure goes first, then who waits longest; what comes faster than it is recorded goes last', () => {
  const queue = new LiveQueue();
  for (let second = 3; second < 100; second++) add(queue, 1, second, { sinceMs: 3_000 });
  for (const line of [2, 3, 4]) add(queue, line, 3, { sinceMs: 3_000 });
  queue.wasSeizure(4, 3_000);
  expect(taken(queue, 4, 1, 3_100)).toEqual(['4:3!', '2:3!', '3:3!', '1:3!']);
  expect(queue.oldestMs(1, 5_000)).toEqual({ all: 2_000, paced: 0 });
  for (const line of [4, 2]) add(queue, line, 4, { sinceMs: 62_000 });
  add(queue, 2, 5, { sinceMs: 64_000 });
  add(queue, 4, 5, { sinceMs: 64_000 });
  expect(taken(queue, 1, 1, 62_500)).toEqual(['4:4!']);
  expect(queue.oldestMs(1, 64_000).paced).toBe(2_000);
});

test('the sessions of one recording stay in the order they were pushed in', () => {
  const queue = new LiveQueue();
  add(queue, 1, 0);
  add(queue, 1, 0, { task: { kind: 'fork', session: 2, of: 1 }, cost: 0, seconds: 0, completes: null });
  add(queue, 1, 3, { session: 2 });
  add(queue, 1, 4);
  expect(taken(queue, 64, 1, 4_000)).toEqual(['1:0', '2:-1', '2:3!', '1:4!']);
  expect(queue.drain()).toEqual([]);
});
