import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  type ClockState,
  commandTopic,
  decodeLiveStatus,
  decodeMessage,
  encodeHello,
  type LiveStatus,
  type Message,
  parseTopic,
} from '@vitalwire/contract';
import { createLog, type Identity, systemClock } from '@vitalwire/runtime';
import { FaultProxy, removeTempDir, TestPki, tempDir, until } from '@vitalwire/testkit';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AppendStep } from './append.ts';
import { Outbox } from './outbox.ts';
import { testRecordingId, testStart } from './test-steps.ts';
import { Uplink, type UplinkOptions } from './uplink.ts';

const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
const log = createLog({ name: 'test', level: 'fatal' });
let pki: TestPki;
let gateway: Identity;
let service: Identity;
let dir: string;
let broker: Broker;
let outbox: Outbox;
const cleanup: (() => Promise<void>)[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gateway-1');
  service = await pki.service('broker');
});
afterAll(() => pki.remove());
beforeEach(async () => {
  dir = tempDir('vw-uplink-');
  broker = await Broker.start();
  outbox = new Outbox({
    path: join(dir, 'outbox.sqlite'),
    owner: 'gateway-1',
    version: '1',
    maxBytes: 1e9,
    ringMs: 1e9,
    minFreeBytes: 0,
    announce: false,
    log,
    clock: systemClock,
  });
  await outbox.start();
});
afterEach(async () => {
  for (const stop of cleanup.splice(0).toReversed()) await stop();
  await outbox.stop();
  await broker.stop();
  removeTempDir(dir);
});

test('everything arrives in send order, and the PUBACK moves it to the ring', async () => {
  const id = await begin();
  await Promise.all(Array.from({ length: 200 }, (_, index) => outbox.append([chunk(id, index)])));
  await uplink();
  await until(() => broker.committed.length >= 201);
  expect(broker.seqs()).toEqual(Array.from({ length: 200 }, (_, seq) => seq));
  await until(async () => (await outbox.state()).pendingChunks === 0);
  expect((await outbox.state()).ringChunks).toBe(201);
});

test('never more than the window is on the way, and a lost connection sends again from the oldest un-acknowledged', async () => {
  const id = await begin();
  await Promise.all(Array.from({ length: 40 }, (_, index) => outbox.append([chunk(id, index)])));
  broker.hold();
  await uplink({ windowPackets: 8 });
  await until(() => broker.held >= 8);
  await pause(300);
  expect(broker.held).toBe(8);
  broker.releaseSome(3); // committed and acknowledged: the start record and two chunks
  await until(async () => (await outbox.state()).deliveredId === 3);
  const before = broker.arrived.length;
  broker.dropClients();
  await until(() => broker.arrived.length > before, 8_000);
  expect(broker.arrived[before]).toMatchObject({ stream: 'eeg', seq: 2 });
  broker.letGo();
  await until(async () => (await outbox.state()).pendingChunks === 0, 10_000);
  expect(new Set(broker.seqs()).size).toBe(40);
});

test('when acknowledgements stay out too long, the connection is made anew', async () => {
  await begin();
  broker.hold();
  const link = await uplink({ ackTimeoutMs: 300 });
  await until(() => link.status().connects >= 2, 8_000);
  await until(() => broker.arrived.filter(({ stream }) => stream === 'recording').length >= 2);
  broker.letGo();
  await until(async () => (await outbox.state()).pendingChunks === 0, 10_000);
});

test('a network that comes and goes loses nothing and keeps the order of what is new', async () => {
  const proxy = await FaultProxy.start(broker.port);
  cleanup.push(() => proxy.close());
  await uplink({ url: `mqtts://127.0.0.1:${proxy.port}`, random: () => 0.05 });
  const id = await begin();
  for (let index = 0; index < 60; index += 1) {
    await outbox.append([chunk(id, index)]);
    if (index % 20 === 10) proxy.cut();
    await pause(10);
  }
  await until(async () => (await outbox.state()).pendingChunks === 0, 15_000);
  const first = [...new Set(broker.seqs())];
  expect(first).toEqual(Array.from({ length: 60 }, (_, seq) => seq));
});

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

test.each(['acknowledgements that do not come', 'a network that is stalled'])('a stop does not wait for %s', async (what) => {
  const proxy = await FaultProxy.start(broker.port);
  cleanup.push(() => proxy.close());
  const id = await begin();
  if (what.startsWith('ack')) broker.hold();
  const link = await uplink({ url: `mqtts://127.0.0.1:${proxy.port}` });
  await outbox.append([chunk(id, 0)]);
  await until(() => (what.startsWith('ack') ? broker.held > 0 : broker.committed.length === 2));
  if (!what.startsWith('ack')) proxy.stall();
  const began = performance.now();
  await link.stop();
  expect(performance.now() - began).toBeLessThan(5_000);
});

test('a new database generation makes the agent send again all it holds, in order', async () => {
  const id = await begin();
  await Promise.all(Array.from({ length: 20 }, (_, index) => outbox.append([chunk(id, index)])));
  const link = await uplink({ helloEveryMs: 500 });
  await until(async () => (await outbox.state()).pendingChunks === 0);
  await until(() => link.status().generation === broker.generation);
  const before = broker.committed.length;
  broker.generation = '00000000-0000-4000-8000-00000000000b';
  await until(() => broker.committed.length >= before + 21, 8_000);
  expect(broker.committed.slice(before, before + 21).map(({ stream, seq }) => `${stream} ${seq}`)).toEqual([
    'recording 0',
    ...Array.from({ length: 20 }, (_, seq) => `eeg ${seq}`),
  ]);
  await until(async () => (await outbox.state()).pendingChunks === 0);
});

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
  outbox = new Outbox({ ...small, maxBytes: 1024 * 1024, log, clock: systemClock });
  await outbox.start();
  broker.hold();
  const id = await begin();
  const link = await uplink();
  for (let seq = 0; (await outbox.state()).evictedChunks === 0; seq += 1) await outbox.append([chunk(id, seq, 4_096)]);
  await until(() => link.problems().some((problem) => /outbox is full \(1 MB\) and gives up/.test(problem)));
  expect(link.liveStatus().secondsUntilFull).toBe(0);
});

test('certificate files are read at every connect; one that is half written does not replace the good one', async () => {
  const certPath = join(dir, 'cert.pem');
  copyFileSync(gateway.certPath, certPath);
  const identity = { ...gateway, certPath };
  const link = await uplink({ identity, random: () => 0.05 });
  await until(() => link.connected);
  writeFileSync(certPath, readFileSync(gateway.certPath, 'utf8').slice(0, 200));
  broker.dropClients();
  await until(() => link.status().connects >= 2 && link.connected, 8_000);
  const other = await pki.pki.issue('gateway-2', { kind: 'gateway', days: 10 });
  copyFileSync(other.certPath, certPath);
  broker.dropClients();
  await until(() => link.status().connects >= 3 && link.connected, 8_000);
  expect(link.liveStatus().certificateDaysLeft).toBeGreaterThan(300); // that certificate does not belong to the key: the old pair serves on
});

test('without a front door nothing is lost and the problem is named', async () => {
  await broker.stop();
  const id = await begin();
  const link = await uplink({ random: () => 0.05 });
  await until(() => link.status().lastProblem !== null);
  expect(link.connected).toBe(false);
  await outbox.append([chunk(id, 0)]);
  expect((await outbox.state()).pendingChunks).toBe(2);
});

async function uplink(options: Partial<UplinkOptions> = {}): Promise<Uplink> {
  const link = new Uplink({
    url: broker.url,
    identity: gateway,
    owner: 'gateway-1',
    version: '1',
    outbox,
    log,
    clock: systemClock,
    announce: false,
    drainMs: 0,
    ...options,
  });
  await link.start();
  cleanup.push(() => link.stop());
  return link;
}

/** A broker that can hold PUBACKs back, say hello and forget its clients. `committed` is what it has acknowledged. */
class Broker {
  readonly arrived: Message[] = [];
  readonly committed: Message[] = [];
  readonly live: Message[] = [];
  readonly statuses: LiveStatus[] = [];
  readonly clients: string[] = [];
  generation = '00000000-0000-4000-8000-00000000000a';
  skewUs = 0;
  hasRival = false;
  refusedLive = 0; // how many live connections are still to be refused
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #connected = new Set<Client>();
  #holding = false;
  #waiting: { release: () => void }[] = [];
  #stopped = false;

  private constructor(aedes: Aedes, server: Server) {
    this.#aedes = aedes;
    this.#server = server;
  }

  static async start(): Promise<Broker> {
    const aedes = await Aedes.createBroker();
    const tls = {
      key: readFileSync(service.keyPath),
      cert: readFileSync(service.certPath),
      ca: readFileSync(service.caPath),
      requestCert: true,
      rejectUnauthorized: true,
    };
    const server = createServer(tls, (socket: TLSSocket) => aedes.handle(socket));
    const self = new Broker(aedes, server);
    self.#wire();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return self;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  get held(): number {
    return this.#waiting.length;
  }

  seqs(): number[] {
    return this.committed.filter(({ stream }) => stream === 'eeg').map(({ seq }) => seq);
  }

  hold(): void {
    this.#holding = true;
  }

  releaseSome(count: number): void {
    for (const { release } of this.#waiting.splice(0, count)) release();
  }

  letGo(): void {
    this.#holding = false;
    this.releaseSome(this.#waiting.length);
  }

  dropClients(): void {
    this.#waiting = [];
    for (const client of this.#connected) client.conn.destroy();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.letGo();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #wire(): void {
    const aedes = this.#aedes;
    aedes.authenticate = (client, _user, _password, done: (error: AuthenticateError | null, ok: boolean | null) => void) => {
      if (client.id.endsWith('-live') && this.refusedLive > 0) {
        this.refusedLive -= 1;
        done(null, false);
        return;
      }
      this.clients.push(client.id);
      this.#connected.add(client);
      done(null, true);
    };
    aedes.on('clientDisconnect', (client) => this.#connected.delete(client));
    aedes.on('clientError', () => {});
    aedes.on('subscribe', (_subscriptions, client) => {
      const rival = this.hasRival ? { rival: true as const } : {};
      const hello = encodeHello({ generation: this.generation, nowUs: systemClock.nowUs() + this.skewUs, version: '1', ...rival });
      client.publish(
        { cmd: 'publish', topic: commandTopic('gateway-1'), payload: Buffer.from(hello), qos: 0, dup: false, retain: false },
        () => {},
      );
    });
    aedes.authorizePublish = (_client, packet, done) => {
      const topic = parseTopic(packet.topic);
      const payload = packet.payload as Buffer;
      if (!topic.ok) return done(new Error(topic.reason));
      if (topic.value.stream === 'status' && topic.value.live) {
        const status = decodeLiveStatus(payload);
        if (status.ok) this.statuses.push(status.value);
        return done(null);
      }
      const message = decodeMessage(payload);
      if (!message.ok) return done(new Error(message.reason));
      if (topic.value.live) {
        this.live.push(message.value);
        return done(null);
      }
      this.arrived.push(message.value);
      const release = (): void => {
        this.committed.push(message.value);
        done(null);
      };
      if (this.#holding) this.#waiting.push({ release });
      else release();
    };
  }
}

async function begin(): Promise<string> {
  const subject = testRecordingId();
  await outbox.append([testStart(subject)]);
  return subject;
}

function chunk(recordingId: string, index: number, samples = 16): AppendStep {
  return {
    step: 'chunk',
    chunk: {
      stream: 'eeg',
      recordingId,
      measuredAtUs: 0,
      clock,
      firstSample: index * samples,
      channels: 1,
      samplesPerChannel: samples,
      rate: { num: 256, den: 1 },
      montageHash: '0000000000000000',
      sampleBits: 16,
      samples: noise(samples),
    },
    readings: samples,
    endUs: 0,
  };
}

/** What no codec makes smaller. */
function noise(samples: number): Int16Array {
  return samples === 16 ? new Int16Array(16) : Int16Array.from({ length: samples }, (_, index) => ((index * 40_503) % 65_536) - 32_768);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
