import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { createServer as createTcpServer } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { FaultProxy, freePort, TestPki, until, VirtualClock } from '@vitalwire/testkit';
import { Aedes, type PublishPacket } from 'aedes';
import { UniqueMessageIdProvider } from 'mqtt';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BusOptions, connectOnce, DurablePublisher, type DurablePublisherOptions, Subscriber, type SubscriberOptions } from './bus.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Lifecycle } from './lifecycle.ts';
import { createLog } from './log.ts';
import { type Identity, identityOf } from './pki.ts';

const logged: string[] = [];
const log = createLog({ name: 'test', destination: { write: (line) => void logged.push(line) } });
const signal = new AbortController().signal;

// A real MQTT broker behind TLS that asks for client certificates, as the front door does.
class Door {
  readonly port: number;
  readonly arrived: string[] = [];
  readonly received: { topic: string; text: string; qos: number; client: string }[] = [];
  readonly peers: (string | undefined)[] = [];
  hold: ((packet: PublishPacket) => Promise<void> | undefined) | null = null;
  onConnection: ((socket: TLSSocket) => void) | null = null;
  outstanding = 0;
  mostOutstanding = 0;
  mostOutstandingBytes = 0;
  #outstandingBytes = 0;
  #server: Server | null = null;
  #broker: Aedes | null = null;
  readonly #identity: Identity;

  constructor(port: number, identity: Identity) {
    this.port = port;
    this.#identity = identity;
  }

  async open(): Promise<void> {
    const broker = await Aedes.createBroker({ drainTimeout: 2_000 });
    broker.authorizePublish = (client, packet, done) => {
      const finish = (): void => {
        this.received.push({ topic: packet.topic, text: packet.payload.toString(), qos: packet.qos, client: client?.id ?? '' });
        done(null);
      };
      this.arrived.push(packet.payload.toString());
      const held = packet.qos === 0 ? undefined : this.hold?.(packet);
      if (held === undefined) {
        finish();
        return;
      }
      this.#count(1, packet.payload.length);
      held.then(finish, done).finally(() => this.#count(-1, -packet.payload.length));
    };
    broker.authorizeSubscribe = (_client, subscription, done) =>
      done(null, subscription.topic.startsWith('forbidden') ? null : subscription);
    const read = (path: string): Buffer => readFileSync(path);
    const server = createServer(
      { cert: read(this.#identity.certPath), key: read(this.#identity.keyPath), ca: read(this.#identity.caPath), requestCert: true },
      (socket) => {
        socket.on('error', () => {});
        const peer = socket.getPeerCertificate();
        this.peers.push(`${identityOf(peer)?.id} ${peer.serialNumber}`);
        if (this.onConnection === null) broker.handle(socket);
        else this.onConnection(socket);
      },
    );
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.#server = server;
    this.#broker = broker;
  }

  // Accepts at MQTT level and drops the connection at once.
  kickAfterConnack(): void {
    this.onConnection = (socket) => socket.once('data', () => socket.end(Buffer.from([0x20, 2, 0, 0])));
  }

  send(topic: string, text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#broker?.publish({ cmd: 'publish', topic, payload: Buffer.from(text), qos: 0, retain: false, dup: false }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  async close(): Promise<void> {
    const [server, broker] = [this.#server, this.#broker];
    this.#server = null;
    this.#broker = null;
    if (broker !== null) await new Promise<void>((resolve) => broker.close(() => resolve()));
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #count(packets: number, bytes: number): void {
    this.outstanding += packets;
    this.#outstandingBytes += bytes;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    this.mostOutstandingBytes = Math.max(this.mostOutstandingBytes, this.#outstandingBytes);
  }
}

let pki: TestPki;
let identity: Identity;
let door: Door;
let common: BusOptions;
const parts: Lifecycle[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
  identity = await pki.service('prediction');
});
afterAll(() => pki.remove());
beforeEach(async () => {
  door = new Door(await freePort(), await pki.service('ingest'));
  await door.open();
  logged.length = 0;
  common = { url: `mqtts://127.0.0.1:${door.port}`, identity, clientId: 'prediction-pub', log, random: () => 0.02 };
});
afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop();
  await door.close();
});

async function publisher(options: Partial<DurablePublisherOptions> = {}): Promise<DurablePublisher> {
  const made = new DurablePublisher({ ...common, liveClientId: null, drainMs: 100, ...options });
  parts.push(made);
  await made.start(signal);
  return made;
}

async function subscriber(options: Partial<SubscriberOptions> & Pick<SubscriberOptions, 'onMessage'>): Promise<Subscriber> {
  const made = new Subscriber({ ...common, clientId: 'prediction-sub', topics: ['data/#'], ...options });
  parts.push(made);
  await made.start(signal);
  return made;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

// A clock whose sleeps are short, and are written down.
function impatientClock(): { clock: Clock; sleeps: number[] } {
  const sleeps: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, stop) => {
      sleeps.push(ms);
      return systemClock.sleep(1, stop);
    },
  };
  return { clock, sleeps };
}

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

describe('a durable publisher', () => {
  test('says a message is published when it is acknowledged, not when it is sent', async () => {
    const release = Promise.withResolvers<void>();
    door.hold = () => release.promise;
    const sender = await publisher();
    let done = false;
    const publishing = sender.publish('data/1', bytes('one')).then(() => {
      done = true;
    });
    await until(() => door.outstanding === 1);
    await systemClock.sleep(50);
    expect(done).toBe(false);
    release.resolve();
    await publishing;
    expect(sender.pending).toEqual({ packets: 0, bytes: 0 });
  });

  test('loses nothing and keeps the order through connections that are cut again and again', async () => {
    const proxy = await FaultProxy.start(door.port);
    door.hold = () => systemClock.sleep(Math.random() * 4);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}` });
    const names = Array.from({ length: 1_500 }, (_item, index) => `m${index}`);
    const publishing = Promise.all(names.map((name) => sender.publish('data/1', bytes(name))));
    for (let cuts = 1; cuts <= 6; cuts += 1) {
      await until(() => sender.pending.packets < 1_500 - cuts * 150, 20_000);
      proxy.cut();
    }
    await publishing;
    expect([...new Set(door.arrived)]).toEqual(names);
    expect(new Set(door.received.map(({ text }) => text)).size).toBe(names.length);
    expect(proxy.accepted).toBeGreaterThan(6);
    await sender.stop();
    await proxy.close();
  });

  test('begins again at the oldest unacknowledged message, in order', async () => {
    const proxy = await FaultProxy.start(door.port);
    const never = new Promise<void>(() => {});
    door.hold = () => never;
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}` });
    const publishing = Promise.all(['a', 'b', 'c'].map((name) => sender.publish('data/1', bytes(name))));
    await until(() => door.outstanding === 3);
    door.hold = null;
    proxy.cut();
    await publishing;
    expect(door.received.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    await sender.stop();
    await proxy.close();
  });

  test.each([
    ['64 packets', 100, 64],
    ['256 KiB', 40 * 1024, 6],
  ])('has at most %s unacknowledged on the way', async (_what, size, most) => {
    const release = Promise.withResolvers<void>();
    door.hold = () => release.promise;
    const sender = await publisher();
    const publishing = Promise.all(Array.from({ length: 100 }, () => sender.publish('data/1', new Uint8Array(size))));
    await until(() => door.outstanding > 0);
    await systemClock.sleep(100);
    expect(door.mostOutstanding).toBeLessThanOrEqual(most);
    release.resolve();
    await publishing;
    expect(door.mostOutstanding).toBeLessThanOrEqual(most);
    expect(door.mostOutstandingBytes).toBeLessThanOrEqual(256 * 1024);
  });

  test('sends a message larger than the byte window by itself', async () => {
    const sender = await publisher({ windowBytes: 10 });
    await Promise.all(['much too large', 'so is this one'].map((text) => sender.publish('data/1', bytes(text))));
    expect(door.received).toHaveLength(2);
  });

  test('holds a bounded number of messages and bytes while nobody is there, and says so', async () => {
    await door.close();
    const byCount = await publisher({ queueLimit: 2 });
    const kept = [byCount.publish('data/1', bytes('a')), byCount.publish('data/1', bytes('b'))];
    await expect(byCount.publish('data/1', bytes('c'))).rejects.toMatchObject({ code: 'QUEUE_FULL', retry: true });
    const byBytes = await publisher({ queueBytes: 10 });
    kept.push(byBytes.publish('data/1', new Uint8Array(8)));
    await expect(byBytes.publish('data/1', new Uint8Array(3))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await door.open();
    await Promise.all(kept);
  });

  test('connects again and sends everything again when no acknowledgement comes for 30 s', async () => {
    const clock = new VirtualClock();
    const never = new Promise<void>(() => {});
    door.hold = () => never;
    const sender = await publisher({ clock });
    const publishing = sender.publish('data/1', bytes('a'));
    await until(() => door.outstanding === 1);
    door.hold = null;
    await clock.advance(29_999);
    expect(sender.connected).toBe(true);
    await clock.advance(1);
    await until(() => !sender.connected);
    await until(async () => {
      await clock.advance(1_000);
      return sender.connected;
    });
    await publishing;
  });

  test('waits 1 s, 2 s, 4 s … up to 60 s (times chance) while nobody is there', async () => {
    await door.close();
    const { clock, sleeps } = impatientClock();
    await publisher({ clock, random: () => 1 });
    await until(() => sleeps.length >= 9);
    expect(sleeps.slice(0, 9)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1000));
  });

  test('counts a kick right after the CONNACK as a failure', async () => {
    door.kickAfterConnack();
    const { clock, sleeps } = impatientClock();
    await publisher({ clock, random: () => 1 });
    await until(() => sleeps.length >= 5);
    expect(sleeps.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
  });

  test('at its stop waits for what is on the way, then tells what was not acknowledged', async () => {
    const slow = Promise.withResolvers<void>();
    const never = new Promise<void>(() => {});
    door.hold = (packet) => (packet.payload.toString() === 'slow' ? slow.promise : never);
    const sender = await publisher({ drainMs: 300 });
    const first = sender.publish('data/1', bytes('slow'));
    const second = sender.publish('data/1', bytes('lost')).catch((error: unknown) => error);
    await until(() => door.outstanding === 2);
    const stopping = sender.stop();
    setTimeout(() => slow.resolve(), 50);
    await first;
    await stopping;
    expect(await second).toMatchObject({ code: 'STOPPED', retry: true });
    await expect(sender.publish('data/1', bytes('late'))).rejects.toMatchObject({ code: 'STOPPED' });
    await sender.stop();
  });

  test('stops soon even when the network is stalled', async () => {
    const proxy = await FaultProxy.start(door.port);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}` });
    await until(() => sender.connected);
    proxy.stall();
    const beganMs = performance.now();
    await sender.stop();
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    await proxy.close();
  });

  test('live messages have a connection of their own and flow while every durable one is held', async () => {
    const never = new Promise<void>(() => {});
    door.hold = () => never;
    const sender = await publisher({ liveClientId: undefined as never });
    const held = Array.from({ length: 100 }, () => sender.publish('data/1', new Uint8Array(8_000)).catch(() => {}));
    await until(() => door.outstanding > 10 && door.peers.length === 2);
    await until(() => {
      sender.publishLive('data/1/live', bytes('now'));
      return door.received.some(({ text, qos, client }) => text === 'now' && qos === 0 && client === 'prediction-live');
    });
    await sender.stop();
    await Promise.all(held);
  });

  test('live messages are dropped and counted while offline, never kept', async () => {
    await door.close();
    const sender = await publisher({ liveClientId: 'prediction-live' });
    sender.publishLive('data/1/live', bytes('stale'));
    expect(sender.liveDropped).toBe(1);
    await door.open();
    await until(() => sender.connected && door.peers.length === 2);
    await sender.publish('data/1', bytes('fresh'));
    expect(door.received.map(({ text }) => text)).toEqual(['fresh']);
  });

  test('live messages are dropped, not piled up, when their connection does not keep up', async () => {
    const proxy = await FaultProxy.start(door.port);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}`, liveClientId: 'prediction-live' });
    await until(() => {
      sender.publishLive('data/1/live', bytes('x'));
      return door.received.length > 0;
    });
    proxy.stall();
    const before = sender.liveDropped;
    for (let i = 0; i < 1_000; i += 1) {
      sender.publishLive('data/1/live', new Uint8Array(40_000));
      if (i % 50 === 0) await systemClock.sleep(1);
    }
    expect(sender.liveDropped - before).toBeGreaterThan(500); // the system's own socket buffers take a few MB
    await sender.stop();
    await proxy.close();
  });

  test('uses a renewed certificate at the next connection, and the last good one while the new file is half written', async () => {
    const own = await pki.service('renewing');
    const other = await (await TestPki.create()).service('renewing'); // only to have other bytes
    const paths = { certPath: `${own.certPath}.live`, keyPath: `${own.keyPath}.live`, caPath: own.caPath };
    await copyFile(own.certPath, paths.certPath);
    await copyFile(own.keyPath, paths.keyPath);
    const proxy = await FaultProxy.start(door.port);
    const sender = await publisher({ url: `mqtts://127.0.0.1:${proxy.port}`, identity: paths });
    await until(() => sender.connected);
    const again = async (): Promise<string | undefined> => {
      const before = door.peers.length;
      proxy.cut();
      await until(() => door.peers.length > before && sender.connected);
      return door.peers.at(-1);
    };
    const first = door.peers.at(-1);
    writeFileSync(paths.certPath, readFileSync(other.certPath).subarray(0, 300));
    expect(await again()).toBe(first);
    expect(logged.join('')).toContain('keeping the certificate in use');
    const renewed = await pki.pki.issue('renewing', { kind: 'service' });
    await copyFile(renewed.certPath, paths.certPath);
    await copyFile(renewed.keyPath, paths.keyPath);
    expect(await again()).not.toBe(first);
    await sender.stop();
    await proxy.close();
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
