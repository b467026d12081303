import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import {
  type Alarm,
  AlarmLog,
  AlarmsNow,
  type ChannelScale,
  type Detection,
  decodeMessage,
  derivedId,
  detectionKind,
  encodeLiveStatus,
  encodeMessage,
  formatTopic,
  hashMontage,
  type MessageDraft,
  type NumericKind,
  newRecordingId,
  type ReplayMark,
} from '@vitalwire/contract';
import { createIngest, IngestConfig } from '@vitalwire/ingest';
import { type Clock, createLog, DurablePublisher, HttpClient, Subscriber, systemClock } from '@vitalwire/runtime';
import { createStorage, StorageConfig } from '@vitalwire/storage';
import { freePort, removeTempDir, TestPki, tempDir, until as untilWithin } from '@vitalwire/testkit';
import { afterAll, beforeAll } from 'vitest';
import { type Alarms, AlarmsConfig, createAlarms } from './index.ts';

export const log = createLog({ name: 'alarms-test', level: process.env['VW_TEST_LOG'] ?? 'silent' });
export const signal = new AbortController().signal;
export const token = 'the-token-of-alarms-tests';
const storageToken = 'the-token-of-storage-tests';
const repository = new URL('../../..', import.meta.url);
export const gateway = 'gw-1';
export const model = 'model-for-tests';
export const clockState = { offsetUs: 0, uncertaintyUs: 0, source: 'ntp' } as const;
export const rate = { num: 100, den: 1 } as const;
const montage: ChannelScale[] = [
  { label: 'C3', unit: 'uV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' },
];

export const until = <T>(fn: () => T | Promise<T>, what = fn.toString()) => untilWithin(fn, { timeoutMs: 20_000, what });

/** The machine's clock, and a way to let minutes pass at once. */
class JumpClock implements Clock {
  jumpedMs = 0;
  nowMs = () => systemClock.nowMs() + this.jumpedMs;
  nowUs = () => systemClock.nowUs() + this.jumpedMs * 1000;
  monotonicMs = () => systemClock.monotonicMs() + this.jumpedMs;
  sleep: Clock['sleep'] = (ms, abort) => systemClock.sleep(ms, abort);
  setTimer: Clock['setTimer'] = (ms, fn) => systemClock.setTimer(ms, fn);
}

export let pki: TestPki;
export const ends: (() => unknown)[] = [];

/** A real storage, a real front door, a gateway, a prediction service's certificate, and somebody who watches alarms as web does. */
class World {
  readonly dir = tempDir('vw-alarms-');
  readonly clock = new JumpClock();
  readonly heard: { readonly alarm: Alarm; readonly live: boolean }[] = [];
  storagePort = 0;
  doorPort = 0;
  #storage: ReturnType<typeof createStorage> | null = null;
  #door: ReturnType<typeof createIngest> | null = null;
  readonly #publishers = new Map<string, DurablePublisher>();

  async start(): Promise<void> {
    this.storagePort = await freePort();
    this.doorPort = await freePort();
    await this.openStorage();
    await this.openDoor();
    for (const [name, identity, clientId] of [
      ['gateway', await pki.gateway(gateway), gateway],
      ['prediction', await pki.service('prediction'), 'prediction-pub'],
    ] as const) {
      const publisher = new DurablePublisher({ url: this.doorUrl, identity, clientId, log });
      await publisher.start(signal);
      this.#publishers.set(name, publisher);
    }
    const watcher = new Subscriber({
      url: this.doorUrl,
      identity: await pki.service('web'),
      clientId: 'web-sub',
      topics: ['vw/1/+/+/+/alarm', 'vw/1/+/+/+/alarm/live'],
      log,
      onMessage: (topic, payload) => {
        const decoded = decodeMessage(Uint8Array.from(payload));
        if (decoded.ok && decoded.value.stream === 'alarm') this.heard.push({ alarm: decoded.value, live: topic.endsWith('/live') });
      },
    });
    await watcher.start(signal);
    ends.push(() => watcher.stop());
    await until(() => watcher.connected && [...this.#publishers.values()].every(({ connected }) => connected));
  }

  async stop(): Promise<void> {
    for (const publisher of this.#publishers.values()) await publisher.stop();
    await this.closeDoor();
    await this.closeStorage();
    removeTempDir(this.dir);
  }

  get doorUrl(): string {
    return `mqtts://127.0.0.1:${this.doorPort}`;
  }

  async openStorage(): Promise<void> {
    const { certPath, keyPath, caPath } = await pki.service('storage');
    const config = { certPath, keyPath, caPath, token: storageToken, port: this.storagePort, database: `sqlite:${this.dir}` };
    this.#storage = createStorage(StorageConfig.parse(config), { log, clock: systemClock });
    await this.#storage.start(signal);
  }

  async closeStorage(): Promise<void> {
    await this.#storage?.stop();
    this.#storage = null;
  }

  async openDoor(): Promise<void> {
    const { certPath, keyPath, caPath } = await pki.service('ingest');
    const config = { certPath, keyPath, caPath, port: this.doorPort, database: `sqlite:${this.dir}`, maxConnectionsPerCertificate: 12 };
    this.#door = createIngest(IngestConfig.parse(config), { log, clock: systemClock });
    await this.#door.start(signal);
  }

  async closeDoor(): Promise<void> {
    await this.#door?.stop();
    this.#door = null;
  }

  async config(changes: Record<string, unknown> = {}): Promise<AlarmsConfig> {
    const { certPath, keyPath, caPath } = await pki.service('alarms');
    return AlarmsConfig.parse({
      port: 0,
      certPath,
      keyPath,
      caPath,
      token,
      frontDoorUrl: this.doorUrl,
      storageUrl: `https://127.0.0.1:${this.storagePort}`,
      storageToken,
      storageTimeoutMs: 2_000,
      dataDir: join(this.dir, 'alarms'),
      limitsS: 1,
      leaseS: 2,
      ...changes,
    });
  }

  /** The service in this process. */
  async service(changes: Record<string, unknown> = {}): Promise<{ alarms: Alarms; http: HttpClient; stop: () => Promise<void> }> {
    const alarms = createAlarms(await this.config(changes), { log, clock: this.clock });
    const stop = () => alarms.stop();
    ends.push(stop);
    await alarms.start(signal);
    const http = this.#client(String(alarms.addresses()['url']));
    await until(async () => (await http.getJson('/v1/alarms', AlarmsNow)).path === 'ok', 'the alarm path is heard');
    return { alarms, http, stop };
  }

  /** The service as a process of its own, so that it can be killed. */
  async child(changes: Record<string, unknown> = {}): Promise<{ http: HttpClient; kill: () => Promise<void> }> {
    const code = `
      import { createAlarms } from '@vitalwire/alarms';
      import { createLog, systemClock } from '@vitalwire/runtime';
      const alarms = createAlarms(JSON.parse(process.env.TEST_ALARMS), { log: createLog({ name: 'child', level: 'error' }), clock: systemClock });
      await alarms.start(new AbortController().signal);
      process.send(alarms.addresses());`;
    const child: ChildProcess = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', code], {
      cwd: new URL('cluster-services/alarms/', repository),
      env: { ...process.env, TEST_ALARMS: JSON.stringify(await this.config(changes)) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL');
      await exited;
    };
    ends.push(kill);
    const { url } = await new Promise<{ url: string }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as { url: string }));
      child.once('exit', () => reject(new Error('the service ended before it was up')));
    });
    const http = this.#client(url);
    await until(async () => (await http.getJson('/v1/alarms', AlarmsNow)).path === 'ok', 'the alarm path of the child is heard');
    return { http, kill };
  }

  async storage(): Promise<HttpClient> {
    return this.#client(`https://127.0.0.1:${this.storagePort}`, storageToken);
  }

  /** What is stored, oldest first. */
  async stored(): Promise<AlarmLog['lines']> {
    return (await (await this.storage()).getJson('/v1/alarm-log', AlarmLog)).lines;
  }

  async send(by: 'gateway' | 'prediction', device: string, message: MessageDraft, live = false): Promise<void> {
    const topic = formatTopic(gateway, device, message.stream, live);
    const publisher = this.#publishers.get(by);
    if (live) publisher?.publishLive(topic, encodeMessage(message));
    else await publisher?.publish(topic, encodeMessage(message));
  }

  liveStatus(online: boolean): void {
    const session = newRecordingId(gateway, Date.now(), new Uint8Array(6));
    const status = {
      stream: 'live-status',
      gateway,
      session,
      online,
      version: '0',
      depthChunks: 0,
      depthBytes: 0,
      oldestAgeMs: null,
    } as const;
    const rest = { lastPubackUs: null, chunksPerSecondIn: 0, chunksPerSecondOut: 0, secondsUntilFull: null, certificateDaysLeft: null };
    const bytes = encodeLiveStatus({ ...status, ...rest, clock: clockState, measuredAtUs: systemClock.nowUs() });
    this.#publishers.get('gateway')?.publishLive(formatTopic(gateway, gateway, 'status', true), bytes);
  }

  #client(baseUrl: string, bearer = token): HttpClient {
    const http = new HttpClient({ baseUrl, token: bearer, caPath: pki.caPath });
    ends.push(() => http.close());
    return http;
  }
}

let recordings = 0;
/** A recording of one device, sent piece by piece. */
export class Recording {
  readonly id: string;
  readonly startUs: number;
  replay: ReplayMark | null = null;
  readonly world: World;
  readonly device: string;
  readonly of: 'eeg' | 'heart-rate';
  #seq = 0;
  #window = 0;

  constructor(world: World, device: string, of: 'eeg' | 'heart-rate' = 'eeg', startUs = world.clock.nowUs()) {
    this.world = world;
    this.device = device;
    this.of = of;
    recordings += 1;
    this.id = newRecordingId(gateway, Date.now(), Uint8Array.of(0, 0, 0, 0, recordings >> 8, recordings & 255));
    this.startUs = startUs;
  }

  start(predecessor: string | null = null): Promise<void> {
    const eeg = this.of === 'eeg';
    return this.world.send('gateway', this.device, {
      stream: 'recording',
      kind: 'start',
      recordingId: derivedId(this.id, 'recording'),
      seq: 0,
      measuredAtUs: this.startUs,
      clock: clockState,
      subject: this.id,
      gateway,
      device: this.device,
      of: this.of,
      rate: eeg ? rate : null,
      channels: eeg ? montage : [],
      montageHash: hashMontage(eeg ? montage : []),
      predecessor,
      captureId: `capture-${this.id}`,
      captureFirstSample: 0,
      replay: this.replay,
      source: 'test',
    });
  }

  /** A second of EEG. */
  async eeg(live = false): Promise<void> {
    const seq = this.#seq++;
    const chunk: MessageDraft = {
      stream: 'eeg',
      recordingId: this.id,
      seq,
      measuredAtUs: this.startUs + seq * 1_000_000,
      clock: clockState,
      firstSample: seq * 100,
      channels: 1,
      samplesPerChannel: 100,
      rate,
      montageHash: hashMontage(montage),
      sampleBits: 16,
      samples: new Int16Array(100),
    };
    await this.world.send('gateway', this.device, chunk, live);
  }

  async heartRate(bpm: number, kind: NumericKind = 'ecg', atUs = this.startUs + this.#seq * 1_000_000): Promise<void> {
    const seq = this.#seq++;
    const readings = [{ atUs, value: bpm, least: null, most: null }];
    const ids = { recordingId: this.id, seq, measuredAtUs: atUs, clock: clockState, firstSample: seq };
    await this.world.send('gateway', this.device, { stream: 'heart-rate', ...ids, kind, readings });
  }

  end(reason: 'stopped' | 'capture-ended' | 'midnight' | 'crash'): Promise<void> {
    return this.world.send('gateway', this.device, {
      stream: 'recording',
      kind: 'end',
      recordingId: derivedId(this.id, 'recording'),
      seq: 1,
      measuredAtUs: this.startUs,
      clock: clockState,
      subject: this.id,
      lastSeq: this.#seq - 1,
      readings: this.#seq * 100,
      reason,
    });
  }

  /** Windows of 4 s, one a second, as the prediction service sends them. */
  async windows(probabilities: readonly (number | null)[], { live = false, reason = 'flat' } = {}): Promise<void> {
    for (const probability of probabilities) {
      const seq = this.#window++;
      const detection: Detection = {
        stream: 'detection',
        recordingId: derivedId(this.id, detectionKind(model)),
        seq,
        measuredAtUs: this.startUs + seq * 1_000_000,
        clock: clockState,
        subject: this.id,
        gateway,
        device: this.device,
        channel: 0,
        modelHash: model,
        modelVersion: '1',
        firstSample: seq * 100,
        samples: 400,
        probability,
        verdict: probability === null ? 'not-scorable' : probability >= 0.8 ? 'seizure' : 'quiet',
        reason: probability === null ? reason : null,
        baseline: probability === null ? null : 'population',
        channelProbabilities: [],
        fence: 0,
      };
      await this.world.send('prediction', this.device, detection, live);
    }
  }
}

export const lasting = (seconds: number, probability: number | null) => Array.from({ length: seconds }, () => probability);
/** What has not ended, of one device or of all. */
export const now = async (http: HttpClient, ...devices: string[]) =>
  (await http.getJson('/v1/alarms', AlarmsNow)).alarms.filter(({ device }) => devices.length === 0 || devices.includes(device));

export let world: World;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

export async function openWorld(): Promise<void> {
  world = new World();
  await world.start();
}

export async function closeWorld(): Promise<void> {
  for (const end of ends.splice(0).toReversed()) await end();
  await world.stop();
}
