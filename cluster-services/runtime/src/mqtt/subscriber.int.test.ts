import { createServer as createTcpServer } from 'node:net';
import { FaultProxy, TestPki, until } from '@vitalwire/testkit';
import { UniqueMessageIdProvider } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { connectOnce } from './connect.ts';
import type { BusOptions } from './link.ts';
import { Subscriber, type SubscriberOptions } from './subscriber.ts';
import { common, door, identity, logged, parts, pki, signal } from './test-bus.ts';

describe('one connection', () => {
  test('is made with the certificate, keeps nothing while offline and numbers packets without collisions', async () => {
    const client = await connectOnce({ ...common, clientId: 'prediction-sub' });
    expect(client.options).toMatchObject({ protocolVersion: 4, clean: true, reconnectPeriod: 0, queueQoSZero: false, resubscribe: false });
    expect(client.messageIdProvider).toBeInstanceOf(UniqueMessageIdProvider);
    expect(door.peers[0]).toMatch(/^prediction /);
    client.end(true);
  });

  test.each<[string, () => Promise<Partial<BusOptions>>, string, string]>([
    ['nobody is there', async () => ({ url: 'mqtts://127.0.0.1:1' }), 'FRONT_DOOR_UNREACHABLE', 'ECONNREFUSED'],
    [
      'the certificate is missing',
      async () => ({ identity: { ...identity, certPath: '/nowhere/x.pem' } }),
      'CERTIFICATE_UNREADABLE',
      '/nowhere/x.pem',
    ],
    [
      'the server is of another authority',
      async () => ({ identity: { ...identity, caPath: (await TestPki.create()).caPath } }),
      'FRONT_DOOR_UNREACHABLE',
      'certificate',
    ],
    [
      'the client is of another authority',
      async () => ({ identity: { ...(await (await TestPki.create()).service('prediction')), caPath: pki.caPath } }),
      'FRONT_DOOR_UNREACHABLE',
      '',
    ],
    ['the certificate names another host', async () => ({ url: `mqtts://127.0.0.2:${door.port}` }), 'FRONT_DOOR_UNREACHABLE', ''],
  ])('tells when %s', async (_what, wrong, code, words) => {
    const error: unknown = await connectOnce({ ...common, ...(await wrong()) }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  test('tells when the front door refuses, with its reason', async () => {
    door.onConnection = (socket) => socket.once('data', () => socket.end(Buffer.from([0x20, 2, 0, 5])));
    await expect(connectOnce(common)).rejects.toMatchObject({
      code: 'FRONT_DOOR_REFUSED',
      message: expect.stringContaining('Not authorized'),
    });
  });

  test('gives up on a server that never answers, and at once when told to', async () => {
    const silent = createTcpServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const url = `mqtts://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    await expect(connectOnce({ ...common, url, connectTimeoutMs: 100 })).rejects.toMatchObject({ code: 'FRONT_DOOR_UNREACHABLE' });
    const abort = new AbortController();
    const connecting = connectOnce({ ...common, url, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(connecting).rejects.toMatchObject({ name: 'AbortError' });
    silent.close();
  });
});

describe('a subscriber', () => {
  test('hands over messages one after the other, in order, and goes on after one that fails', async () => {
    const seen: string[] = [];
    let running = 0;
    let most = 0;
    const reader = await subscriber({
      onMessage: async (_topic, payload) => {
        running += 1;
        most = Math.max(most, running);
        await systemClock.sleep(1);
        running -= 1;
        const text = Buffer.from(payload).toString();
        if (text === '3') throw new Error('cannot handle 3');
        seen.push(text);
      },
    });
    await until(() => reader.connected);
    for (let i = 0; i < 10; i += 1) await door.send('data/1', String(i));
    await until(() => seen.length === 9);
    expect(seen).toEqual(['0', '1', '2', '4', '5', '6', '7', '8', '9']);
    expect(most).toBe(1);
    expect(logged.join('')).toContain('cannot handle 3');
  });

  test('handles every message of a burst, also those that come while the last one is being finished', async () => {
    const seen: string[] = [];
    const reader = await subscriber({ onMessage: (_topic, payload) => void seen.push(Buffer.from(payload).toString()) });
    await until(() => reader.connected);
    await Promise.all(Array.from({ length: 500 }, (_item, index) => door.send('data/1', String(index))));
    await until(() => seen.length === 500);
    expect(reader.dropped).toBe(0);
  });

  test('drops the oldest when its queue is full, counts them, and keeps reading', async () => {
    const seen: string[] = [];
    const drops: number[] = [];
    const gate = Promise.withResolvers<void>();
    const reader = await subscriber({
      queueLimit: 3,
      onMessage: async (_topic, payload) => {
        await gate.promise;
        seen.push(Buffer.from(payload).toString());
      },
      onDropped: (count) => void drops.push(count),
    });
    await until(() => reader.connected);
    for (let i = 0; i < 10; i += 1) await door.send('data/1', String(i));
    await until(() => reader.dropped === 6); // 0 is in the handler, 7 8 9 wait
    gate.resolve();
    await until(() => seen.length === 4);
    expect(seen).toEqual(['0', '7', '8', '9']);
    expect(drops).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('subscribes again after each lost connection, and tells', async () => {
    const proxy = await FaultProxy.start(door.port);
    let connections = 0;
    const seen: string[] = [];
    const reader = await subscriber({
      url: `mqtts://127.0.0.1:${proxy.port}`,
      onMessage: (_topic, payload) => void seen.push(Buffer.from(payload).toString()),
      onConnected: () => {
        connections += 1;
      },
    });
    for (let i = 1; i <= 3; i += 1) {
      await until(() => connections === i && reader.connected);
      await door.send('data/1', String(i));
      await until(() => seen.length === i);
      proxy.cut();
      await until(() => !reader.connected);
    }
    expect(seen).toEqual(['1', '2', '3']);
    await reader.stop();
    await proxy.close();
  });

  test('does not count as connected while a topic is refused', async () => {
    const reader = await subscriber({ topics: ['data/#', 'forbidden/#'], onMessage: () => {} });
    await until(() => logged.some((line) => line.includes('forbidden/#')));
    expect(reader.connected).toBe(false);
  });

  test('starts without a front door, and stops at once', async () => {
    await door.close();
    const reader = await subscriber({ onMessage: () => {}, random: () => 1 });
    await systemClock.sleep(20);
    expect(reader.connected).toBe(false);
    const beganMs = performance.now();
    await reader.stop();
    await reader.stop();
    expect(performance.now() - beganMs).toBeLessThan(500);
  });

  test('hands over nothing more once it is stopped', async () => {
    let seen = 0;
    const reader = await subscriber({
      onMessage: () => {
        seen += 1;
      },
    });
    await until(() => reader.connected);
    await door.send('data/1', 'x');
    await until(() => seen === 1);
    await reader.stop();
    await door.send('data/1', 'y');
    await systemClock.sleep(30);
    expect(seen).toBe(1);
  });
});

async function subscriber(options: Partial<SubscriberOptions> & Pick<SubscriberOptions, 'onMessage'>): Promise<Subscriber> {
  const made = new Subscriber({ ...common, clientId: 'prediction-sub', topics: ['data/#'], ...options });
  parts.push(made);
  await made.start(signal);
  return made;
}
