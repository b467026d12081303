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
  type HeartRateKind,
  hashMontage,
  type MessageDraft,
  newRecordingId,
} from '@vitalwire/contract';
import { createIngest, IngestConfig } from '@vitalwire/ingest';
import { type Clock, createLog, DurablePublisher, HttpClient, Subscriber, systemClock } from '@vitalwire/runtime';
import { createStorage, StorageConfig } from '@vitalwire/storage';
import { freePort, removeTempDir, TestPki, tempDir, until as untilWithin } from '@vitalwire/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Alarms, AlarmsConfig, createAlarms } from './index.ts';

const log = createLog({ name: 'alarms-test', level: process.env['VW_TEST_LOG'] ?? 'silent' });
const signal = new AbortController().signal;
const token = 'the-token-of-alarms-tests';
const storageToken = 'the-token-of-storage-tests';
const repository = new URL('../../..', import.meta.url);
const gateway = 'gw-1';
const model = 'model-for-tests';
const clockState = { offsetUs: 0, uncertaintyUs: 0, source: 'ntp' } as const;
const rate = { num: 100, den: 1 } as const;
const montage: ChannelScale[] = [
  { label: 'C3', unit: 'uV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' },
];
const AnyAnswer = z.unknown();

const until = <T>(fn: () => T | Promise<T>, what = fn.toString()) => untilWithin(fn, { timeoutMs: 20_000, what });

/** The machine's clock, and a way to let minutes pass at once. */
class JumpClock implements Clock {
  jumpedMs = 0;
  nowMs = () => systemClock.nowMs() + this.jumpedMs;
  nowUs = () => systemClock.nowUs() + this.jumpedMs * 1000;
  monotonicMs = () => systemClock.monotonicMs() + this.jumpedMs;
  sleep: Clock['sleep'] = (ms, abort) => systemClock.sleep(ms, abort);
  setTimer: Clock['setTimer'] = (ms, fn) => systemClock.setTimer(ms, fn);
}

let pki: TestPki;
const ends: (() => unknown)[] = [];

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
class Recording {
  readonly id: string;
  readonly startUs: number;
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
      replay: null,
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

  async heartRate(bpm: number, kind: HeartRateKind = 'ecg', atUs = this.startUs + this.#seq * 1_000_000): Promise<void> {
    const seq = this.#seq++;
    const readings = [{ atUs, bpm, minBpm: null, maxBpm: null }];
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

const lasting = (seconds: number, probability: number | null) => Array.from({ length: seconds }, () => probability);
/** What has not ended, of one device or of all. */
const now = async (http: HttpClient, ...devices: string[]) =>
  (await http.getJson('/v1/alarms', AlarmsNow)).alarms.filter(({ device }) => devices.length === 0 || devices.includes(device));

let world: World;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

async function openWorld(): Promise<void> {
  world = new World();
  await world.start();
}

async function closeWorld(): Promise<void> {
  for (const end of ends.splice(0).toReversed()) await end();
  await world.stop();
}

describe('running', () => {
  let http: HttpClient;
  let alarms: Alarms;
  beforeAll(async () => {
    await openWorld();
    ({ http, alarms } = await world.service());
  });
  afterAll(closeWorld);
  const raisedOf = (device: string) =>
    world.heard.filter(
      ({ alarm, live }) => live && alarm.device === device && alarm.transition === 'raised' && alarm.condition === 'seizure',
    ).length;

  describe('a seizure', () => {
    test('is told at once, stored for good, acknowledged over HTTP, and its log has no gaps', async () => {
      const eeg = new Recording(world, 'eeg-2');
      await eeg.start();
      await eeg.eeg();
      await eeg.windows([...lasting(10, 0.1), ...lasting(10, 0.95)]);
      const [alarm] = await until(async () => {
        const open = await now(http, 'eeg-2');
        return open.length > 0 && open;
      });
      expect(alarm).toMatchObject({ device: 'eeg-2', condition: 'seizure', priority: 'high', state: 'active', senders: ['alarms'] });
      expect(alarm?.onsetUs).toBe(eeg.startUs + 10_000_000);
      await eeg.windows(lasting(6, 0.1));
      await until(async () => (await now(http, 'eeg-2'))[0]?.state === 'latched');
      const answer = await http.postJson(`/v1/alarms/${alarm?.alarmId}/acknowledge`, { by: 'nurse-1' }, AnyAnswer);
      expect(answer).toMatchObject({ state: 'ended', acknowledgedBy: 'nurse-1' });
      expect(await now(http, 'eeg-2')).toEqual([]);

      const lines = await until(async () => {
        const stored = (await world.stored()).filter(({ alarmId }) => alarmId === alarm?.alarmId);
        return stored.length === 3 && stored;
      });
      expect(lines.map(({ transition, state }) => `${transition}:${state}`)).toEqual([
        'raised:active',
        'condition-ended:latched',
        'acknowledged:ended',
      ]);
      expect(lines.map(({ seq }) => seq)).toEqual([0, 1, 2]);
      await until(() =>
        [true, false].every((live) => world.heard.filter((one) => one.live === live && one.alarm.alarmId === alarm?.alarmId).length === 3),
      );
    });

    test('across midnight and across an agent restart is one alarm', async () => {
      const before = new Recording(world, 'eeg-3');
      await before.start();
      await before.eeg();
      await before.windows([...lasting(5, 0.1), ...lasting(15, 0.95)]);
      await before.end('midnight');
      const after = new Recording(world, 'eeg-3', 'eeg', before.startUs + 23_000_000);
      await after.start(before.id);
      await after.eeg();
      await after.windows(lasting(10, 0.95));
      await after.end('crash');
      const last = new Recording(world, 'eeg-3', 'eeg', after.startUs + 40_000_000);
      await last.start(after.id);
      await last.eeg();
      await last.windows([...lasting(10, 0.95), ...lasting(6, 0.1)]);
      await until(async () => (await now(http, 'eeg-3'))[0]?.state === 'latched');
      expect(await now(http, 'eeg-3')).toMatchObject([{ onsetUs: before.startUs + 5_000_000, endedUs: last.startUs + 13_000_000 }]);
      expect(raisedOf('eeg-3')).toBe(1);
    });

    test('seen on both lanes, the backlog behind the live windows, is one alarm', async () => {
      const eeg = new Recording(world, 'eeg-4');
      await eeg.start();
      await eeg.eeg();
      const live = new Recording(world, 'eeg-4', 'eeg', eeg.startUs);
      Object.assign(live, { id: eeg.id });
      const probabilities = [...lasting(10, 0.1), ...lasting(10, 0.95), ...lasting(6, 0.1)];
      await live.windows(probabilities, { live: true });
      await until(async () => (await now(http, 'eeg-4'))[0]?.state === 'latched');
      await eeg.windows(probabilities.map((probability) => (probability ?? 0) - 0.02));
      await eeg.windows(lasting(1, 0.1));
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(await now(http, 'eeg-4')).toHaveLength(1);
      expect(raisedOf('eeg-4')).toBe(1);
    });

    test("told by a gateway's own engine too is one alarm with both senders", async () => {
      const eeg = new Recording(world, 'eeg-5');
      await eeg.start();
      await eeg.eeg();
      const logId = newRecordingId(gateway, Date.now(), new Uint8Array(6));
      const line: Alarm = {
        stream: 'alarm',
        recordingId: derivedId(logId, 'alarm'),
        subject: logId,
        seq: 0,
        measuredAtUs: systemClock.nowUs(),
        clock: clockState,
        sender: gateway,
        device: 'eeg-5',
        alarmId: 'aaaaaaaaaaaaaaaa',
        condition: 'seizure',
        priority: 'high',
        state: 'active',
        transition: 'raised',
        onsetUs: eeg.startUs + 11_000_000,
        endedUs: null,
        value: 0.9,
        limit: 0.8,
        channel: 0,
        untilUs: null,
        by: '',
        mergedInto: null,
        replay: null,
        text: 'seizure pattern detected',
        fence: 0,
      };
      await world.send('gateway', 'eeg-5', line);
      await until(async () => (await now(http, 'eeg-5')).length === 1);
      await eeg.windows([...lasting(10, 0.1), ...lasting(10, 0.95), ...lasting(6, 0.1)]);
      await until(async () => (await now(http, 'eeg-5'))[0]?.state === 'latched');
      expect(await now(http, 'eeg-5')).toMatchObject([
        { alarmId: 'aaaaaaaaaaaaaaaa', senders: ['alarms', 'gw-1'], onsetUs: eeg.startUs + 10_000_000 },
      ]);
    });
  });

  describe('people', () => {
    test('are told what is wrong with what they ask', async () => {
      const refusal = async (path: string, body: unknown) =>
        http.postJson(path, body).then(
          () => null,
          (error: { status: number; remoteCode: string; remoteMessage: string }) =>
            `${error.status} ${error.remoteCode} ${error.remoteMessage}`,
        );
      expect(await refusal('/v1/alarms/0123456789abcdef/acknowledge', { by: 'nurse-1' })).toContain(
        '404 ALARM_UNKNOWN no alarm 0123456789abcdef',
      );
      expect(await refusal('/v1/alarms/nonsense/acknowledge', { by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      expect(await refusal('/v1/alarms/0123456789abcdef/acknowledge', { by: ' ' })).toContain('say who asks');
      expect(await refusal('/v1/devices/eeg-6/alarm-pause', { seconds: 121, by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      expect(await refusal('/v1/devices/eeg-6/alarm-pause', { seconds: -1, by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      expect(await refusal('/v1/devices/-/alarm-pause', { seconds: 10, by: 'nurse-1' })).toContain('400 INVALID_REQUEST');
      const stranger = new HttpClient({ baseUrl: String(alarms.addresses()['url']), token: 'not-the-token', caPath: pki.caPath });
      ends.push(() => stranger.close());
      await expect(stranger.getJson('/v1/alarms', AlarmsNow)).rejects.toMatchObject({ status: 401, remoteCode: 'TOKEN_WRONG' });
    });

    test('pause a device for at most 120 s; the pause ends by itself and is in the log', async () => {
      const answer = await http.postJson('/v1/devices/eeg-7/alarm-pause', { seconds: 120, by: 'nurse-1' }, AnyAnswer);
      expect(answer).toMatchObject({ pause: { device: 'eeg-7', by: 'nurse-1', above: 'low' } });
      world.clock.jumpedMs += 119_000;
      expect((await http.getJson('/v1/alarms', AlarmsNow)).pauses).toHaveLength(1);
      world.clock.jumpedMs += 1_000;
      await until(async () => (await http.getJson('/v1/alarms', AlarmsNow)).pauses.length === 0);
      await until(() => world.heard.some(({ alarm }) => alarm.transition === 'resumed' && alarm.by === ''));
    });

    test('change the limits of a patient; the device follows, and the log says who', async () => {
      const storage = await world.storage();
      await storage.putJson('/v1/patients/p1', {});
      await storage.putJson('/v1/devices/hr-8', { kind: 'heart-rate' });
      await storage.putJson('/v1/assignments', { device: 'hr-8', patient: 'p1', fromUs: 0, toUs: null });
      await storage.putJson('/v1/patients/p1/alarm-limits', { heartRate: { low: 50, high: 90, extremeDelta: 30 }, by: 'dr-1' });
      await until(() =>
        world.heard.some(({ alarm }) => alarm.transition === 'limits-changed' && alarm.device === 'hr-8' && alarm.by === 'dr-1'),
      );
      const rates = new Recording(world, 'hr-8', 'heart-rate');
      await rates.start();
      for (let second = 0; second < 8; second++) await rates.heartRate(100 + (second % 2));
      await until(async () => (await now(http, 'hr-8')).some(({ condition, limit }) => condition === 'heart-rate-high' && limit === 90));
    });
  });

  describe('silence and bad signals', () => {
    test('EEG that stops is a technical alarm after 10 s, urgent after 60 s, and over when it comes back', async () => {
      const eeg = new Recording(world, 'eeg-9');
      await eeg.start();
      await eeg.eeg();
      await eeg.windows([0.1]);
      await until(() => world.heard.some(({ alarm }) => alarm.transition === 'pulse'));
      world.clock.jumpedMs += 10_000;
      await until(async () =>
        (await now(http, 'eeg-9')).some(({ condition, priority }) => condition === 'no-data' && priority === 'medium'),
      );
      world.clock.jumpedMs += 50_000;
      await until(async () => (await now(http, 'eeg-9')).some(({ condition, priority }) => condition === 'no-data' && priority === 'high'));
      await eeg.eeg();
      await until(async () => (await now(http, 'eeg-9')).length === 0);
    });

    test('EEG that was ended is off, a phone is never silent, and heart rate is silent after 60 s', async () => {
      const ended = new Recording(world, 'eeg-10');
      await ended.start();
      await ended.eeg();
      await ended.end('capture-ended');
      const phone = new Recording(world, 'phone-10', 'heart-rate');
      await phone.start();
      await phone.heartRate(20, 'phone');
      const rates = new Recording(world, 'hr-10', 'heart-rate');
      await rates.start();
      await rates.heartRate(70);
      await new Promise((resolve) => setTimeout(resolve, 300));
      world.clock.jumpedMs += 58_000;
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(await now(http, 'eeg-10', 'phone-10', 'hr-10')).toEqual([]);
      world.clock.jumpedMs += 2_000;
      await until(async () => (await now(http, 'eeg-10', 'phone-10', 'hr-10')).length > 0);
      expect(await now(http, 'eeg-10', 'phone-10', 'hr-10')).toMatchObject([
        { device: 'hr-10', condition: 'no-data', category: 'technical' },
      ]);
    });

    test('a gateway that goes is offline until it is heard again', async () => {
      world.liveStatus(true);
      await new Promise((resolve) => setTimeout(resolve, 300));
      world.clock.jumpedMs += 15_000;
      await until(async () =>
        (await now(http, gateway)).some(({ condition, device }) => condition === 'gateway-offline' && device === gateway),
      );
      world.liveStatus(true);
      await until(async () => (await now(http, gateway)).length === 0);
      world.liveStatus(false);
      await until(async () => (await now(http, gateway)).some(({ condition }) => condition === 'gateway-offline'));
    });

    test('EEG that nobody judges says so after 15 s; EEG on the live lane alone says that storage is behind', async () => {
      const eeg = new Recording(world, 'eeg-12');
      await eeg.start();
      for (let second = 0; second < 9; second++) {
        await eeg.eeg(true);
        world.clock.jumpedMs += 2_000;
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      await eeg.eeg(true);
      await until(async () => (await now(http, 'eeg-12', 'prediction', 'storage')).length === 2);
      expect((await now(http, 'eeg-12', 'prediction', 'storage')).map(({ condition, device }) => `${condition} ${device}`).sort()).toEqual([
        'model-unavailable prediction',
        'storage-behind storage',
      ]);
      await eeg.eeg();
      await eeg.windows([0.1]);
      await until(async () => (await now(http, 'eeg-12', 'prediction', 'storage')).length === 0);
    });

    test.each([
      ['flat', 'lead-off'],
      ['railed', 'lead-off'],
      ['low-amplitude', 'lead-off'],
      ['mains-hum', 'poor-signal'],
      ['broadband-noise', 'poor-signal'],
      ['steps', 'poor-signal'],
    ])('a signal refused as %s raises %s and no seizure', async (reason, condition) => {
      const eeg = new Recording(world, `eeg-${reason}`);
      await eeg.start();
      await eeg.eeg();
      await eeg.windows([...lasting(5, 0.1), ...lasting(12, null)], { reason });
      await until(async () => (await now(http, `eeg-${reason}`)).length > 0);
      expect((await now(http, `eeg-${reason}`)).map((alarm) => alarm.condition)).toEqual([condition]);
      await eeg.windows(lasting(2, 0.1));
      await until(async () => (await now(http, `eeg-${reason}`)).length === 0);
      expect(raisedOf(`eeg-${reason}`)).toBe(0);
    });
  });
});

describe('when things fail', () => {
  beforeEach(openWorld);
  afterEach(closeWorld);

  test('killed in the middle of an alarm and started again, it has lost nothing and doubles nothing', async () => {
    const first = await world.child();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows([...lasting(5, 0.1), ...lasting(10, 0.95)]);
    const [before] = await until(async () => {
      const open = await now(first.http);
      return open.length > 0 && open;
    });
    await first.kill();
    await eeg.windows(lasting(5, 0.95)); // while nobody listens
    const second = await world.child();
    expect(await now(second.http)).toMatchObject([
      { alarmId: before?.alarmId, onsetUs: before?.onsetUs, raisedAtUs: before?.raisedAtUs, state: 'active' },
    ]);
    await eeg.windows([...lasting(5, 0.95), ...lasting(6, 0.1)]);
    await until(async () => (await now(second.http))[0]?.state === 'latched');
    expect(await now(second.http)).toMatchObject([{ alarmId: before?.alarmId, endedUs: eeg.startUs + 28_000_000 }]);
    const lines = await until(async () => {
      const stored = (await world.stored()).filter(({ condition }) => condition === 'seizure');
      return stored.length === 2 && stored;
    });
    expect(lines.map(({ transition, seq }) => `${seq} ${transition}`)).toEqual(['0 raised', '1 condition-ended']);
  });

  test('a seizure that began and ended while it was away is found at its start', async () => {
    const first = await world.service();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows(lasting(5, 0.1));
    await first.stop();
    await eeg.windows([...lasting(10, 0.95), ...lasting(6, 0.1)]);
    const second = await world.service();
    await until(async () => (await now(second.http)).length === 1);
    expect(await now(second.http)).toMatchObject([{ condition: 'seizure', state: 'latched', onsetUs: eeg.startUs + 5_000_000 }]);
  });

  test('EEG that stopped while it was away, without an end, is missed at its start; EEG that was ended is not', async () => {
    const silent = new Recording(world, 'eeg-1');
    await silent.start();
    await silent.eeg();
    const ended = new Recording(world, 'eeg-2');
    await ended.start();
    await ended.eeg();
    await ended.end('capture-ended');
    const { http } = await world.service();
    const noData = async () => (await now(http)).filter(({ condition }) => condition === 'no-data').map(({ device }) => device);
    expect(await noData()).toEqual([]);
    world.clock.jumpedMs += 11_000;
    await until(async () => (await noData()).length > 0);
    expect(await noData()).toEqual(['eeg-1']);
  });

  test('EEG that stopped is missed also where its start record came again before storage answered, and so is a heart rate', async () => {
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    const rates = new Recording(world, 'hr-1', 'heart-rate');
    await rates.start();
    await rates.heartRate(70);
    await world.closeStorage();
    const { http } = await world.service();
    await eeg.start(); // sent again, as after a lost acknowledgement
    await world.openStorage();
    world.clock.jumpedMs += 70_000;
    const noData = async () => (await now(http)).filter(({ condition }) => condition === 'no-data').map(({ device }) => device);
    await until(async () => (await noData()).length === 2, 'both are missed');
  });

  test('it starts without storage with what it wrote itself, goes on, and keeps its alarms when storage is back', async () => {
    const first = await world.service();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows([...lasting(10, 0.95), ...lasting(6, 0.1)]);
    await until(async () => (await now(first.http))[0]?.state === 'latched');
    const [latched] = await now(first.http);
    await first.stop();
    await world.closeStorage();
    const second = await world.service();
    expect(await now(second.http)).toMatchObject([{ alarmId: latched?.alarmId, state: 'latched' }]);
    const other = new Recording(world, 'eeg-2');
    await other.start();
    await other.eeg();
    await other.windows(lasting(10, 0.95));
    await until(async () => (await now(second.http)).length === 2);
    await world.openStorage();
    await until(async () => (await world.stored()).some(({ device }) => device === 'eeg-2'));
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // a lease and a look at the log
    expect((await now(second.http)).map(({ device, state }) => `${device} ${state}`).sort()).toEqual(['eeg-1 latched', 'eeg-2 active']);
  });

  test('without its own files it has its alarms from the stored log', async () => {
    const first = await world.service();
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    await eeg.windows(lasting(10, 0.95));
    await until(async () => (await world.stored()).some(({ condition }) => condition === 'seizure'));
    const [before] = await now(first.http);
    await first.stop();
    const second = await world.service({ dataDir: join(world.dir, 'another') });
    expect(await now(second.http)).toMatchObject([{ alarmId: before?.alarmId, state: 'active', raisedAtUs: before?.raisedAtUs }]);
  });

  test('a second worker stands by, and takes over with the state when the first is gone', async () => {
    const first = await world.child({ worker: 'alarms-a', dataDir: join(world.dir, 'a'), leaseS: 5 });
    const eeg = new Recording(world, 'eeg-1');
    await eeg.start();
    await eeg.eeg();
    const second = await world.service({ worker: 'alarms-b', dataDir: join(world.dir, 'b'), leaseS: 5 });
    await eeg.windows(lasting(10, 0.95));
    await until(async () => (await now(first.http)).length === 1);
    const [before] = await now(first.http);
    await until(async () => (await world.stored()).length > 0);
    expect(await now(second.http)).toEqual([]);
    await first.kill();
    await until(async () => (await now(second.http)).length === 1);
    expect(await now(second.http)).toMatchObject([{ alarmId: before?.alarmId, state: 'active' }]);
    await eeg.windows(lasting(6, 0.1));
    await until(async () => (await now(second.http))[0]?.state === 'latched');
    const fences = () => world.heard.filter(({ alarm, live }) => !live && alarm.condition === 'seizure').map(({ alarm }) => alarm.fence);
    await until(() => fences().length === 2, 'both lines are committed');
    expect(fences()).toEqual([1, 2]);
    expect((await world.stored()).filter(({ transition, condition }) => transition === 'raised' && condition === 'seizure')).toHaveLength(
      1,
    );
  });

  test('the pulse stops with the front door and comes back with it', async () => {
    const { http } = await world.service();
    const pulses = () => world.heard.filter(({ alarm, live }) => live && alarm.transition === 'pulse').length;
    await until(() => pulses() >= 2);
    await world.closeDoor();
    await until(async () => (await http.getJson('/v1/alarms', AlarmsNow)).path === 'down');
    const before = pulses();
    await world.openDoor();
    await until(() => pulses() > before);
  });
});
