import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Alarm, type AlarmsNow, numericStreams } from '@vitalwire/contract';
import { LiveLane, Outbox, Uplink } from '@vitalwire/outbox';
import {
  type Api,
  type Clock,
  createApi,
  FreshIdentity,
  fixedToken,
  HttpClient,
  type Lifecycle,
  type Listening,
  type Log,
  listen,
  Probes,
  type Running,
  Subscriber,
  startAll,
  type Timer,
  version,
} from '@vitalwire/runtime';
import { type AlarmRecord, ConflictWatch, SilenceWatch } from '@vitalwire/vitals';
import { AlarmLog, type LogLine, logLineOf } from './alarm-log.ts';
import { CatchUp } from './catch-up.ts';
import type { AlarmsConfig } from './config.ts';
import { LimitsKeeper } from './limits-keeper.ts';
import { type AlarmCounts, addAlarmMetrics } from './metrics.ts';
import { Pulse } from './pulse.ts';
import { Reception } from './reception.ts';
import { KnownRecordings } from './recordings.ts';
import { Restore } from './restore.ts';
import { addAlarmRoutes } from './routes.ts';
import { Shards } from './shards.ts';
import { Wards } from './wards.ts';

export type AlarmsDeps = { readonly log: Log; readonly clock: Clock };
export type Alarms = Lifecycle & { addresses(): Record<string, number | string> };

/** The name in this service's certificate: who its alarms are from. */
const SENDER = 'alarms';
const STREAMS = ['detection', ...numericStreams, 'eeg', 'recording', 'alarm', 'status'] as const;
const TOPICS = STREAMS.flatMap((stream) => [`vw/1/+/+/+/${stream}`, `vw/1/+/+/+/${stream}/live`]);
/** Messages waiting to be looked at; beyond it the oldest go, and detections among them are read from storage. */
const QUEUE_LIMIT = 4_000;
const TICK_MS = 500;
const PULSE_MS = 2_000;
/** Connections are made while it starts; only what is missing for longer is worth a word. */
const SETTLE_MS = 10_000;
/** Delivered lines stay in the outbox: with a dead database they are the memory over a restart. */
const RING_MS = 30 * 86_400_000;
const MAX_OWN_LINES = 20_000;
const MB = 1024 * 1024;

/** The alarms service: readings, detections and silence in, alarms out; acknowledge and pause. It needs no database to go on. */
export function createAlarms(config: AlarmsConfig, deps: AlarmsDeps): Alarms {
  return new AlarmsService(config, deps);
}

class AlarmsService implements Alarms {
  readonly #config: AlarmsConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #outbox: Outbox;
  readonly #uplink: Uplink;
  readonly #live: LiveLane;
  readonly #alarmLog: AlarmLog;
  readonly #own: LogLine[] = []; // written in this run
  readonly #silence: SilenceWatch;
  readonly #conflicts: ConflictWatch;
  readonly #wards: Wards;
  readonly #shards: Shards;
  readonly #restore: Restore;
  readonly #keeper: LimitsKeeper;
  readonly #catchUp: CatchUp;
  readonly #pulse: Pulse;
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
    const { dataDir, worker, frontDoorUrl: url } = config;
    const identity = { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath };
    this.#http = new HttpClient({
      baseUrl: config.storageUrl,
      token: config.storageToken,
      caPath: config.caPath,
      timeoutMs: config.storageTimeoutMs,
    });
    this.#outbox = new Outbox({
      path: join(dataDir, 'outbox.sqlite'),
      owner: SENDER,
      version,
      maxBytes: config.outboxMaxMb * MB,
      ringMs: RING_MS,
      minFreeBytes: 0,
      announce: false,
      log: log.child({ part: 'outbox' }),
      clock,
    });
    this.#uplink = new Uplink({
      url,
      identity,
      owner: SENDER,
      clientId: worker,
      version,
      outbox: this.#outbox,
      log: log.child({ part: 'uplink' }),
      clock,
      announce: false,
    });
    this.#live = new LiveLane({
      url,
      clientId: `${worker}-pub`,
      identity: new FreshIdentity(identity, log),
      log: log.child({ part: 'live' }),
      clock,
      onConnected: () => {},
    });
    const publishLive = (topic: string, bytes: Uint8Array): void => void this.#live.publish(topic, bytes);
    const clockState = () => this.#uplink.clock;
    this.#alarmLog = new AlarmLog({
      sender: SENDER,
      dataDir,
      outbox: this.#outbox,
      clock,
      clockState,
      log,
      fenceOf: (device) => this.#shards.fenceOf(device),
      publishLive,
      onLine: (alarm) => this.#remember(alarm),
    });
    this.#silence = new SilenceWatch(clock.monotonicMs());
    this.#conflicts = new ConflictWatch(clock.monotonicMs());
    this.#wards = new Wards({
      clock,
      limitsOf: (device, stream) => this.#keeper.limitsOf(device, stream),
      write: (records) => this.#write(records),
    });
    this.#restore = new Restore({
      sender: SENDER,
      http: this.#http,
      clock,
      log,
      own: () => [...this.#alarmLog.earlier.map(logLineOf), ...this.#own],
    });
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
    this.#pulse = new Pulse({ sender: SENDER, clock, clockState, publishLive });
    const reception = new Reception({
      sender: SENDER,
      wards: this.#wards,
      recordings,
      silence: this.#silence,
      owners: this.#keeper.owners,
      conflicts: this.#conflicts,
      onUntold: () => this.#keeper.lookNow(),
      clock,
      onOwn: (alarm) => this.#pulse.heard(alarm),
      onUnknown: (recordingId) => this.#catchUp.look(recordingId),
      onUnreadable: () => {
        this.#counts.unreadable += 1;
      },
    });
    this.#subscriber = new Subscriber({
      url,
      identity,
      clientId: `${worker}-sub`,
      topics: TOPICS,
      queueLimit: QUEUE_LIMIT,
      clock,
      log,
      onMessage: (topic, payload) => reception.receive(topic, payload),
      onConnected: () => {
        this.#live.mayTry();
        this.#catchUp.lookAtAll();
      },
      onDropped: (dropped) => {
        this.#counts.dropped = dropped;
        this.#catchUp.lookAtAll();
      },
    });
    this.#probes = new Probes({ host: config.probeHost, port: config.probePort, log, clock });
    this.#api = createApi({ log, tls: identity, tokens: fixedToken(config.token, { id: 'web' }) });
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
    this.#live.want(true);
    this.#live.mayTry();
    // The log before the shards: what this worker wrote itself is there without storage. Intake last: engines must know what they knew.
    const parts = [this.#probes, this.#outbox, this.#alarmLog, this.#uplink, this.#live, this.#keeper, this.#shards, this.#catchUp];
    this.#running = await startAll([...parts, this.#subscriber], signal);
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
      if (!this.#pulse.isHeard || nowMs - this.#lastPulseMs >= PULSE_MS) {
        this.#lastPulseMs = nowMs;
        this.#live.mayTry();
        this.#pulse.beat();
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

  #write(records: readonly AlarmRecord[]): void {
    for (const { device, alarmId, condition, transition, state, priority } of records)
      this.#log.info({ device, alarmId, condition, transition, state, priority }, 'alarm');
    this.#alarmLog.write(records);
  }

  #remember(alarm: Alarm): void {
    this.#own.push(logLineOf(alarm));
    if (this.#own.length > MAX_OWN_LINES) this.#own.splice(0, this.#own.length - MAX_OWN_LINES);
  }

  #now(): AlarmsNow {
    return { nowUs: this.#clock.nowUs(), path: this.#pulse.isHeard ? 'ok' : 'down', ...this.#wards.now() };
  }

  #metrics(): AlarmCounts {
    const { written, liveOnly } = this.#alarmLog.counts;
    return {
      ...this.#counts,
      written,
      liveOnly,
      waiting: this.#alarmLog.waiting,
      shards: this.#shards.held.size,
      due: this.#catchUp.due,
      unwatched: this.#silence.unwatched + this.#conflicts.unwatched,
      isHeard: this.#pulse.isHeard,
      alarms: this.#wards.now().alarms,
    };
  }

  #addChecks(): void {
    // Whatever is away, this service goes on with what it has: nothing here makes it unready.
    const isSettled = (): boolean => this.#clock.monotonicMs() - this.#startedMs > SETTLE_MS;
    this.#probes.check('frontDoor', () => ({
      ok: true,
      degraded: isSettled() && (!this.#subscriber.connected || !this.#uplink.connected || !this.#live.connected),
      detail: { subscribed: this.#subscriber.connected, sending: this.#uplink.connected, live: this.#live.connected },
    }));
    this.#probes.check('storage', () => ({ ok: true, degraded: this.#shards.problem !== null, detail: this.#shards.problem ?? 'answers' }));
    this.#probes.check('path', () => ({
      ok: true,
      degraded: isSettled() && !this.#pulse.isHeard,
      detail: this.#pulse.isHeard ? 'heard' : 'not heard',
    }));
    this.#probes.check('alarms', () => ({
      ok: true,
      degraded: this.#alarmLog.waiting > 0,
      detail: { shards: this.#shards.held.size, open: this.#wards.now().alarms.length, waitingForDisk: this.#alarmLog.waiting },
    }));
  }
}
