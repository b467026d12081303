import { mkdirSync } from 'node:fs';
import { type AlarmsNow, numericStreams } from '@vitalwire/contract';
import {
  type Api,
  type Clock,
  createApi,
  fixedToken,
  HttpClient,
  type Identity,
  type Lifecycle,
  type Listening,
  type Log,
  listen,
  Probes,
  type Running,
  Subscriber,
  startAll,
  type Timer,
} from '@vitalwire/runtime';
import { ConflictWatch, SilenceWatch } from '@vitalwire/vitals';
import { CatchUp } from './catch-up.ts';
import type { AlarmsConfig } from './config.ts';
import { LimitsKeeper } from './limits-keeper.ts';
import { type AlarmCounts, addAlarmMetrics } from './metrics.ts';
import { Reception } from './reception.ts';
import { KnownRecordings } from './recordings.ts';
import { Restore } from './restore.ts';
import { addAlarmRoutes } from './routes.ts';
import { Shards } from './shards.ts';
import { SENDER, Voice } from './voice.ts';
import { Wards } from './wards.ts';

export type AlarmsDeps = { readonly log: Log; readonly clock: Clock };
export type Alarms = Lifecycle & { addresses(): Record<string, number | string> };

const STREAMS = ['detection', ...numericStreams, 'eeg', 'recording', 'alarm', 'status'] as const;
const TOPICS = STREAMS.flatMap((stream) => [`vw/1/+/+/+/${stream}`, `vw/1/+/+/+/${stream}/live`]);
/** Messages waiting to be looked at; beyond it the oldest go, and detections among them are read from storage. */
const QUEUE_LIMIT = 4_000;
const TICK_MS = 500;
const PULSE_MS = 2_000;
/** Connections are made while it starts; only what is missing for longer is worth a word. */
const SETTLE_MS = 10_000;

/** The alarms service: readings, detections and silence in, alarms out; acknowledge and pause. It needs no database to go on. */
export function createAlarms(config: AlarmsConfig, deps: AlarmsDeps): Alarms {
  return new AlarmsService(config, deps);
}

class AlarmsService implements Alarms {
  readonly #config: AlarmsConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #voice: Voice;
  readonly #silence: SilenceWatch;
  readonly #conflicts: ConflictWatch;
  readonly #wards: Wards;
  readonly #shards: Shards;
  readonly #restore: Restore;
  readonly #keeper: LimitsKeeper;
  readonly #catchUp: CatchUp;
  readonly #subscriber: Subscriber;
  readonly #probes: Probes;
  readonly #api: Api;
  readonly #counts = { unreadable: 0, dropped: 0 };
  #running: Running | null = null;
  #listening: Listening | null = null;
  #timer: Timer | null = null;
  #lastPulseMs = Number.NEGATIVE_INFINITY;
  #lastRestoreMs = Number.NEGATIVE_INFINITY;
  #startedMs = 0;
  #stopped = false;

  constructor(config: AlarmsConfig, { log, clock }: AlarmsDeps) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    const { dataDir, worker } = config;
    const identity = { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath };
    this.#http = new HttpClient({
      baseUrl: config.storageUrl,
      token: config.storageToken,
      caPath: config.caPath,
      timeoutMs: config.storageTimeoutMs,
    });
    this.#voice = new Voice({ config, identity, log, clock, fenceOf: (device) => this.#shards.fenceOf(device) });
    this.#silence = new SilenceWatch(clock.monotonicMs());
    this.#conflicts = new ConflictWatch(clock.monotonicMs());
    this.#wards = new Wards({
      clock,
      limitsOf: (device, stream) => this.#keeper.limitsOf(device, stream),
      write: (records) => this.#voice.write(records),
    });
    this.#restore = new Restore({ sender: SENDER, http: this.#http, clock, log, own: () => this.#voice.lines() });
    this.#shards = new Shards({
      http: this.#http,
      worker,
      want: config.shards,
      leaseS: config.leaseS,
      dataDir,
      clock,
      log,
      onGained: (shards) => this.#gain(shards),
      onLost: (shards) => {
        for (const shard of shards) this.#wards.lose(shard);
      },
    });
    this.#keeper = new LimitsKeeper({
      http: this.#http,
      dataDir,
      everyMs: config.limitsS * 1000,
      clock,
      log,
      onLimits: (device, by, text) => this.#wards.limits(device, by, text),
      onForeign: (device, foreign) => this.#conflicts.heard(device, foreign, clock.monotonicMs()),
    });
    const recordings = new KnownRecordings();
    this.#catchUp = new CatchUp({
      http: this.#http,
      recordings,
      wards: this.#wards,
      silence: this.#silence,
      owns: (device) => this.#shards.owns(device),
      clock,
      log,
    });
    this.#subscriber = this.#makeSubscriber(recordings, identity);
    this.#probes = new Probes({ host: config.probeHost, port: config.probePort, log, clock });
    this.#api = createApi({ log, tls: identity, tokens: fixedToken(config.token, { id: 'web' }) });
  }

  #makeSubscriber(recordings: KnownRecordings, identity: Identity): Subscriber {
    const { frontDoorUrl: url, worker } = this.#config;
    const reception = new Reception({
      sender: SENDER,
      wards: this.#wards,
      recordings,
      silence: this.#silence,
      owners: this.#keeper.owners,
      conflicts: this.#conflicts,
      onUntold: () => this.#keeper.lookNow(),
      clock: this.#clock,
      onOwn: (alarm) => this.#voice.pulse.heard(alarm),
      onUnknown: (recordingId) => this.#catchUp.look(recordingId),
      onUnreadable: () => {
        this.#counts.unreadable += 1;
      },
    });
    return new Subscriber({
      url,
      identity,
      clientId: `${worker}-sub`,
      topics: TOPICS,
      queueLimit: QUEUE_LIMIT,
      clock: this.#clock,
      log: this.#log,
      onMessage: (topic, payload) => reception.receive(topic, payload),
      onConnected: () => {
        this.#voice.mayTry();
        this.#catchUp.lookAtAll();
      },
      onDropped: (dropped) => {
        this.#counts.dropped = dropped;
        this.#catchUp.lookAtAll();
      },
    });
  }

  addresses(): Record<string, number | string> {
    return { url: this.#listening?.url ?? '', port: this.#listening?.port ?? 0, probePort: this.#probes.port };
  }

  async start(signal: AbortSignal): Promise<void> {
    const { dataDir, host, port } = this.#config;
    this.#startedMs = this.#clock.monotonicMs();
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    addAlarmRoutes(this.#api, { wards: this.#wards, now: () => this.#now() });
    this.#addChecks();
    addAlarmMetrics(this.#probes.registry, () => this.#metrics());
    // The log before the shards: what this worker wrote itself is there without storage. Intake last: engines must know what they knew.
    const parts = [this.#probes, ...this.#voice.parts, this.#keeper, this.#shards, this.#catchUp, this.#subscriber];
    this.#running = await startAll(parts, signal);
    this.#listening = await listen(this.#api, host, port);
    this.#tick();
    this.#log.info({ url: this.#listening.url, shards: this.#shards.held.size }, 'alarms running');
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#api.close();
    await this.#running?.stop();
    await this.#http.close();
  }

  async #gain(shards: readonly number[]): Promise<void> {
    for (const [shard, engine] of await this.#restore.engines(shards)) this.#wards.gain(shard, engine);
    this.#catchUp.lookAtAll();
  }

  /** The heartbeat: clocks of alarms and pauses, silences, and the pulse that proves that all of this runs. */
  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    try {
      this.#wards.tick();
      this.#silence.connection(this.#subscriber.connected, nowMs);
      for (const spoken of this.#silence.check(nowMs)) this.#wards.statement(spoken);
      for (const spoken of this.#conflicts.check(nowMs, (device) => this.#keeper.owners.ownerOf(device), this.#openConflicts()))
        this.#wards.statement(spoken);
      // Until the path is heard it is asked at every tick: screens say ALARMS NOT WATCHED for as long.
      if (!this.#voice.pulse.isHeard || nowMs - this.#lastPulseMs >= PULSE_MS) {
        this.#lastPulseMs = nowMs;
        this.#voice.mayTry();
        this.#voice.pulse.beat();
      }
      if (this.#restore.pending > 0 && this.#shards.problem === null && nowMs - this.#lastRestoreMs >= PULSE_MS) {
        this.#lastRestoreMs = nowMs;
        void this.#restore.complete((device) => this.#wards.of(device));
      }
    } catch (error) {
      this.#log.error({ err: error }, 'alarm engine tick failed; screens will show ALARMS NOT WATCHED until it recovers');
    }
    if (!this.#stopped) this.#timer = this.#clock.setTimer(TICK_MS, () => this.#tick());
  }

  #openConflicts(): string[] {
    return this.#wards.now().alarms.flatMap(({ condition, device }) => (condition === 'device-conflict' ? [device] : []));
  }

  #now(): AlarmsNow {
    return { nowUs: this.#clock.nowUs(), path: this.#voice.pulse.isHeard ? 'ok' : 'down', ...this.#wards.now() };
  }

  #metrics(): AlarmCounts {
    const { written, liveOnly } = this.#voice.log.counts;
    return {
      ...this.#counts,
      written,
      liveOnly,
      waiting: this.#voice.log.waiting,
      shards: this.#shards.held.size,
      due: this.#catchUp.due,
      unwatched: this.#silence.unwatched + this.#conflicts.unwatched,
      isHeard: this.#voice.pulse.isHeard,
      alarms: this.#wards.now().alarms,
    };
  }

  #addChecks(): void {
    // Whatever is away, this service goes on with what it has: nothing here makes it unready.
    const isSettled = (): boolean => this.#clock.monotonicMs() - this.#startedMs > SETTLE_MS;
    this.#probes.check('frontDoor', () => ({
      ok: true,
      degraded: isSettled() && (!this.#subscriber.connected || !this.#voice.connected.sending || !this.#voice.connected.live),
      detail: { subscribed: this.#subscriber.connected, ...this.#voice.connected },
    }));
    this.#probes.check('storage', () => ({ ok: true, degraded: this.#shards.problem !== null, detail: this.#shards.problem ?? 'answers' }));
    this.#probes.check('path', () => ({
      ok: true,
      degraded: isSettled() && !this.#voice.pulse.isHeard,
      detail: this.#voice.pulse.isHeard ? 'heard' : 'not heard',
    }));
    this.#probes.check('alarms', () => ({
      ok: true,
      degraded: this.#voice.log.waiting > 0,
      detail: { shards: this.#shards.held.size, open: this.#wards.now().alarms.length, waitingForDisk: this.#voice.log.waiting },
    }));
  }
}
