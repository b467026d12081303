import { formatTopic } from '@vitalwire/contract';
import { createLog, type Identity, Registry, systemClock } from '@vitalwire/runtime';
import {
  connectPacket,
  mqttText,
  publishPacket,
  RawMqtt,
  rawPacket,
  subscribePacket,
  TestPki,
  until as untilWithin,
} from '@vitalwire/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createFrontDoor, type Delivery, type FrontDoor, type FrontDoorLimits } from './index.ts';

const topic = formatTopic('gw-1', 'dev-1', 'eeg');
const liveTopic = formatTopic('gw-1', 'dev-1', 'eeg', true);
/** Long enough for a busy machine: what is tested is that it happens, bounds that matter are measured. */
function until<T>(fn: () => T | Promise<T>, what = fn.toString()): ReturnType<typeof untilWithin<T>> {
  return untilWithin(fn, { timeoutMs: 20_000, what });
}

let pki: TestPki;
let gateway: Identity;
let door: FrontDoor | null = null;
const clients: RawMqtt[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gw-1');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.end();
  await door?.stop();
  door = null;
});
afterAll(() => pki.remove());

/** A front door whose commits wait until the test lets them go. */
async function openDoor(
  limits: Partial<FrontDoorLimits> = {},
  commit: (delivery: Delivery) => Promise<void> = async () => {},
): Promise<FrontDoor> {
  door = createFrontDoor({
    host: '127.0.0.1',
    port: 0,
    identity: await pki.service('ingest'),
    accept: { durable: (delivery) => commit(delivery).then(() => 'route' as const), live: () => null },
    hello: () => Promise.reject(new Error('not known')),
    log: createLog({ name: 'test', level: 'silent' }),
    clock: systemClock,
    registry: new Registry(),
    limits: { stopWithinMs: 100, ...limits },
  });
  await door.start();
  return door;
}

async function open(on: FrontDoor, identity: Identity = gateway): Promise<RawMqtt> {
  const client = await RawMqtt.open(on.port, identity, pki.caPath);
  clients.push(client);
  return client;
}

async function connected(on: FrontDoor, clientId = 'gw-1', identity: Identity = gateway): Promise<RawMqtt> {
  const client = await open(on, identity);
  expect(await client.connect({ clientId })).toBe(0);
  return client;
}

describe('a packet that breaks a rule ends its connection, and nobody else notices', () => {
  const malformed: [string, Buffer][] = [
    ['a length of five bytes', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a declared length of 256 MiB, before its bytes arrive', Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])],
    ['one byte more than a packet may have', Buffer.from([0x32, 0x81, 0x80, 0x03])],
    ['type 0', rawPacket(0x00, [])],
    ['CONNACK', rawPacket(0x20, [[0, 0]])],
    ['reserved flags', rawPacket(0xc1, [])],
    ['QoS 3', publishPacket(topic, Buffer.from('x'), 1, 0x36)],
    ['DUP at QoS 0', publishPacket(liveTopic, Buffer.from('x'), null, 0x38)],
    ['packet id 0', publishPacket(topic, Buffer.from('x'), 0)],
    ['an empty topic', publishPacket('', Buffer.from('x'), 1)],
    ['a wildcard in a topic', publishPacket('vw/1/#', Buffer.from('x'), 1)],
    ['nine levels', publishPacket('1/2/3/4/5/6/7/8/9', Buffer.from('x'), 1)],
    ['a topic of 129 bytes', publishPacket('t'.repeat(129), Buffer.from('x'), 1)],
    ['a topic with U+0000', publishPacket('vw\0', Buffer.from('x'), 1)],
    ['a topic with a surrogate', rawPacket(0x32, [mqttText(Buffer.from([0xed, 0xa0, 0x80])), [0, 1]])],
    ['a topic with a control character', publishPacket('vw/\x01', Buffer.from('x'), 1)],
    ['a filter with a control character', subscribePacket(1, 'vw/\x7f')],
    ['a second CONNECT', connectPacket()],
    ['an empty SUBSCRIBE', rawPacket(0x82, [[0, 1]])],
    ['reserved bits in SUBSCRIBE', rawPacket(0x82, [[0, 1], mqttText('vw/1/#'), [0x80]])],
    ['a misplaced wildcard', subscribePacket(1, 'vw/1/a#')],
    ['an UNSUBSCRIBE without filters', rawPacket(0xa2, [[0, 1]])],
  ];

  test('each of them', async () => {
    const on = await openDoor();
    const bystander = await connected(on, 'bystander');
    for (const [what, bytes] of malformed) {
      const client = await connected(on, 'gw-1');
      client.send(bytes);
      await until(() => client.isClosed, what);
      expect(client.acks, what).toEqual([]);
    }
    bystander.send(publishPacket(topic, Buffer.from('still here'), 5));
    await until(() => bystander.acks.length === 1);
  });

  test('a first packet other than CONNECT, and a CONNECT that is malformed', async () => {
    const on = await openDoor();
    const first = [
      publishPacket(topic, Buffer.from('x'), 1),
      rawPacket(0xc0, []),
      rawPacket(0x10, [mqttText('MQTX'), [4, 2, 0, 30], mqttText('c')]),
      rawPacket(0x10, [mqttText('MQTT'), [4, 3, 0, 30], mqttText('c')]),
      rawPacket(0x10, [mqttText('MQTT'), [4, 0x42, 0, 30], mqttText('c'), mqttText('password')]),
      rawPacket(0x10, [mqttText('MQTT'), [4, 0x0a, 0, 30], mqttText('c')]),
      rawPacket(0x10, [mqttText('MQIsdp'), [3, 3, 0, 30], mqttText('c')]),
      rawPacket(0x10, [mqttText('MQTT'), [4, 2, 0, 30], mqttText('gw\x1b[2J')]),
      rawPacket(0x10, [mqttText('MQIsdp'), [3, 2, 0, 30], mqttText('gw\u0085')]),
      Buffer.from([0x16, 3, 1, 0]),
    ];
    for (const bytes of first) {
      const client = await open(on);
      client.send(bytes);
      await client.closed();
      expect(client.packets).toEqual([]);
    }
  });
});

describe('CONNECT', () => {
  test('that does not come in time is not waited for', async () => {
    const on = await openDoor({ connectWithinMs: 200 });
    const silent = await open(on);
    const slow = await open(on);
    slow.send(connectPacket().subarray(0, 10));
    await silent.closed();
    await slow.closed();
    await until(() => on.openConnections === 0);
  });

  test('of another version, without an identity of its own, or asking for what no gateway gets, is answered with its code', async () => {
    const on = await openDoor();
    const answers: [string, Parameters<RawMqtt['connect']>[0], number][] = [
      ['MQTT 5', { level: 5 }, 1],
      ['no client id and a kept session', { clientId: '', clean: false }, 2],
      ['no client id under MQTT 3.1', { level: 3, clientId: '' }, 2],
      ['a kept session', { clean: false }, 5],
      ['no keepalive', { keepaliveS: 0 }, 5],
      ['a keepalive of 9 s', { keepaliveS: 9 }, 5],
      ['a keepalive of 61 s', { keepaliveS: 61 }, 5],
      ['a will on data', { will: { topic, payload: Buffer.from('w'), qos: 1 } }, 5],
      ['a will on the state of another', { will: { topic: formatTopic('gw-2', 'gw-2', 'status'), payload: Buffer.from('w'), qos: 1 } }, 5],
      ['a will on $SYS', { will: { topic: '$SYS/x/new/clients', payload: Buffer.from('w'), qos: 1 } }, 5],
      ['a retained will', { will: { topic: formatTopic('gw-1', 'gw-1', 'status'), payload: Buffer.from('w'), qos: 1, retain: true } }, 5],
      ['no client id', { clientId: '' }, 0],
      ['its own state as will', { will: { topic: formatTopic('gw-1', 'gw-1', 'status'), payload: Buffer.from('w'), qos: 1 } }, 0],
      ['a client of MQTT 3.1', { level: 3 }, 0],
      ['any client id within the limit', { clientId: 'Ünïcode id' }, 0],
    ];
    for (const [what, bytes, code] of answers) {
      const client = await open(on);
      expect(await client.connect(bytes), what).toBe(code);
      if (code !== 0) await client.closed();
      client.send([0xe0, 0]);
      await client.closed();
    }
  });

  test('the fifth connection of one certificate hears code 3, other certificates are not concerned', async () => {
    const on = await openDoor();
    for (let index = 0; index < 4; index += 1) await connected(on, `c${index}`);
    const fifth = await open(on);
    expect(await fifth.connect({ clientId: 'c5' })).toBe(3);
    await connected(on, 'gw-2', await pki.gateway('gw-2'));
  });

  test('after a cut, all four may come back at once though their half-open predecessors still count', async () => {
    const on = await openDoor();
    const names = ['gw-1', 'gw-1-live', 'gw-1-sub', 'gw-1-pub'];
    const before = await Promise.all(names.map((name) => connected(on, name)));
    await Promise.all(names.map((name) => connected(on, name)));
    for (const client of before) await client.closed();
  });

  test('over the rate waits for its turn, and hears code 3 when its turn is too far', async () => {
    const on = await openDoor({ connectsPerSecond: 1, connectBurst: 2, connectWaitMs: 2_100, maxConnectionsPerCertificate: 10 });
    const began = performance.now();
    const raws = await Promise.all(Array.from({ length: 6 }, () => open(on)));
    const codes = await Promise.all(raws.map((client, index) => client.connect({ clientId: `c${index}` })));
    expect(codes.toSorted()).toEqual([0, 0, 0, 0, 3, 3]);
    expect(performance.now() - began).toBeGreaterThan(1_500);
  });
});

describe('a connection has no more in hand than its bounds', () => {
  test('64 packets, however many the client sends', async () => {
    const waiting: (() => void)[] = [];
    const on = await openDoor({}, () => new Promise((resolve) => waiting.push(resolve)));
    const client = await connected(on);
    for (let id = 1; id <= 200; id += 1) client.send(publishPacket(topic, Buffer.from(`reading ${id}`), id));
    await until(() => waiting.length >= 1);
    await systemClock.sleep(200);
    expect(waiting.length).toBeLessThanOrEqual(64);
    for (let released = 0; released < 200; released += 1) {
      const next = await until(() => waiting.shift());
      next();
    }
    await until(() => client.acks.length === 200);
    expect(client.acks).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  });

  test('256 KiB, however large the packets', async () => {
    let inHand = 0;
    const waiting: (() => void)[] = [];
    const on = await openDoor({}, () => {
      inHand += 1;
      return new Promise((resolve) => waiting.push(resolve));
    });
    const client = await connected(on);
    for (let id = 1; id <= 20; id += 1) client.send(publishPacket(topic, Buffer.alloc(40 * 1024, id), id));
    await systemClock.sleep(300);
    expect(inHand).toBeGreaterThan(0);
    expect(inHand).toBeLessThanOrEqual(6);
    while (client.acks.length < 20) {
      waiting.shift()?.();
      await systemClock.sleep(2);
    }
    expect(client.acks).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('all connections together keep to the bound of the durable lane, and the live lane does not stand behind it', async () => {
    let inHand = 0;
    const failures: ((error: Error) => void)[] = [];
    const on = await openDoor({ durableBytes: 100 * 1024 }, () => {
      inHand += 1;
      return new Promise((_resolve, reject) => failures.push(reject));
    });
    const senders = await Promise.all(
      Array.from({ length: 4 }, async (_, index) => connected(on, `gw-${index}`, await pki.gateway(`many-${index}`))),
    );
    for (const [index, sender] of senders.entries()) {
      for (let id = 1; id <= 8; id += 1)
        sender.send(publishPacket(formatTopic(`many-${index}`, 'dev', 'eeg'), Buffer.alloc(30 * 1024), id));
    }
    const web = await connected(on, 'web-sub', await pki.service('web'));
    web.send(subscribePacket(1, 'vw/1/+/+/+/+/live'));
    const live = await connected(on, 'gw-1-live');
    for (let index = 0; index < 30; index += 1) live.send(publishPacket(liveTopic, Buffer.alloc(20 * 1024, index), null));
    await until(() => web.packets.filter((packet) => packet.first === 0x30).length === 30);
    expect(inHand).toBe(3);
    for (const sender of senders) expect(sender.acks).toEqual([]);
    for (const fail of failures.splice(0)) fail(new Error('no commit in time'));
    await until(() => inHand > 3); // what the dropped had in hand is free for the others
    await until(() => senders.some((sender) => sender.isClosed));
  });

  test('and no more packets per second than its rate', async () => {
    const on = await openDoor({ packetsPerSecond: 100, packetBurst: 20 });
    const client = await connected(on);
    const began = performance.now();
    for (let id = 1; id <= 60; id += 1) client.send(publishPacket(topic, Buffer.from('x'), id));
    await until(() => client.acks.length === 60);
    expect(performance.now() - began).toBeGreaterThan(300);
  });
});

describe('bytes arrive as they like', () => {
  test('in pieces of 7, and many packets behind CONNECT in one piece', async () => {
    const on = await openDoor();
    const slow = await open(on);
    const stream = Buffer.concat([
      connectPacket({ clientId: 'slow' }),
      publishPacket(topic, Buffer.alloc(20_000, 7), 1),
      publishPacket(topic, Buffer.from('end'), 2),
    ]);
    for (let at = 0; at < stream.byteLength; at += 7) slow.send(stream.subarray(at, at + 7));
    const hasty = await open(on);
    hasty.send(
      connectPacket({ clientId: 'hasty' }),
      ...Array.from({ length: 64 }, (_, index) => publishPacket(topic, Buffer.alloc(500), index + 1)),
    );
    await until(() => slow.acks.length === 2 && hasty.acks.length === 64);
    expect(hasty.acks).toEqual(Array.from({ length: 64 }, (_, index) => index + 1));
  });

  test('what came before an orderly end is still taken', async () => {
    const taken: string[] = [];
    const on = await openDoor({}, async ({ payload }) => void taken.push(Buffer.from(payload).toString()));
    const client = await open(on);
    client.send(connectPacket(), publishPacket(topic, Buffer.from('last words'), 1), [0xe0, 0]);
    client.socket.end();
    await until(() => taken.length === 1);
    expect(taken).toEqual(['last words']);
  });
});

test('20,000 random and mutated packets: the front door stands, and keeps nothing', { timeout: 60_000 }, async () => {
  const on = await openDoor({ connectsPerSecond: 100_000, connectBurst: 100_000, maxConnectionsPerCertificate: 1_000 });
  let state = 20_261_122;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const good = [
    publishPacket(topic, Buffer.alloc(50), 1),
    subscribePacket(2, 'vw/1/command/gw-1'),
    rawPacket(0xc0, []),
    publishPacket(liveTopic, Buffer.alloc(80), null),
    connectPacket(),
  ];
  const mutate = (): Buffer => {
    if (random(4) === 0) return Buffer.from(Array.from({ length: random(60) + 1 }, () => random(256)));
    const bytes = Buffer.from(good[random(good.length)] ?? []);
    for (let times = random(4); times >= 0; times -= 1) bytes[random(bytes.byteLength)] = random(256);
    return random(8) === 0 ? bytes.subarray(0, random(bytes.byteLength)) : bytes;
  };
  let sent = 0;
  const endMs = performance.now() + 40_000;
  while (sent < 20_000 && performance.now() < endMs) {
    // Most packets end their connection, so each connection carries a few and many are open at once.
    const round = await Promise.all(Array.from({ length: 32 }, () => RawMqtt.open(on.port, gateway, pki.caPath)));
    for (const [index, client] of round.entries()) {
      const packets = Array.from({ length: 50 }, mutate);
      sent += packets.length;
      client.send(...(random(5) === 0 ? [] : [connectPacket({ clientId: `fuzz-${index}` })]), ...packets);
    }
    await systemClock.sleep(20);
    for (const client of round) client.end();
  }
  expect(sent).toBeGreaterThanOrEqual(20_000);
  await until(() => on.openConnections === 0);
  const client = await connected(on);
  client.send(publishPacket(topic, Buffer.from('still here'), 1));
  await until(() => client.acks.length === 1);
});
