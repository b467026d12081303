import { readFileSync } from 'node:fs';
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
import { removeTempDir, TestPki, tempDir } from '@vitalwire/testkit';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { AppendStep } from '../append.ts';
import { Outbox } from '../outbox.ts';
import { testRecordingId, testStart } from '../test-steps.ts';
import { Uplink, type UplinkOptions } from './uplink.ts';

export const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
export const log = createLog({ name: 'test', level: 'fatal' });
export let pki: TestPki;
export let gateway: Identity;
let service: Identity;
export let dir: string;
export let broker: Broker;
export let outbox: Outbox;
export const cleanup: (() => Promise<void>)[] = [];

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

export async function uplink(options: Partial<UplinkOptions> = {}): Promise<Uplink> {
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

export async function begin(): Promise<string> {
  const subject = testRecordingId();
  await outbox.append([testStart(subject)]);
  return subject;
}

export function chunk(recordingId: string, index: number, samples = 16): AppendStep {
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

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** From now on the tests' outbox is this one. */
export function use(other: Outbox): void {
  outbox = other;
}
