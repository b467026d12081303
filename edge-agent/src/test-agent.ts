import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  decodeMessage,
  type EegChunk,
  type Message,
  type NumericChunk,
  parseTopic,
  type RecordingEnd,
  type RecordingStart,
} from '@vitalwire/contract';
import { type Clock, createLog, type Identity, systemClock } from '@vitalwire/runtime';
import { removeTempDir, TestPki, tempDir } from '@vitalwire/testkit';
import { Aedes } from 'aedes';
import { Agent as HttpAgent, request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { createEdgeAgent, type EdgeAgent, EdgeConfig, ensureDeviceToken } from './index.ts';

export const channel = { label: 'Cz', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -200, physicalMax: 200, reference: '' };
export const rate = { num: 256, den: 1 };
export const startUs = 1_767_225_600_000_000;

export let pki: TestPki;
export let gateway: Identity;
let service: Identity;
export let http: HttpAgent;
export let dir: string;
export let broker: Broker;
export let agent: EdgeAgent;
export let lines: string[];
let offsetMs: number;
export let tokens: Record<string, string>;

beforeAll(async () => {
  pki = await TestPki.create();
  gateway = await pki.gateway('gateway-1');
  service = await pki.service('broker');
  http = new HttpAgent({ connect: { ca: readFileSync(pki.caPath, 'utf8') } });
});
afterAll(async () => {
  await http.close();
  pki.remove();
});
beforeEach(async () => {
  dir = tempDir('vw-edge-');
  lines = [];
  offsetMs = 0;
  tokens = {};
  for (const device of ['eeg-1', 'phone-1']) tokens[device] = (await ensureDeviceToken(join(dir, 'tokens'), device)).token;
  broker = await Broker.start();
  agent = await startAgent();
});
afterEach(async () => {
  await agent.stop();
  await broker.stop();
  removeTempDir(dir);
});

export async function startAgent(frontDoorUrl = broker.url): Promise<EdgeAgent> {
  const config = EdgeConfig.parse({
    certPath: gateway.certPath,
    keyPath: gateway.keyPath,
    caPath: gateway.caPath,
    frontDoorUrl,
    intakePort: 0,
    dataDir: dir,
    minFreeMb: 0,
  });
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + offsetMs, nowUs: () => systemClock.nowUs() + offsetMs * 1000 };
  const log = createLog({ name: 'edge', level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const started = createEdgeAgent(config, { log, clock });
  await started.start(new AbortController().signal);
  return started;
}

export function eeg(firstSample: number, count: number): object {
  return {
    device: 'eeg-1',
    captureId: 'c1',
    firstSample,
    measuredAtUs: startUs + Math.round((firstSample * 1e6) / 256),
    rate,
    channels: [channel],
    samples: [Array.from({ length: count }, (_, index) => valueAt(firstSample + index))],
  };
}

export function valueAt(index: number): number {
  return ((index * 37) % 4_000) - 2_000;
}
export type Answer = { status: number; body: unknown; retryAfter: string | undefined };

export function post(path: string, body: unknown, device = 'eeg-1'): Promise<Answer> {
  return postText(path, JSON.stringify(body), device);
}

export function postText(path: string, body: string, device = 'eeg-1'): Promise<Answer> {
  return send(path, body, 'application/json', device);
}

export async function send(
  path: string,
  body: string | Uint8Array,
  contentType: string,
  who: string | { token: string } | null,
): Promise<Answer> {
  const token = typeof who === 'string' ? tokens[who] : who?.token;
  const answer = await request(`${String(agent.addresses()['intakeUrl'])}${path}`, {
    method: 'POST',
    dispatcher: http,
    headers: { 'content-type': contentType, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    body,
  });
  const retryAfter = answer.headers['retry-after'];
  return { status: answer.statusCode, body: await answer.body.json(), retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
}

export async function get(path: string, token: string): Promise<{ status: number; body: unknown }> {
  const answer = await request(`${String(agent.addresses()['intakeUrl'])}${path}`, {
    dispatcher: http,
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.statusCode, body: await answer.body.json() };
}

export function starts(): RecordingStart[] {
  return broker.messages.filter((one): one is RecordingStart => one.stream === 'recording' && one.kind === 'start');
}

export function ends(): RecordingEnd[] {
  return broker.messages.filter((one): one is RecordingEnd => one.stream === 'recording' && one.kind === 'end');
}

export function eegChunks(): EegChunk[] {
  return broker.messages.filter((one): one is EegChunk => one.stream === 'eeg');
}

export function heartRates(): NumericChunk['readings'][number][] {
  return broker.messages.flatMap((one) => (one.stream === 'heart-rate' ? one.readings : []));
}

/** All samples of a device in the order of its capture, from whatever recordings hold them. */
export function samplesOf(device: string): number[] {
  const placed = starts()
    .filter((one) => one.device === device)
    .flatMap((one) =>
      eegChunks()
        .filter(({ recordingId }) => recordingId === one.subject)
        .map((chunk) => ({ at: one.captureFirstSample + chunk.firstSample, samples: [...chunk.samples] })),
    );
  return placed.toSorted((a, b) => a.at - b.at).flatMap(({ samples }) => samples);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A broker over TLS that acknowledges everything and keeps each identity once, as a set of committed messages would. */
export class Broker {
  readonly messages: Message[] = [];
  readonly topics: string[] = [];
  readonly raw: string[] = [];
  readonly #known = new Set<string>();
  readonly #aedes: Aedes;
  readonly #server: Server;
  #stopped = false;

  private constructor(aedes: Aedes, server: Server) {
    this.#aedes = aedes;
    this.#server = server;
  }

  static async start(port = 0): Promise<Broker> {
    const aedes = await Aedes.createBroker();
    const tls = { key: readFileSync(service.keyPath), cert: readFileSync(service.certPath), ca: readFileSync(service.caPath) };
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (socket: TLSSocket) => aedes.handle(socket));
    const self = new Broker(aedes, server);
    aedes.on('clientError', () => {});
    aedes.authorizePublish = (_client, packet, done) => {
      self.#take(packet.topic, packet.payload as Buffer);
      done(null);
    };
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return self;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(topic: string, payload: Buffer): void {
    this.raw.push(topic, payload.toString('latin1'));
    const parsed = parseTopic(topic);
    if (!parsed.ok) throw new Error(parsed.reason);
    if (parsed.value.live) return;
    const decoded = decodeMessage(payload);
    if (!decoded.ok) throw new Error(decoded.reason);
    const key = `${decoded.value.recordingId} ${decoded.value.seq}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.topics.push(topic);
    this.messages.push(decoded.value);
  }
}

/** The agent of the test, started anew. */
export async function startAgain(frontDoorUrl = broker.url): Promise<void> {
  agent = await startAgent(frontDoorUrl);
}

export async function startBroker(port: number): Promise<void> {
  broker = await Broker.start(port);
}

/** The agent's clock is so far ahead from now on. */
export function setOffset(ms: number): void {
  offsetMs = ms;
}
