import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { CaptureSender, type Delivery } from './capture-sender.ts';
import type { Feed } from './feed.ts';
import { Pace } from './pace.ts';

const never = new AbortController().signal;

test('at 1x every block leaves at its moment, and an hour later still does', async () => {
  const { clock, requests, run } = setUp({ speed: 1 });
  void run(never);
  await clock.advance(3_600_000);
  expect(requests).toHaveLength(14_400);
  for (const [index, request] of requests.entries()) {
    expect(request.firstSample).toBe(index * 25);
    expect(request.sentMs).toBe((index + 1) * 250);
  }
});

test('at 0.1x and at 60x the moments are stretched and squeezed without drift', async () => {
  for (const speed of [0.1, 60]) {
    const { clock, requests, run } = setUp({ speed });
    void run(never);
    await clock.advance((250 * 40) / speed);
    expect(requests.at(-1)?.firstSample).toBe(39 * 25);
    expect(requests.at(-1)?.sentMs).toBeCloseTo((250 * 40) / speed, 6);
  }
});

test('a block that fails is sent again with the same first sample until it is answered, and nothing is skipped', async () => {
  let failures = 0;
  const { clock, requests, run, sender } = setUp({
    speed: 1,
    answer: (request) => {
      if (request.firstSample === 50 && failures < 7) {
        failures += 1;
        return { kind: 'failed', reason: 'no answer' };
      }
      return { kind: 'answered', nextSample: request.firstSample + request.count };
    },
  });
  void run(never);
  await clock.advance(60_000);
  expect(requests.filter((request) => request.firstSample === 50)).toHaveLength(8);
  expect(sender.resends).toBe(7);
  expect(sender.answered).toEqual([{ from: 0, to: 240 * 25 }]);
  let expected = 0;
  for (const request of requests) {
    if (request.firstSample === expected) expected += request.count;
    else expect(request.firstSample).toBeLessThan(expected + 1);
  }
});

test('after an outage a device catches up in few requests of a bounded size', async () => {
  let down = true;
  const { clock, requests, run } = setUp({
    speed: 1,
    answer: (request) =>
      down ? { kind: 'failed', reason: 'no answer' } : { kind: 'answered', nextSample: request.firstSample + request.count },
  });
  void run(never);
  await clock.advance(60_000);
  down = false;
  requests.length = 0;
  await clock.advance(6_000);
  expect(requests.length).toBeLessThan(60);
  for (const request of requests) expect(request.count).toBeLessThanOrEqual(250);
});

test('an answer that asks for earlier readings gets them', async () => {
  let asked = false;
  const { clock, requests, run } = setUp({
    speed: 1,
    answer: (request) => {
      if (request.firstSample === 100 && !asked) {
        asked = true;
        return { kind: 'answered', nextSample: 50 };
      }
      return { kind: 'answered', nextSample: request.firstSample + request.count };
    },
  });
  void run(never);
  await clock.advance(2_000);
  expect(requests.map((request) => [request.firstSample, request.count])).toContainEqual([50, 75]);
});

test('a wish to stop sends what was measured until then, with the end', async () => {
  const { clock, requests, run, sender } = setUp({ speed: 1 });
  const stop = new AbortController();
  const done = run(stop.signal);
  await clock.advance(1_130);
  stop.abort();
  await done;
  expect(requests.at(-1)).toMatchObject({ firstSample: 100, count: 13, end: true });
  expect(sender.answered).toEqual([{ from: 0, to: 113 }]);
  expect(sender.ended).toBe(true);
});

test('a capture that ends by itself stops exactly there, at any speed', async () => {
  const { requests, run, sender } = setUp({ speed: Number.POSITIVE_INFINITY, endMs: 10_030 });
  await run(never);
  expect(sender.answered).toEqual([{ from: 0, to: 1_003 }]);
  expect(requests.at(-1)?.end).toBe(true);
  expect(requests.filter((request) => request.end)).toHaveLength(1);
});

test('a refusal ends the capture and is told', async () => {
  const { run, sender, clock } = setUp({ speed: 1, answer: () => ({ kind: 'refused', reason: 'wrong token' }) });
  const done = run(never);
  await clock.advance(1_000);
  await done;
  expect(sender.failure).toBe('wrong token');
  expect(sender.answered).toEqual([]);
});

type Request = { firstSample: number; count: number; end: boolean; sentMs: number };

function setUp(options: { speed: number; endMs?: number; answer?: (request: Request) => Delivery }) {
  const clock = new VirtualClock();
  const requests: Request[] = [];
  // 100 readings a second in blocks of 250 ms; the first time an answer fails it is given after the retry delay.
  const feed: Feed<number[]> = {
    maxPerRequest: 250,
    blockAt: async (position) => {
      const end = (Math.floor(position / 25) + 1) * 25;
      return { begin: position, end, dueMs: end * 10, joins: true };
    },
    measuredBy: async (dataMs) => Math.floor(dataMs / 10),
    read: async (from, to) => Array.from({ length: to - from }, (_, index) => from + index),
  };
  const answer = options.answer ?? ((request: Request) => ({ kind: 'answered' as const, nextSample: request.firstSample + request.count }));
  const sender = new CaptureSender({
    feed,
    pace: new Pace(options.speed, clock),
    clock,
    random: () => 0.5,
    endMs: options.endMs,
    deliver: async ({ firstSample, items, count, end }) => {
      expect(items[0] ?? firstSample).toBe(firstSample);
      const request = { firstSample, count, end, sentMs: clock.monotonicMs() };
      requests.push(request);
      return answer(request);
    },
  });
  return { clock, requests, sender, run: (stop: AbortSignal) => sender.run(stop, never) };
}
