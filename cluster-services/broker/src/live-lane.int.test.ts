import { publishPacket, subscribePacket } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { bus, Commits, everything, listen, liveTopic, openDoor, pki, raw, topic, until } from './test-door.ts';

describe('the live lane', () => {
  test('is routed at once while every commit waits', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, 'vw/1/+/+/+/+/live');
    const durable = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    for (let id = 1; id <= 30; id += 1) durable.send(publishPacket(topic, Buffer.alloc(5_000), id));
    const live = await bus(on, await pki.gateway('gw-1'), 'gw-1-live');
    for (let index = 0; index < 100; index += 1) await live.publishAsync(liveTopic, String(index));
    await until(() => received.length === 100);
    expect(received.map((message) => Number(message.payload.toString()))).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(durable.acks).toEqual([]);
  });

  test('drops what accept refuses, without ending anybody', async () => {
    const on = await openDoor({
      accept: { durable: async () => 'route', live: ({ payload }) => (payload[0] === 0x78 ? 'foreign-recording' : null) },
    });
    const received = await listen(on, everything);
    const live = await bus(on, await pki.gateway('gw-1'), 'gw-1-live');
    for (const text of ['x bad', 'good', 'x bad', 'better']) await live.publishAsync(liveTopic, text);
    await until(() => received.length === 2);
    expect(received.map((message) => message.payload.toString())).toEqual(['good', 'better']);
  });

  test('a subscriber that stops reading is dropped, and nobody loses a message over it', { timeout: 30_000 }, async () => {
    const on = await openDoor({ limits: { drainTimeoutMs: 500, subscriberBufferBytes: 64 * 1024 } });
    const received = await listen(on, 'vw/1/+/+/+/eeg');
    const stalled = await raw(on, await pki.service('prediction'), { clientId: 'prediction-sub' });
    stalled.send(subscribePacket(1, 'vw/1/+/+/+/eeg'));
    await until(() => stalled.packets.some((packet) => packet.first === 0x90));
    stalled.socket.pause();
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    const payload = Buffer.alloc(30_000);
    const began = performance.now();
    for (let round = 0; round < 40; round += 1)
      await Promise.all(Array.from({ length: 20 }, () => gateway.publishAsync(topic, payload, { qos: 1 })));
    await until(() => received.length === 800);
    expect(performance.now() - began).toBeLessThan(15_000);
    await until(() => on.openConnections === 2);
  });
});
