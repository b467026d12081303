import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { commandTopic, decodeHello, decodeLiveStatus, encodeLiveStatus, formatTopic, newRecordingId } from '@vitalwire/contract';
import { connectOnce, createLog, type Identity, Pki, Registry, systemClock } from '@vitalwire/runtime';
import {
  connectPacket,
  publishPacket,
  RawMqtt,
  rawPacket,
  removeTempDir,
  subscribePacket,
  TestPki,
  tempDir,
  until as untilWithin,
} from '@vitalwire/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type Acceptance,
  createFrontDoor,
  type Delivery,
  type FrontDoor,
  type FrontDoorOptions,
  type PresenceChange,
  type TestOnly,
} from './index.ts';

type Bus = Awaited<ReturnType<typeof connectOnce>>;

const topic = formatTopic('gw-1', 'dev-1', 'eeg');
const liveTopic = formatTopic('gw-1', 'dev-1', 'eeg', true);
/** Long enough for a busy machine: what is tested is that it happens, bounds that matter are measured. */
function until<T>(fn: () => T | Promise<T>, what = fn.toString()): ReturnType<typeof untilWithin<T>> {
  return untilWithin(fn, { timeoutMs: 20_000, what });
}

let pki: TestPki;
let door: FrontDoor | null = null;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await door?.stop();
  door = null;
});
afterAll(() => pki.remove());

/** Commits that the test settles by hand. */
class Commits {
  readonly waiting: { delivery: Delivery; resolve: (acceptance: Acceptance) => void; reject: (error: Error) => void }[] = [];
  readonly taken: string[] = [];

  readonly durable = (delivery: Delivery): Promise<Acceptance> => {
    this.taken.push(Buffer.from(delivery.payload).toString());
    return new Promise((resolve, reject) => this.waiting.push({ delivery, resolve, reject }));
  };
}

async function openDoor(options: Partial<FrontDoorOptions> = {}, testOnly: TestOnly = {}): Promise<FrontDoor> {
  door = createFrontDoor(
    {
      host: '127.0.0.1',
      port: 0,
      identity: await pki.service('ingest'),
      accept: { durable: async () => 'route', live: () => null },
      hello: () => Promise.reject(new Error('not known')),
      log: createLog({ name: 'test', level: 'silent' }),
      clock: systemClock,
      registry: new Registry(),
      ...options,
      limits: { stopWithinMs: 500, ...options.limits },
    },
    testOnly,
  );
  await door.start();
  return door;
}

async function bus(on: FrontDoor, identity: Identity, clientId: string): Promise<Bus> {
  const client = await connectOnce({ url: `mqtts://127.0.0.1:${on.port}`, identity, clientId });
  client.on('error', () => {}); // a test that ends a connection looks at `close`
  ends.push(() => client.endAsync(true));
  return client;
}

async function raw(on: FrontDoor, identity: Identity, connecting: Parameters<RawMqtt['connect']>[0] = {}): Promise<RawMqtt> {
  const client = await RawMqtt.open(on.port, identity, pki.caPath);
  ends.push(() => client.end());
  expect(await client.connect(connecting)).toBe(0);
  return client;
}

type Received = { topic: string; payload: Buffer };
const everything = ['vw/1/+/+/+/+', 'vw/1/+/+/+/+/live'];

async function listen(on: FrontDoor, filter: string | string[], name = 'web'): Promise<Received[]> {
  const client = await bus(on, await pki.service(name), `${name}-sub`);
  const received: Received[] = [];
  client.on('message', (at, payload) => received.push({ topic: at, payload }));
  await client.subscribeAsync(filter);
  return received;
}

describe('a PUBACK means committed', () => {
  test('it leaves only after the commit, and the message is routed only then', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, 'vw/1/+/+/+/eeg');
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    let isAcked = false;
    const acked = gateway.publishAsync(topic, 'reading', { qos: 1 }).then(() => {
      isAcked = true;
    });
    const { delivery, resolve } = await until(() => commits.waiting.shift());
    await systemClock.sleep(150);
    expect(isAcked).toBe(false);
    expect(received).toEqual([]);
    expect(delivery).toMatchObject({
      sender: { kind: 'gateway', id: 'gw-1' },
      topicText: topic,
      topic: { gateway: 'gw-1', device: 'dev-1', stream: 'eeg', live: false },
    });
    resolve('route');
    await acked;
    await until(() => received.length === 1);
    expect(received[0]?.payload.toString()).toBe('reading');
  });

  test('what was being committed as its sender went is routed all the same, and what was kept is not', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, 'vw/1/+/+/+/eeg');
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(publishPacket(topic, Buffer.from('the last before the link broke'), 1));
    const { delivery, resolve } = await until(() => commits.waiting.shift());
    client.end();
    await until(() => delivery.isAbandoned());
    resolve('route');
    await until(() => received.length === 1);
    expect(received[0]?.payload.toString()).toBe('the last before the link broke');

    const kept = await raw(on, await pki.gateway('gw-1'));
    kept.send(publishPacket(topic, Buffer.from('nobody understands it'), 1));
    const refused = await until(() => commits.waiting.shift());
    kept.end();
    await until(() => refused.delivery.isAbandoned());
    refused.resolve('keep');
    await systemClock.sleep(150);
    expect(received).toHaveLength(1);
  });

  test('acknowledgements of a client leave in arrival order, though the commits return in another', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const client = await raw(on, await pki.gateway('gw-1'));
    for (let id = 1; id <= 20; id += 1) client.send(publishPacket(topic, Buffer.from(String(id)), id));
    await until(() => commits.waiting.length === 20);
    for (const { resolve } of commits.waiting.toReversed()) {
      expect(client.acks).toEqual([]);
      resolve('route');
    }
    await until(() => client.acks.length === 20);
    expect(client.acks).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('without a commit in time that client is dropped, after the acknowledgements it has earned; others stay', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const client = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    const other = await raw(on, await pki.gateway('gw-2'), { clientId: 'gw-2' });
    client.send(
      publishPacket(topic, Buffer.from('first'), 1),
      publishPacket(topic, Buffer.from('second'), 2),
      publishPacket(topic, Buffer.from('third'), 3),
    );
    other.send(publishPacket(formatTopic('gw-2', 'dev', 'eeg'), Buffer.from('other'), 9));
    await until(() => commits.waiting.length === 4);
    commits.waiting.find(({ delivery }) => delivery.sender.id === 'gw-2')?.resolve('route');
    const [first, second, third] = commits.waiting.filter(({ delivery }) => delivery.sender.id === 'gw-1');
    third?.resolve('route');
    first?.resolve('route');
    second?.reject(new Error('the database did not answer'));
    await client.closed();
    expect(client.acks).toEqual([1]);
    expect(second?.delivery.isAbandoned()).toBe(true);
    await until(() => other.acks.length === 1);
  });

  test('a client whose whole window is overdue is one client dropped, and one line in the log', async () => {
    const commits = new Commits();
    const registry = new Registry();
    const lines: string[] = [];
    const log = createLog({ name: 'test', level: 'warn', destination: { write: (line: string) => void lines.push(line) } });
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, registry, log });
    const gateway = await raw(on, await pki.gateway('gw-1'));
    gateway.send(...['a', 'b', 'c'].map((text, index) => publishPacket(topic, Buffer.from(text), index + 1)));
    await until(() => commits.waiting.length === 3);
    for (const { reject } of commits.waiting) reject(new Error('no commit in time'));
    await gateway.closed();
    expect(lines.filter((line) => line.includes('client dropped'))).toHaveLength(1);
    expect(await registry.metrics()).toContain('vitalwire_clients_dropped_total{reason="storage-behind"} 1');
  });

  test('what went to quarantine is acknowledged, but nobody takes it for a reading', async () => {
    const on = await openDoor({ accept: { durable: async () => 'keep', live: () => null } });
    const received = await listen(on, everything);
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    await gateway.publishAsync(topic, 'poison', { qos: 1 });
    await gateway.publishAsync(liveTopic, 'marker');
    await until(() => received.length > 0);
    expect(received.map((message) => message.payload.toString())).toEqual(['marker']);
  });

  test('at QoS 2 the PUBREC waits for the commit too', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(publishPacket(topic, Buffer.from('exactly'), 7, 0x34));
    const { resolve } = await until(() => commits.waiting.shift());
    await systemClock.sleep(100);
    expect(client.packets.map((packet) => packet.first)).toEqual([0x20]);
    resolve('route');
    await until(() => client.packets.some((packet) => packet.first === 0x50));
    client.send(rawPacket(0x62, [[0, 7]]));
    await until(() => client.packets.some((packet) => packet.first === 0x70));
  });

  test('the switch that breaks the promise does break it, so that a test for loss can prove itself', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } }, { ackBeforeCommit: true });
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    await gateway.publishAsync(topic, 'lost when the process dies now', { qos: 1 });
    expect(commits.waiting).toHaveLength(1);
  });

  test('the switch for benchmarks listens without TLS for one sender, and that sender may no more than its own', async () => {
    const on = await openDoor({}, { plainTcpAs: { kind: 'gateway', id: 'gw-1' } });
    const plainly = async (to: string): Promise<Buffer[]> => {
      const socket = connect({ host: '127.0.0.1', port: on.port });
      ends.push(() => socket.destroy());
      const answers: Buffer[] = [];
      let isClosed = false;
      socket
        .on('data', (bytes) => answers.push(bytes))
        .on('close', () => {
          isClosed = true;
        });
      socket.write(Buffer.concat([connectPacket({ clientId: to }), publishPacket(to, Buffer.from('x'), 9)]));
      await until(() => isClosed || Buffer.concat(answers).byteLength >= 8);
      return answers;
    };
    expect(Buffer.concat(await plainly(topic)).toString('hex')).toBe('2002000040020009');
    expect(Buffer.concat(await plainly(formatTopic('gw-2', 'dev-1', 'eeg'))).toString('hex')).toBe('20020000');
  });

  test('without that switch a client without TLS gets no answer', async () => {
    const on = await openDoor();
    const socket = connect({ host: '127.0.0.1', port: on.port });
    ends.push(() => socket.destroy());
    const answers: Buffer[] = [];
    socket.on('data', (bytes) => answers.push(bytes)).on('error', () => {});
    socket.write(connectPacket({ clientId: 'gw-1' }));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(answers)[0] ?? 0).not.toBe(0x20); // a TLS alert at most, never a CONNACK
  });

  test('a clean stop acknowledges what was begun and takes nothing new', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, limits: { stopWithinMs: 5_000 } });
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(publishPacket(topic, Buffer.from('begun'), 1));
    const { resolve } = await until(() => commits.waiting.shift());
    const stopped = on.stop();
    await systemClock.sleep(50);
    client.send(publishPacket(topic, Buffer.from('too late'), 2));
    await systemClock.sleep(50);
    resolve('route');
    await stopped;
    await client.closed();
    expect(client.acks).toEqual([1]);
    expect(commits.taken).toEqual(['begun']);
    await expect(RawMqtt.open(on.port, await pki.gateway('gw-1'))).rejects.toThrow();
  });
});

describe('a certificate decides who one is and what one may', () => {
  test('no certificate, one of another authority, or one without a kind gets nowhere', async () => {
    const on = await openDoor();
    const elsewhere = await TestPki.create();
    ends.push(() => elsewhere.remove());
    const strangers: Parameters<typeof RawMqtt.open>[1][] = [null, { ...(await elsewhere.gateway('gw-1')), caPath: pki.caPath }];
    for (const stranger of strangers) {
      const attempt = RawMqtt.open(on.port, stranger, pki.caPath).then(async (client) => {
        client.send([0x10, 0]);
        await client.closed();
        expect(client.packets).toEqual([]);
      });
      await attempt.catch(() => {}); // refused during the handshake or right behind it: TLS 1.3 tells the client late
    }
    expect(on.openConnections).toBe(0);
  });

  test('a connection ends with its certificate, and the expired one makes no other', async () => {
    const on = await openDoor();
    const identity = await pki.pki.issue('gw-short', { kind: 'gateway', days: 3_605 / 86_400 });
    const client = await bus(on, identity, 'gw-short');
    await new Promise<void>((resolve) => client.once('close', () => resolve()));
    await until(() => on.openConnections === 0);
    await expect(bus(on, identity, 'gw-short')).rejects.toThrow(/front door/i);
  });

  test('a forbidden publish ends its connection and is neither committed nor routed', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
    const received = await listen(on, everything);
    const wrongShard = topic.replace(/^vw\/1\/\d\d/, `vw/1/${String((Number(topic.slice(5, 7)) + 1) % 64).padStart(2, '0')}`);
    const forbidden: [string, string, Buffer][] = [
      ['another gateway', 'gw-1', publishPacket(formatTopic('gw-2', 'dev-1', 'eeg'), Buffer.from('x'), 1)],
      ['another shard', 'gw-1', publishPacket(wrongShard, Buffer.from('x'), 1)],
      ['QoS 0 on a durable topic', 'gw-1', publishPacket(topic, Buffer.from('x'), null)],
      ['QoS 1 on a live topic', 'gw-1', publishPacket(liveTopic, Buffer.from('x'), 1)],
      ['retain', 'gw-1', publishPacket(topic, Buffer.from('x'), 1, 0x33)],
      ['the status of a device', 'gw-1', publishPacket(formatTopic('gw-1', 'dev-1', 'status'), Buffer.from('x'), 1)],
      ['its own commands', 'gw-1', publishPacket(commandTopic('gw-1'), Buffer.from('x'), 1)],
      ['$SYS', 'gw-1', publishPacket('$SYS/x/new/clients', Buffer.from('x'), 1)],
      ['data from a service', 'web', publishPacket(topic, Buffer.from('x'), 1)],
      ['eeg from prediction', 'prediction', publishPacket(topic, Buffer.from('x'), 1)],
    ];
    for (const [what, who, bytes] of forbidden) {
      const client = await raw(on, who === 'gw-1' ? await pki.gateway(who) : await pki.service(who), { clientId: `${who}-x` });
      client.send(bytes);
      await until(() => client.isClosed, what);
      expect(client.acks, what).toEqual([]);
    }
    expect(commits.taken).toEqual([]);
    expect(received).toEqual([]);
  });

  test('prediction publishes detections of any gateway', async () => {
    const on = await openDoor();
    const received = await listen(on, 'vw/1/+/+/+/detection');
    const prediction = await bus(on, await pki.service('prediction'), 'prediction-pub');
    await prediction.publishAsync(formatTopic('gw-9', 'dev-1', 'detection'), 'd', { qos: 1 });
    await until(() => received.length === 1);
  });

  test('nobody can end a stranger: neither through $SYS nor by taking its client id', async () => {
    const on = await openDoor();
    const victim = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    const foe = await pki.gateway('gw-2');
    for (const name of ['gw-1', 'gateway:gw-1/gw-1']) {
      const attacker = await raw(on, foe, { clientId: `gw-2-${name.length}` });
      attacker.send(publishPacket('$SYS/x/new/clients', Buffer.from(name), null));
      await attacker.closed();
      await raw(on, foe, { clientId: name });
    }
    victim.send(publishPacket(topic, Buffer.from('still here'), 1));
    await until(() => victim.acks.length === 1);
  });

  test('the same certificate and client id take over their half-open predecessor', async () => {
    const on = await openDoor();
    const before = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1' });
    await before.closed();
  });

  test('a gateway that asks for data hears 0x80, and stays connected', async () => {
    const on = await openDoor();
    const client = await raw(on, await pki.gateway('gw-1'));
    client.send(subscribePacket(1, 'vw/1/#'), subscribePacket(2, commandTopic('gw-1')), subscribePacket(3, '$SYS/#'));
    await until(() => client.packets.filter((packet) => packet.first === 0x90).length === 3);
    const granted = client.packets
      .filter((packet) => packet.first === 0x90)
      .map((packet) => [packet.body.readUInt16BE(0), packet.body.readUInt8(2)]);
    expect(granted.toSorted()).toEqual([
      [1, 0x80],
      [2, 0],
      [3, 0x80],
    ]);
  });

  test('a new certificate of the front door is used without a restart, and an unusable one is not', async () => {
    const dir = tempDir('vw-door-');
    ends.push(() => removeTempDir(dir));
    const files = { certPath: join(dir, 'cert.pem'), keyPath: join(dir, 'key.pem'), caPath: pki.caPath };
    const use = (identity: Identity): void => {
      copyFileSync(identity.certPath, files.certPath);
      copyFileSync(identity.keyPath, files.keyPath);
    };
    use(await pki.service('ingest'));
    const on = await openDoor({ identity: files });
    const serial = async (): Promise<string> => (await raw(on, await pki.gateway('gw-1'))).socket.getPeerCertificate().serialNumber;
    const first = await serial();
    copyFileSync((await pki.gateway('gw-1')).keyPath, files.keyPath);
    await expect(on.reloadIdentity()).rejects.toThrow();
    expect(await serial()).toBe(first);
    use(await (await Pki.open(pki.dir)).issue('ingest', { kind: 'service' }));
    await on.reloadIdentity();
    expect(await serial()).not.toBe(first);
  });
});

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

describe('what the front door says itself', () => {
  test('Hello after a subscription to the commands, once the generation is known, and again when it changes', async () => {
    let generation: string | null = null;
    const on = await openDoor({
      hello: async () => {
        if (generation === null) throw new Error('not known');
        return { generation, nowUs: systemClock.nowUs(), version: '0.1.0' };
      },
    });
    const gateway = await bus(on, await pki.gateway('gw-1'), 'gw-1');
    const heard: unknown[] = [];
    gateway.on('message', (at, payload) => heard.push([at, decodeHello(payload)]));
    await gateway.subscribeAsync(commandTopic('gw-1'));
    await systemClock.sleep(100);
    expect(heard).toEqual([]);
    generation = '0198c0de-0000-7000-8000-000000000001';
    await until(() => heard.length === 1);
    expect(heard[0]).toMatchObject([commandTopic('gw-1'), { ok: true, value: { generation } }]);
    generation = '0198c0de-0000-7000-8000-000000000002';
    on.announce();
    await until(() => heard.length === 2);
    expect(heard[1]).toMatchObject([commandTopic('gw-1'), { ok: true, value: { generation } }]);
  });

  test('that a gateway is offline, with what it last said, after twice its keepalive', async () => {
    const changes: PresenceChange[] = [];
    const on = await openDoor({ limits: { minKeepaliveS: 2, maxKeepaliveS: 2 }, onPresence: (change) => changes.push(change) });
    const received = await listenRaw(on, 'vw/1/+/gw-1/gw-1/status/live');
    const gateway = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1', keepaliveS: 2 });
    await until(() => changes.length === 1);
    const session = newRecordingId('gw-1', systemClock.nowMs(), crypto.getRandomValues(new Uint8Array(6)));
    const status = {
      stream: 'live-status',
      gateway: 'gw-1',
      session,
      online: true,
      version: '0.1.0',
      depthChunks: 17,
      depthBytes: 1_700,
      oldestAgeMs: 5,
      lastPubackUs: null,
      chunksPerSecondIn: 4,
      chunksPerSecondOut: 4,
      secondsUntilFull: null,
      certificateDaysLeft: 90,
      clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
      measuredAtUs: systemClock.nowUs(),
    } as const;
    gateway.send(publishPacket(formatTopic('gw-1', 'gw-1', 'status', true), encodeLiveStatus(status), null));
    await until(() => received().length === 1);
    gateway.end();
    const endedMs = performance.now();
    await until(() => changes.length === 2);
    expect(performance.now() - endedMs).toBeGreaterThan(3_800);
    await until(() => received().length === 2);
    const last = decodeLiveStatus(received()[1] ?? new Uint8Array());
    expect(last).toMatchObject({
      ok: true,
      value: { gateway: 'gw-1', session, online: false, depthChunks: 17, clock: { source: 'front-door' } },
    });
  });

  test('two agents with one identity hear of their rival; one that was started again is none', async () => {
    const hello = async () => ({ generation: '0198c0de-0000-7000-8000-000000000001', nowUs: systemClock.nowUs(), version: '0.1.0' });
    const statuses: string[] = [];
    const on = await openDoor({
      hello,
      accept: {
        durable: async () => 'route',
        live: ({ payload }) => {
          statuses.push(Buffer.from(payload.subarray(0, 16)).toString('hex'));
          return null;
        },
      },
    });
    const identity = await pki.gateway('gw-1');
    /** Connects as one of the two, says who it is, and returns whether its greeting named a rival. */
    const turn = async (session: string): Promise<boolean> => {
      const client = await bus(on, identity, 'gw-1');
      const greeting = new Promise<Buffer>((resolve) => client.once('message', (_at, payload) => resolve(payload)));
      await client.subscribeAsync(commandTopic('gw-1'));
      const greeted = decodeHello(await greeting);
      const before = statuses.length;
      await client.publishAsync(formatTopic('gw-1', 'gw-1', 'status', true), Buffer.from(encodeLiveStatus({ ...quietStatus, session })));
      await until(() => statuses.length > before);
      return greeted.ok && greeted.value.rival === true;
    };
    const [first = '', second = ''] = [1, 2].map((number) => newRecordingId('gw-1', systemClock.nowMs(), new Uint8Array(6).fill(number)));
    expect([await turn(first), await turn(first), await turn(second), await turn(second)]).toEqual([false, false, false, false]);
    expect([await turn(first), await turn(second)]).toEqual([false, true]);
  });

  test('a will counts only when its gateway stays away', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, limits: { minKeepaliveS: 2, maxKeepaliveS: 2 } });
    const will = { topic: formatTopic('gw-1', 'gw-1', 'status'), payload: Buffer.from('gone'), qos: 1 };
    const identity = await pki.gateway('gw-1');
    (await raw(on, identity, { clientId: 'gw-1', keepaliveS: 2, will })).end();
    await systemClock.sleep(500);
    const back = await raw(on, identity, { clientId: 'gw-1', keepaliveS: 2 });
    const pinging = setInterval(() => back.send([0xc0, 0]), 300);
    ends.push(() => clearInterval(pinging));
    await systemClock.sleep(4_500);
    expect(commits.taken).toEqual([]);
    const again = await raw(on, identity, { clientId: 'gw-1-x', keepaliveS: 2, will });
    clearInterval(pinging);
    back.send([0xe0, 0]);
    again.end();
    await until(() => commits.taken.length === 1);
    expect(commits.taken).toEqual(['gone']);
  });

  test('a client that says DISCONNECT leaves no will, and neither does a front door that stops', async () => {
    const commits = new Commits();
    const on = await openDoor({ accept: { durable: commits.durable, live: () => null }, limits: { minKeepaliveS: 2, maxKeepaliveS: 2 } });
    const will = { topic: formatTopic('gw-1', 'gw-1', 'status'), payload: Buffer.from('gone'), qos: 1 };
    const polite = await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1', keepaliveS: 2, will });
    polite.send([0xe0, 0]);
    await polite.closed();
    await systemClock.sleep(4_300);
    expect(commits.taken).toEqual([]);
    await raw(on, await pki.gateway('gw-1'), { clientId: 'gw-1', keepaliveS: 2, will });
    await on.stop();
    await systemClock.sleep(4_300);
    expect(commits.taken).toEqual([]);
  });
});

test('mosquitto_pub with its own certificate: exit 0 after the commit, another exit when it is refused', async () => {
  const commits = new Commits();
  const on = await openDoor({ accept: { durable: commits.durable, live: () => null } });
  const identity = await pki.gateway('gw-1');
  const publish = (to: string): Promise<number | null> => {
    const files = ['--cafile', identity.caPath, '--cert', identity.certPath, '--key', identity.keyPath];
    const args = ['-h', '127.0.0.1', '-p', String(on.port), '-V', 'mqttv311', '-q', '1', '-i', 'gw-1', ...files, '-t', to, '-m', 'chunk'];
    const child = spawn('mosquitto_pub', args, { stdio: 'ignore' });
    return new Promise((resolve, reject) => child.on('exit', resolve).on('error', reject));
  };
  const published = publish(topic);
  (await until(() => commits.waiting.shift())).resolve('route');
  expect(await published).toBe(0);
  expect(commits.taken).toEqual(['chunk']);
  expect(await publish(formatTopic('gw-2', 'dev-1', 'eeg'))).not.toBe(0);
});

const quietStatus = {
  stream: 'live-status',
  gateway: 'gw-1',
  online: true,
  version: '0.1.0',
  depthChunks: 0,
  depthBytes: 0,
  oldestAgeMs: null,
  lastPubackUs: null,
  chunksPerSecondIn: 0,
  chunksPerSecondOut: 0,
  secondsUntilFull: null,
  certificateDaysLeft: null,
  clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
  measuredAtUs: 1_764_000_000_000_000,
} as const;

/** A service that listens with a keepalive no library offers, and keeps itself alive. */
async function listenRaw(on: FrontDoor, filter: string): Promise<() => Buffer[]> {
  const client = await raw(on, await pki.service('web'), { clientId: 'web-sub', keepaliveS: 2 });
  const pinging = setInterval(() => client.send([0xc0, 0]), 300);
  ends.push(() => clearInterval(pinging));
  client.send(subscribePacket(1, filter));
  await until(() => client.packets.some((packet) => packet.first === 0x90));
  return () =>
    client.packets.filter((packet) => packet.first === 0x30).map((packet) => packet.body.subarray(2 + packet.body.readUInt16BE(0)));
}
