import { until } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { begin, broker, chunk, outbox, pause, uplink } from './test-uplink.ts';

test('while the durable lane lags, new chunks also travel live on a second connection, with the start record they need', async () => {
  const id = await begin();
  await outbox.append([chunk(id, 0)]);
  broker.hold();
  await uplink();
  await until(() => broker.clients.includes('gateway-1-live'), 10_000);
  await until(() => broker.live.some(({ stream }) => stream === 'recording'));
  await outbox.append([chunk(id, 1)]);
  await until(() => broker.live.some(({ stream, seq }) => stream === 'eeg' && seq === 1));
  broker.letGo();
  await until(async () => (await outbox.state()).pendingChunks === 0, 10_000);
  await pause(4_500); // the lane stays on for 3 s after the lag has gone
  const before = broker.live.length;
  await outbox.append([chunk(id, 2)]);
  await until(() => broker.seqs().includes(2));
  expect(broker.live.length).toBe(before);
});

test('the live lane begins with what waited before it was there, in order, each once and without a hole', async () => {
  const id = await begin();
  await uplink();
  await Promise.all([0, 1, 2].map((index) => outbox.append([chunk(id, index)])));
  await until(() => broker.seqs().length === 3);
  broker.hold();
  const live = () => broker.live.filter(({ stream }) => stream === 'eeg').map(({ seq }) => seq);
  let next = 3;
  await until(
    async () => {
      await outbox.append([chunk(id, next)]);
      next += 1;
      return live().length > 0;
    },
    { timeoutMs: 10_000, everyMs: 50 },
  );
  await outbox.append([chunk(id, next)]);
  await until(() => live().at(-1) === next);
  const first = live()[0] ?? next;
  expect(first).toBeLessThanOrEqual(3);
  expect(live()).toEqual(Array.from({ length: next + 1 - first }, (_, index) => first + index));
  broker.letGo();
  await until(async () => (await outbox.state()).pendingChunks === 0, 10_000);
});

test('a live connection that is refused is tried again, though the durable one stays', async () => {
  const id = await begin();
  await outbox.append([chunk(id, 0)]);
  broker.hold();
  broker.refusedLive = 1;
  const link = await uplink();
  await until(() => broker.refusedLive === 0, 10_000);
  await until(() => link.status().liveConnected, 10_000);
  expect(link.status().connects).toBe(1);
});
