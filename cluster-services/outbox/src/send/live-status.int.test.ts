import { join } from 'node:path';
import { systemClock } from '@vitalwire/runtime';
import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { Outbox } from '../outbox.ts';
import { begin, broker, chunk, dir, log, outbox, uplink, use } from './test-uplink.ts';

test('the clock offset comes from the hello', async () => {
  broker.skewUs = 7_000_000;
  const link = await uplink();
  await until(() => link.clock.source === 'front-door');
  expect(Math.abs(link.clock.offsetUs - 7_000_000)).toBeLessThanOrEqual(link.clock.uncertaintyUs);
});

test('the live status tells depth and certificate days while connected, and its end when the agent stops or its connection breaks', async () => {
  const link = await uplink({ statusEveryMs: 200, announce: true });
  await until(() => broker.statuses.length >= 2);
  expect(broker.statuses.at(-1)).toMatchObject({ gateway: 'gateway-1', session: outbox.session, online: true });
  expect(broker.statuses.at(-1)?.certificateDaysLeft).toBeGreaterThan(300);
  broker.dropClients();
  await until(() => broker.statuses.some(({ online }) => !online)); // the will
  await until(() => broker.statuses.at(-1)?.online === true, 8_000);
  await link.stop();
  await until(() => broker.statuses.at(-1)?.online === false);
});

test('the live status says what is wrong: a clock minutes off, readings given up, a rival; a machine can add its own', async () => {
  broker.skewUs = 600_000_000;
  broker.hasRival = true;
  let own: string[] = [];
  const link = await uplink({ statusEveryMs: 100, announce: true, problems: () => own });
  await until(() => link.problems().length === 2);
  expect(link.problems()).toEqual([expect.stringMatching(/another agent connects as gateway-1/), expect.stringMatching(/10 min behind/)]);
  await until(() => broker.statuses.at(-1)?.problem !== undefined);
  expect(broker.statuses.at(-1)?.problem).toMatch(/another agent .*\(and 1 more: /);
  own = ['the disk is full'];
  await until(() => broker.statuses.at(-1)?.problem?.startsWith('the disk is full (and 2 more') === true);
  await link.stop();
  await until(() => broker.statuses.at(-1)?.online === false);
  expect(broker.statuses.at(-1)).not.toHaveProperty('problem');
});

test('while readings are given up the outbox is full now, not in a while', async () => {
  await outbox.stop();
  const small = { path: join(dir, 'small.sqlite'), owner: 'gateway-1', version: '1', ringMs: 1e9, minFreeBytes: 0, announce: false };
  use(new Outbox({ ...small, maxBytes: 1024 * 1024, log, clock: systemClock }));
  await outbox.start();
  broker.hold();
  const id = await begin();
  const link = await uplink();
  for (let seq = 0; (await outbox.state()).evictedChunks === 0; seq += 1) await outbox.append([chunk(id, seq, 4_096)]);
  await until(() => link.problems().some((problem) => /outbox is full \(1 MB\) and gives up/.test(problem)));
  expect(link.liveStatus().secondsUntilFull).toBe(0);
});
