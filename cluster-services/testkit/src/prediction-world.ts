import { createFrontDoor, type FrontDoor } from '@vitalwire/broker';
import {
  type ChannelScale,
  type Detection,
  decodeMessage,
  derivedId,
  detectionKind,
  encodeMessage,
  formatTopic,
  hashMontage,
  type Message,
  type MessageDraft,
  newRecordingId,
  type Rate,
} from '@vitalwire/contract';
import { bonnScale } from '@vitalwire/datasets';
import { type Api, ApiError, createApi, createLog, DurablePublisher, fixedToken, Probes, systemClock } from '@vitalwire/runtime';
import { type WindowShape, windowsInside } from '@vitalwire/vitals';
import { freePort } from './free-port.ts';
import type { TestPatient } from './test-patient.ts';
import type { TestPki } from './test-pki.ts';

export const log = createLog({ name: 'prediction-test', level: process.env['VW_TEST_LOG'] ?? 'silent' });
export const storageToken = 'storage-token-for-tests';
export const gatewayId = 'gateway-1';
export const rate: Rate = { num: 17361, den: 100 };
export const montage: readonly ChannelScale[] = [{ ...bonnScale, reference: '' }];
export const defaultChunkSamples = 83; // half a second: no part of a hop
export const startUs = 1_900_000_000_000_000;
const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'replay' } as const;
const signal = new AbortController().signal;

/** A real front door whose commits go to a map, and an HTTPS stand-in for storage that reads the same map. */
export class World {
  readonly rows = new Map<string, Map<number, { bytes: Uint8Array; message: Message }>>();
  conflicts = 0;
  storageAnswers = true;
  /** Chunks accepted but not routed: what a subscriber misses. */
  unrouted: (message: Message) => boolean = () => false;
  commitsWork = true;
  readonly ports = { door: 0, storage: 0 };
  readonly #pki: TestPki;
  readonly #modelHash: string;
  #door: FrontDoor | null = null;
  #storage: Api | null = null;
  #gateway: DurablePublisher | null = null;

  constructor(pki: TestPki, modelHash: string) {
    this.#pki = pki;
    this.#modelHash = modelHash;
  }

  async start(): Promise<void> {
    this.ports.door = await freePort();
    this.ports.storage = await freePort();
    await this.openDoor();
    await this.#openStorage();
    const identity = await this.#pki.gateway(gatewayId);
    this.#gateway = new DurablePublisher({ url: this.doorUrl, identity, clientId: gatewayId, log });
    await this.#gateway.start(signal);
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop();
    await this.closeDoor();
    await this.#storage?.close();
  }

  get doorUrl(): string {
    return `mqtts://127.0.0.1:${this.ports.door}`;
  }

  async openDoor(): Promise<void> {
    this.#door = createFrontDoor({
      host: '127.0.0.1',
      port: this.ports.door,
      identity: await this.#pki.service('ingest'),
      accept: {
        durable: async ({ payload }) => {
          if (!this.commitsWork) throw new Error('the database is down');
          return this.#commit(Uint8Array.from(payload));
        },
        live: () => null,
      },
      hello: () => Promise.resolve({ generation: 'fedcba98-0000-7000-8000-000000000000', nowUs: systemClock.nowUs(), version: '0' }),
      log,
      clock: systemClock,
      registry: new Probes({ log }).registry,
    });
    await this.#door.start();
  }

  async closeDoor(): Promise<void> {
    await this.#door?.stop();
    this.#door = null;
  }

  /** Stores one message that nobody is told of: what was recorded before. */
  store(message: MessageDraft): void {
    this.#commit(encodeMessage(message));
  }

  /** Sends one message as the gateway does and waits for its commit. */
  async send(message: Message, device: string): Promise<void> {
    await this.#gateway?.publish(formatTopic(gatewayId, device, message.stream), encodeMessage(message));
  }

  sendLive(message: Message, device: string): void {
    this.#gateway?.publishLive(formatTopic(gatewayId, device, message.stream, true), encodeMessage(message));
  }

  detections(recordingId: string): Detection[] {
    const rows = this.rows.get(derivedId(recordingId, detectionKind(this.#modelHash)));
    const found = [...(rows?.values() ?? [])].flatMap(({ message }) => (message.stream === 'detection' ? [message] : []));
    return found.sort((a, b) => a.seq - b.seq);
  }

  countDetections(recordingId: string): number {
    return this.rows.get(derivedId(recordingId, detectionKind(this.#modelHash)))?.size ?? 0;
  }

  bytesOf(recordingId: string): string[] {
    const rows = this.rows.get(derivedId(recordingId, detectionKind(this.#modelHash))) ?? new Map<number, { bytes: Uint8Array }>();
    return [...rows].sort(([a], [b]) => a - b).map(([, { bytes }]) => Buffer.from(bytes).toString('hex'));
  }

  forgetDetections(recordingId: string): void {
    this.rows.delete(derivedId(recordingId, detectionKind(this.#modelHash)));
  }

  #commit(bytes: Uint8Array): 'route' | 'keep' {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) throw new Error(`a message does not decode: ${decoded.reason}`);
    const { recordingId, seq } = decoded.value;
    const recording = this.rows.get(recordingId) ?? new Map<number, { bytes: Uint8Array; message: Message }>();
    const before = recording.get(seq);
    if (before !== undefined && Buffer.compare(before.bytes, bytes) !== 0) this.conflicts++;
    if (before === undefined) recording.set(seq, { bytes, message: decoded.value });
    this.rows.set(recordingId, recording);
    return this.unrouted(decoded.value) ? 'keep' : 'route';
  }

  async #openStorage(): Promise<void> {
    const api = createApi({ log, tls: await this.#pki.service('storage'), tokens: fixedToken(storageToken) });
    api.addHook('onRequest', async () => {
      if (!this.storageAnswers) throw new ApiError(503, 'DATABASE_DOWN', 'no database', 'wait');
    });
    api.get('/v1/generation', () => ({ generation: 'fedcba98-0000-7000-8000-000000000000', createdAtUs: 1 }));
    api.get('/v1/recordings', () => ({
      recordings: [...this.rows.keys()].flatMap((id) => (this.#chunksOf(id).length > 0 ? [this.#infoOf(id)] : [])),
      next: null,
    }));
    api.get('/v1/recordings/:id', ({ params }) => {
      const info = this.#infoOf((params as { id: string }).id);
      const { recordingId, stream } = info;
      const ledger = {
        recordingId,
        stream,
        state: 'open',
        stored: [],
        quarantined: [],
        declaredLost: [],
        missing: [],
        samplesStored: 0,
        chunksStored: 0,
      };
      return { ...info, ledger };
    });
    api.get('/v1/recordings/:id/unscored', ({ params, query }) => {
      const { window, hop } = query as { window: string; hop: string };
      return this.#unscored((params as { id: string }).id, { windowSamples: Number(window), hopSamples: Number(hop) });
    });
    api.get('/v1/recordings/:id/detections', ({ params, query }) => {
      const { fromWindow, toWindow, limit } = query as { fromWindow: string; toWindow: string; limit: string };
      const rows = this.detections((params as { id: string }).id);
      const chosen = rows.filter(({ seq }) => seq >= Number(fromWindow) && seq <= Number(toWindow)).slice(0, Number(limit));
      return { detections: chosen.map((detection) => ({ ...detection, window: detection.seq, committedAtUs: startUs })) };
    });
    api.get('/v1/recordings/:id/chunks', ({ params, query }, reply) => {
      const { fromSeq, limit } = query as { fromSeq: string; limit: string };
      const rows = this.rows.get((params as { id: string }).id) ?? new Map<number, { bytes: Uint8Array }>();
      const chosen = [...rows].sort(([a], [b]) => a - b).filter(([seq]) => seq >= Number(fromSeq));
      const parts = chosen.slice(0, Number(limit)).flatMap(([, { bytes }]) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(bytes.length);
        return [length, bytes];
      });
      return reply.type('application/vnd.vitalwire.messages').send(Buffer.concat(parts));
    });
    await api.listen({ host: '127.0.0.1', port: this.ports.storage });
    this.#storage = api;
  }

  #chunksOf(id: string) {
    const rows = [...(this.rows.get(id)?.values() ?? [])];
    return rows.flatMap(({ message }) => (message.stream === 'eeg' ? [message] : [])).sort((a, b) => a.seq - b.seq);
  }

  #infoOf(recordingId: string) {
    const chunks = this.#chunksOf(recordingId);
    const start = [...this.rows.values()]
      .flatMap((rows) => [...rows.values()])
      .find(({ message }) => message.stream === 'recording' && message.subject === recordingId)?.message;
    const known = start?.stream === 'recording' && start.kind === 'start' ? start : null;
    return {
      recordingId,
      gateway: gatewayId,
      device: known?.device ?? 'device-1',
      patient: null,
      stream: 'eeg' as const,
      rate: known?.rate ?? null,
      channels: [...(known?.channels ?? [])],
      startedAtUs: startUs,
      endedAtUs: null,
      open: true,
      lastSeq: null,
      storedChunks: chunks.length,
      firstSeq: chunks[0]?.seq ?? null,
      maxSeq: chunks.at(-1)?.seq ?? null,
      predecessor: known?.predecessor ?? null,
      captureId: known?.captureId ?? null,
      captureFirstSample: known?.captureFirstSample ?? null,
      replay: null,
      source: null,
      montageHash: known?.montageHash ?? null,
    };
  }

  #unscored(id: string, shape: WindowShape) {
    const covered: number[] = [];
    let from = 0;
    let to = -1;
    for (const { firstSample, samplesPerChannel } of [...this.#chunksOf(id), { firstSample: Number.NaN, samplesPerChannel: 0 }]) {
      if (firstSample === to) {
        to += samplesPerChannel;
        continue;
      }
      const { fromWindow, toWindow } = windowsInside(from, to, shape);
      for (let window = fromWindow; window <= toWindow; window++) covered.push(window);
      from = firstSample;
      to = firstSample + samplesPerChannel;
    }
    const scored = new Set(this.detections(id).map(({ seq }) => seq));
    const ranges: { fromWindow: number; toWindow: number }[] = [];
    for (const window of covered.filter((one) => !scored.has(one))) {
      const last = ranges.at(-1);
      if (last !== undefined && last.toWindow === window - 1) last.toWindow = window;
      else ranges.push({ fromWindow: window, toWindow: window });
    }
    return { ranges: ranges.slice(0, 100), scorableWindows: covered.length, scoredWindows: scored.size };
  }
}

export type Take = {
  readonly recordingId: string;
  readonly device: string;
  readonly start: Message;
  readonly chunks: Extract<Message, { stream: 'eeg' }>[];
};

let takes = 0;

/** A recording of the first seconds of a patient, as a gateway would send it. */
export type Changed = {
  readonly rate?: Rate;
  readonly channels?: readonly ChannelScale[];
  readonly chunkSamples?: number;
  /** Goes on where that one ended, after so many samples. */
  readonly after?: { readonly one: Take; readonly samples: number };
};

export function take(of: TestPatient, chunks: number, changed: Changed = {}): Take {
  const first = changed.after?.samples ?? 0;
  const chunkSamples = changed.chunkSamples ?? defaultChunkSamples;
  const device = changed.after?.one.device ?? `device-${takes + 1}`;
  takes++;
  const recordingId = newRecordingId(gatewayId, 1_900_000_000_000 + takes, Uint8Array.from([1, 2, 3, 4, 5, takes]));
  const channels = changed.channels ?? montage;
  const used = changed.rate ?? rate;
  const common = { clock, recordingId };
  return {
    recordingId,
    device,
    start: {
      ...common,
      stream: 'recording',
      kind: 'start',
      recordingId: derivedId(recordingId, 'recording'),
      seq: 0,
      measuredAtUs: startUs,
      subject: recordingId,
      gateway: gatewayId,
      device,
      of: 'eeg',
      rate: used,
      channels,
      montageHash: hashMontage(channels),
      predecessor: changed.after?.one.recordingId ?? null,
      captureId: `capture-of-${device}`,
      captureFirstSample: first,
      replay: { speed: 1, source: of.label },
      source: 'synthetic',
    },
    chunks: Array.from({ length: chunks }, (_, seq) => {
      const samples = of.samplesAt(first + seq * chunkSamples, chunkSamples);
      const block = new Int16Array(chunkSamples * channels.length);
      for (let channel = 0; channel < channels.length; channel++)
        block.set(channel === 0 ? samples : samples.map((value) => value >> 2), channel * chunkSamples);
      return {
        ...common,
        stream: 'eeg' as const,
        seq,
        measuredAtUs: Math.round(startUs + ((first + seq * chunkSamples) * 1e6 * used.den) / used.num),
        firstSample: seq * chunkSamples,
        channels: channels.length,
        samplesPerChannel: chunkSamples,
        rate: used,
        montageHash: hashMontage(channels),
        sampleBits: 16 as const,
        codec: 1 as const,
        crc32: 0,
        samples: block,
      };
    }),
  };
}

export async function sendAll(world: World, { start, chunks, device }: Take): Promise<void> {
  await Promise.all([start, ...chunks].map((message) => world.send(message, device)));
}
