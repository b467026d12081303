import { shardOf } from '@vitalwire/contract';
import { createLog } from '@vitalwire/runtime';
import { VirtualClock } from '@vitalwire/testkit';
import { afterEach, expect, test } from 'vitest';
import { Shards } from './shards.ts';

const log = createLog({ name: 'shards-test', level: 'silent' });
const held = (...shards: number[]) => shards.map((shard) => ({ shard, fence: 1 }));
const running: Shards[] = [];
afterEach(async () => {
  for (const shards of running.splice(0)) await shards.stop();
});

/** Storage gives these shards, or does not answer. */
function newShards(answer: { shards: { shard: number; fence: number }[] | null }, dataDir = '') {
  const told: string[] = [];
  const shards = new Shards({
    http: {
      postJson: async (_path, _body, schema) => {
        if (answer.shards === null) throw new Error('no answer');
        const body: unknown = { nowUs: 0, untilUs: 1, shards: answer.shards };
        return (schema?.parse(body) ?? body) as never;
      },
    },
    worker: 'w',
    want: 64,
    leaseS: 15,
    dataDir,
    clock: new VirtualClock(),
    log,
    onGained: async (gained) => void told.push(`gained ${gained.join(',')}`),
    onLost: (lost) => void told.push(`lost ${lost.join(',')}`),
  });
  running.push(shards);
  return { shards, told };
}

test('a worker decides about what storage gives it, and stops at once about what it does not', async () => {
  const answer = { shards: held(1, 2) as { shard: number; fence: number }[] | null };
  const { shards, told } = newShards(answer);
  await shards.start();
  expect([...shards.held]).toEqual([1, 2]);
  answer.shards = held(2, 3);
  await shards.renew();
  expect([...shards.held].sort()).toEqual([2, 3]);
  expect(told).toEqual(['gained 1,2', 'lost 1', 'gained 3']);
});

test('while storage does not answer it keeps what it has', async () => {
  const answer = { shards: held(1, 2) as { shard: number; fence: number }[] | null };
  const { shards, told } = newShards(answer);
  await shards.start();
  answer.shards = null;
  await shards.renew();
  expect([...shards.held]).toEqual([1, 2]);
  expect(shards.problem).toContain('no answer');
  expect(told).toEqual(['gained 1,2']);
});

test('a first start without storage decides about everything', async () => {
  const { shards } = newShards({ shards: null });
  await shards.start();
  expect(shards.held.size).toBe(64);
  expect(shards.owns('any-device')).toBe(true);
});

test('a shard that was in other hands in between is read again', async () => {
  const answer = { shards: held(1) as { shard: number; fence: number }[] | null };
  const { shards, told } = newShards(answer);
  await shards.start();
  answer.shards = [{ shard: 1, fence: 3 }];
  await shards.renew();
  expect(told).toEqual(['gained 1', 'gained 1']);
  const device = Array.from({ length: 1_000 }, (_, index) => `device-${index}`).find((name) => shardOf(name) === 1);
  expect(shards.fenceOf(device ?? '')).toBe(3);
});
