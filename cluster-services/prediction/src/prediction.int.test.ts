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
  newRecordingId,
  type Rate,
} from '@vitalwire/contract';
import { assembleBonnPatients, type BonnPatient, bonnScale, samplesAt, truthIntervals } from '@vitalwire/datasets';
import { type Detector, loadDetector } from '@vitalwire/detector';
import {
  type Api,
  ApiError,
  createApi,
  createLog,
  DurablePublisher,
  fixedToken,
  Probes,
  Subscriber,
  systemClock,
} from '@vitalwire/runtime';
import { freePort, removeTempDir, TestPki, tempDir, until } from '@vitalwire/testkit';
import { windowsInside } from '@vitalwire/vitals';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PredictionConfig } from './config.ts';
import { createPrediction, type Prediction } from './prediction.ts';

const log = createLog({ name: 'prediction-test', level: process.env['VW_TEST_LOG'] ?? 'silent' });
const token = 'storage-token-for-tests';
const gatewayId = 'gateway-1';
const rate: Rate = { num: 17361, den: 100 };
const montage: ChannelScale[] = [{ ...bonnScale, reference: '' }];
const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'replay' } as const;
const startUs = 1_900_000_000_000_000;
const chunkSamples = 43; // 250 ms: no multiple of a window
const signal = new AbortController().signal;

let pki: TestPki;
let detector: Detector;
let world: World;
const [patient] = assembleBonnPatients({ patients: 1, seed: 4 });
if (patient === undefined) throw new Error('one patient was asked for');

/** A real front door whose commits go to a map, and an HTTPS stand-in for storage that reads the same map. */
class World {
  readonly rows = new Map<string, Map<number, { bytes: Uint8Array; message: Message }>>();
  conflicts = 0;
  storageAnswers = true;
  /** Chunks accepted but not routed: what a subscriber misses. */
  unrouted: (message: Message) => boolean = () => false;
  commitsWork = true;
  readonly ports = { door: 0, storage: 0 };
  #door: FrontDoor | null = null;
  #storage: Api | null = null;
  #gateway: DurablePublisher | null = null;

  async start(): Promise<void> {
    this.ports.door = await freePort();
    this.ports.storage = await freePort();
    await this.openDoor();
    await this.#openStorage();
    const identity = await pki.gateway(gatewayId);
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
      identity: await pki.service('ingest'),
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

  /** Sends one message as the gateway does and waits for its commit. */
  async send(message: Message, device: string): Promise<void> {
    await this.#gateway?.publish(formatTopic(gatewayId, device, message.stream), encodeMessage(message));
  }

  sendLive(message: Message, device: string): void {
    this.#gateway?.publishLive(formatTopic(gatewayId, device, message.stream, true), encodeMessage(message));
  }

  detections(recordingId: string): Detection[] {
    const rows = this.rows.get(derivedId(recordingId, detectionKind(detector.modelHash)));
    const found = [...(rows?.values() ?? [])].flatMap(({ message }) => (message.stream === 'detection' ? [message] : []));
    return found.sort((a, b) => a.seq - b.seq);
  }

  bytesOf(recordingId: string): string[] {
    const rows = this.rows.get(derivedId(recordingId, detectionKind(detector.modelHash))) ?? new Map<number, { bytes: Uint8Array }>();
    return [...rows].sort(([a], [b]) => a - b).map(([, { bytes }]) => Buffer.from(bytes).toString('hex'));
  }

  forgetDetections(recordingId: string): void {
    this.rows.delete(derivedId(recordingId, detectionKind(detector.modelHash)));
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
    const api = createApi({ log, tls: await pki.service('storage'), tokens: fixedToken(token) });
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
    api.get('/v1/recordings/:id/unscored', ({ params }) => this.#unscored((params as { id: string }).id));
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
      predecessor: null,
      captureId: null,
      captureFirstSample: null,
      replay: null,
      source: null,
      montageHash: known?.montageHash ?? null,
    };
  }

  #unscored(id: string) {
    const covered: number[] = [];
    let from = 0;
    let to = -1;
    for (const { firstSample, samplesPerChannel } of [...this.#chunksOf(id), { firstSample: Number.NaN, samplesPerChannel: 0 }]) {
      if (firstSample === to) {
        to += samplesPerChannel;
        continue;
      }
      const { fromWindow, toWindow } = windowsInside(from, to, detector);
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

type Take = {
  readonly recordingId: string;
  readonly device: string;
  readonly start: Message;
  readonly chunks: Extract<Message, { stream: 'eeg' }>[];
};

let takes = 0;

/** A recording of the first seconds of a patient, as a gateway would send it. */
function take(of: BonnPatient, chunks: number, changed: { rate?: Rate; channels?: ChannelScale[] } = {}): Take {
  const device = `device-${++takes}`;
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
      predecessor: null,
      captureId: `capture-${takes}`,
      captureFirstSample: 0,
      replay: { speed: 1, source: of.label },
      source: 'bonn',
    },
    chunks: Array.from({ length: chunks }, (_, seq) => {
      const samples = samplesAt(of, seq * chunkSamples, chunkSamples);
      const block = new Int16Array(chunkSamples * channels.length);
      for (let channel = 0; channel < channels.length; channel++)
        block.set(channel === 0 ? samples : samples.map((value) => value >> 2), channel * chunkSamples);
      return {
        ...common,
        stream: 'eeg' as const,
        seq,
        measuredAtUs: Math.round(startUs + (seq * chunkSamples * 1e6 * used.den) / used.num),
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

async function sendAll({ start, chunks, device }: Take): Promise<void> {
  await Promise.all([start, ...chunks].map((message) => world.send(message, device)));
}

const started: Prediction[] = [];

async function startPrediction(changed: Partial<PredictionConfig> = {}): Promise<Prediction> {
  const { certPath, keyPath, caPath } = await pki.service('prediction');
  const prediction = createPrediction(
    PredictionConfig.parse({
      frontDoorUrl: world.doorUrl,
      storageUrl: `https://127.0.0.1:${world.ports.storage}`,
      storageToken: token,
      certPath,
      keyPath,
      caPath,
      backend: 'wasm',
      sweepS: 1,
      ...changed,
    }),
    { log, clock: systemClock },
  );
  started.push(prediction);
  await prediction.start(signal);
  return prediction;
}

async function ready(prediction: Prediction): Promise<void> {
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${prediction.addresses()['probePort']}/readyz`);
    return JSON.stringify(await answer.json()).includes('"subscribed":true,"publishing":true');
  });
}

const windowsOf = (chunks: number) => Math.floor((chunks * chunkSamples) / 178);
const complete = (recordingId: string, chunks: number) => until(() => world.detections(recordingId).length === windowsOf(chunks), 15_000);

beforeAll(async () => {
  pki = await TestPki.create();
  detector = await loadDetector({ backend: 'wasm' });
});
afterAll(() => {
  detector.dispose();
  pki.remove();
});
beforeEach(async () => {
  world = new World();
  await world.start();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((prediction) => prediction.stop()));
  await world.stop();
});

describe('committed chunks', () => {
  test('every window gets the score the detector gives it, at the time its samples tell, and seizures are where they are known to be', async () => {
    await ready(await startPrediction());
    const one = take(patient, 160);
    await sendAll(one);
    await complete(one.recordingId, 160);
    const found = world.detections(one.recordingId);
    const truth = truthIntervals(patient, 160 * chunkSamples);
    const isIctal = ({ firstSample }: Detection) =>
      truth.some(({ fromSample, toSample }) => firstSample + 89 >= fromSample && firstSample + 89 < toSample);
    for (const detection of found) {
      const samples = Float64Array.from(samplesAt(patient, detection.seq * 178, 178));
      const [score] = detector.scoreWindows([samples], [{ min: -2048, max: 2047 }]);
      expect(detection).toMatchObject({
        ...score,
        firstSample: detection.seq * 178,
        samples: 178,
        channel: 0,
        device: one.device,
        gateway: gatewayId,
      });
      expect(Math.abs(detection.measuredAtUs - (startUs + (detection.firstSample * 1e8) / 17361))).toBeLessThanOrEqual(1);
    }
    const seizures = found.filter(({ verdict }) => verdict === 'seizure');
    expect(seizures.filter(isIctal).length).toBeGreaterThan(seizures.length * 0.8);
    expect(seizures.length).toBeGreaterThan(10);
    expect(world.conflicts).toBe(0);
  });

  test('what was stored before the start is scored at the start, with the same bytes as if it had been heard', async () => {
    const one = take(patient, 60);
    await sendAll(one);
    await startPrediction();
    await complete(one.recordingId, 60);
    const fromStorage = world.bytesOf(one.recordingId);
    world.forgetDetections(one.recordingId);
    await until(() => world.detections(one.recordingId).length === 0);
    const late = take(patient, 60);
    await sendAll({ ...late, recordingId: one.recordingId, device: one.device, start: one.start, chunks: one.chunks }); // resent: heard again from seq 0
    await complete(one.recordingId, 60);
    expect(world.bytesOf(one.recordingId)).toEqual(fromStorage);
    expect(world.conflicts).toBe(0);
  });

  test('chunks that were committed but never heard leave no window without a detection', async () => {
    await ready(await startPrediction());
    const one = take(patient, 80);
    world.unrouted = (message) => message.stream === 'eeg' && ((message.seq > 20 && message.seq < 30) || message.seq === 79);
    await sendAll(one);
    await complete(one.recordingId, 80);
    expect(world.conflicts).toBe(0);
  });

  test('a chunk that comes late, after its hole, is scored when it is there', async () => {
    await ready(await startPrediction());
    const one = take(patient, 40);
    const [held] = one.chunks.splice(15, 1);
    await sendAll(one);
    await until(() => world.detections(one.recordingId).length === windowsOf(40) - 1);
    if (held !== undefined) await world.send(held, one.device);
    await complete(one.recordingId, 40);
  });

  test('of several channels the one most like a seizure speaks, named by its number', async () => {
    await ready(await startPrediction());
    const label = (name: string): ChannelScale => ({ ...bonnScale, label: name, reference: '' });
    const one = take(patient, 120, { channels: [label('A'), { ...label('B'), unit: 'mmHg' }, label('C')] });
    await sendAll(one);
    await complete(one.recordingId, 120);
    const channels = new Set(world.detections(one.recordingId).map(({ channel }) => channel));
    expect(channels.has(1)).toBe(false);
    expect(channels.has(0)).toBe(true);
  });

  test.each([
    ['rate', { rate: { num: 256, den: 1 } }],
    ['unit', { channels: [{ ...bonnScale, unit: 'counts', reference: '' }] }],
  ])('an unknown %s is refused window by window, never guessed', async (reason, changed) => {
    await ready(await startPrediction());
    const one = take(patient, 20, changed);
    await sendAll(one);
    await complete(one.recordingId, 20);
    for (const detection of world.detections(one.recordingId))
      expect(detection).toMatchObject({ probability: null, verdict: 'not-scorable', reason });
  });
});

describe('when things fail', () => {
  test('without storage, from the start on, it scores what it receives; a montage seen in an earlier run is enough', async () => {
    const dataDir = tempDir('vw-prediction-');
    world.storageAnswers = false;
    const first = await startPrediction({ dataDir });
    await ready(first);
    const one = take(patient, 20);
    await sendAll(one);
    await complete(one.recordingId, 20);
    await first.stop();
    // The second run hears no start record and cannot ask for it.
    await ready(await startPrediction({ dataDir }));
    const two = take(patient, 20);
    await Promise.all(two.chunks.map((chunk) => world.send(chunk, two.device)));
    await complete(two.recordingId, 20);
    removeTempDir(dataDir);
  });

  test('a montage nobody has told is asked of storage', async () => {
    world.unrouted = (message) => message.stream === 'recording';
    await ready(await startPrediction());
    const one = take(patient, 30);
    await sendAll(one);
    await complete(one.recordingId, 30);
  });

  test('after the front door was gone it reconnects and misses nothing', async () => {
    await ready(await startPrediction());
    const one = take(patient, 60);
    await sendAll({ ...one, chunks: one.chunks.slice(0, 30) });
    await world.closeDoor();
    await world.openDoor();
    await sendAll({ ...one, chunks: one.chunks.slice(30) });
    await complete(one.recordingId, 60);
    expect(world.conflicts).toBe(0);
  });

  test('while nothing can be committed, live chunks give provisional detections, stored ones come later', async () => {
    const prediction = await startPrediction();
    await ready(prediction);
    const heard: Detection[] = [];
    const viewer = new Subscriber({
      url: world.doorUrl,
      identity: await pki.service('web'),
      clientId: 'web-sub',
      topics: ['vw/1/+/+/+/detection/live'],
      log,
      onMessage: (_, payload) => {
        const decoded = decodeMessage(payload);
        if (decoded.ok && decoded.value.stream === 'detection') heard.push(decoded.value);
      },
    });
    await viewer.start(signal);
    await until(() => viewer.connected);
    const known = take(patient, 5);
    await sendAll(known); // its montage is known from now on
    world.commitsWork = false;
    const one = take(patient, 40);
    for (const chunk of one.chunks) world.sendLive(chunk, one.device);
    await until(() => heard.length === windowsOf(40));
    expect(world.detections(one.recordingId)).toEqual([]);
    world.commitsWork = true;
    await sendAll(one);
    await complete(one.recordingId, 40);
    // The provisional ones said the same: they were computed from the same samples.
    expect(heard.map(({ probability, verdict }) => ({ probability, verdict }))).toEqual(
      world.detections(one.recordingId).map(({ probability, verdict }) => ({ probability, verdict })),
    );
    await viewer.stop();
  });

  test('readyz says which backend is used and that storage does not answer, and stays ready', async () => {
    world.storageAnswers = false;
    const prediction = await startPrediction();
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${prediction.addresses()['probePort']}/readyz`);
      const text = await answer.text();
      return answer.status === 200 && text.includes('"backend":"wasm"') && /"storage":\{[^}]*"degraded":true/.test(text);
    });
    const metrics = await (await fetch(`http://127.0.0.1:${prediction.addresses()['probePort']}/metrics`)).text();
    expect(metrics).toContain(`hash="${detector.modelHash}"`);
  });

  test('it stops while catching up, and may be stopped twice', async () => {
    const one = take(patient, 400);
    await sendAll(one);
    const prediction = await startPrediction();
    await until(() => world.detections(one.recordingId).length > 3);
    await prediction.stop();
    await prediction.stop();
    const second = await startPrediction();
    await complete(one.recordingId, 400);
    await second.stop();
    expect(world.conflicts).toBe(0);
  });
});
