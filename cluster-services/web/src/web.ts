import fastifyWebsocket from '@fastify/websocket';
import {
  type AlarmInfo,
  type AlarmsNow,
  type GatewayState,
  GatewayStates,
  LIVE_PROTOCOL,
  labelShort,
  Montage,
  type Problem,
  Registry,
  StoredGateways,
  TimeAnswer,
  WallState,
} from '@vitalwire/contract';
import {
  type Api,
  ApiError,
  type Clock,
  createApi,
  fixedToken,
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
import { z } from 'zod';
import { AlarmKeeper } from './alarm-keeper.ts';
import { AlarmPath } from './alarm-path.ts';
import { addAlarmRoutes } from './alarm-routes.ts';
import type { WebConfig } from './config.ts';
import { mergeGateways } from './gateways.ts';
import { LatestKeeper } from './latest-keeper.ts';
import { LiveFeed } from './live-feed.ts';
import { type HubCounts, hubLimits, LiveHub } from './live-hub.ts';
import { serveViewer } from './live-socket.ts';
import { addWebMetrics, type WebCounts } from './metrics.ts';
import { Montages } from './montages.ts';
import { addPageRoutes, builtPageDir } from './page-routes.ts';
import { RecentFrames } from './recent-frames.ts';
import { RegistryKeeper } from './registry-keeper.ts';
import { alarmsLink, type ServiceLink, storageLink } from './service-link.ts';
import { registryFile, wardFile } from './snapshot.ts';
import { textFrame } from './socket-frame.ts';
import { addStorageRoutes } from './storage-routes.ts';
import { Ward } from './ward.ts';
import { WardKeeper } from './ward-keeper.ts';

export type WebDeps = { readonly log: Log; readonly clock: Clock };
export type Web = Lifecycle & { addresses(): Record<string, number | string>; counts(): HubCounts };

// Every chunk of every device, on both lanes.
const TOPICS = ['vw/1/+/+/+/+', 'vw/1/+/+/+/+/live'];
const QUEUE_LIMIT = 2_000;
const STATE_MS = 200;
/** Also without any change: the beat by which a screen knows that its connection lives, and the cluster's time. */
const BEAT_MS = 2_000;
const CLOSE_WAIT_MS = 1_000;
/** What a header can show and a person take in; the rest is in GET /v1/gateways. */
const MAX_PROBLEMS = 8;

/** The service that screens talk to: live stream, latest values, stored readings, the page. It lives on while the database does not. */
export function createWeb(config: WebConfig, deps: WebDeps): Web {
  return new WebService(config, deps);
}

class WebService implements Web {
  readonly #config: WebConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #ward = new Ward();
  readonly #montages = new Montages();
  readonly #hub: LiveHub;
  readonly #recent = new RecentFrames();
  readonly #storage: ServiceLink;
  readonly #alarms: ServiceLink | null; // null = nobody said where it is
  readonly #alarmPath: AlarmPath;
  readonly #alarmKeeper: AlarmKeeper;
  readonly #keeper: RegistryKeeper;
  readonly #wardKeeper: WardKeeper;
  readonly #latestKeeper: LatestKeeper;
  readonly #feed: LiveFeed;
  readonly #subscriber: Subscriber;
  readonly #probes: Probes;
  readonly #api: Api;
  #running: Running | null = null;
  #listening: Listening | null = null;
  #stateTimer: Timer | null = null;
  #around = ''; // links and system alarms, as they were last published
  #lastStateMs = 0;

  constructor(config: WebConfig, { log, clock }: WebDeps) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    const identity = { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath };
    this.#hub = new LiveHub({ ...hubLimits, maxViewers: config.maxViewers }, clock, log);
    this.#storage = storageLink(config, log);
    this.#alarms = alarmsLink(config, log);
    this.#alarmPath = new AlarmPath(clock.monotonicMs(), clock.nowUs());
    this.#alarmKeeper = new AlarmKeeper({ alarms: this.#alarms, storage: this.#storage, board: this.#ward.alarms, clock, log });
    this.#keeper = new RegistryKeeper({
      storage: this.#storage,
      snapshot: registryFile(config.dataDir, log),
      ward: this.#ward,
      montages: this.#montages,
      clock,
      log,
      onChanged: (revision) => this.#hub.broadcast(textFrame(JSON.stringify({ type: 'registry', revision }))),
    });
    this.#wardKeeper = new WardKeeper({ file: wardFile(config.dataDir, log), ward: this.#ward, clock });
    this.#latestKeeper = new LatestKeeper({ storage: this.#storage, ward: this.#ward, clock, log });
    this.#feed = new LiveFeed({
      ward: this.#ward,
      hub: this.#hub,
      montages: this.#montages,
      recent: this.#recent,
      clock,
      onNewMontage: () => this.#keeper.saveSoon(),
      onPulse: () => {
        // Whoever was silent may have said something that was not heard here.
        if (this.#alarmPath.heard(clock.monotonicMs(), clock.nowUs())) this.#alarmKeeper.refresh();
      },
    });
    this.#subscriber = new Subscriber({
      url: config.frontDoorUrl,
      identity,
      clientId: 'web-sub',
      topics: TOPICS,
      queueLimit: QUEUE_LIMIT,
      clock,
      log,
      onMessage: (topic, payload) => this.#feed.take(topic, payload),
      onConnected: () => {
        this.#alarmKeeper.refresh();
        this.#latestKeeper.refresh();
      },
    });
    this.#probes = new Probes({ host: config.probeHost, port: config.probePort, log });
    this.#api = createApi({ log, tls: identity, tokens: fixedToken(config.token, { id: 'viewer' }) });
  }

  addresses(): Record<string, number | string> {
    return { url: this.#listening?.url ?? '', port: this.#listening?.port ?? 0, probePort: this.#probes.port };
  }

  counts(): HubCounts {
    return this.#hub.counts();
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#addRoutes();
    this.#addChecks();
    addWebMetrics(this.#probes.registry, () => this.#counts());
    this.#running = await startAll(
      [this.#probes, this.#keeper, this.#wardKeeper, this.#subscriber, this.#alarmKeeper, this.#latestKeeper],
      signal,
    );
    this.#listening = await listen(this.#api, this.#config.host, this.#config.port);
    this.#publishState();
    this.#log.info({ url: this.#listening.url }, 'screens can connect');
  }

  async stop(): Promise<void> {
    this.#stateTimer?.cancel();
    this.#stateTimer = null;
    await this.#api.close();
    await this.#running?.stop();
    await Promise.all([this.#storage.close(), this.#alarms?.close()]);
  }

  async #addRoutes(): Promise<void> {
    const api = this.#api;
    await api.register(fastifyWebsocket, {
      options: {
        maxPayload: 64 * 1024,
        perMessageDeflate: false,
        handleProtocols: (offered: Set<string>) => (offered.has(LIVE_PROTOCOL) ? LIVE_PROTOCOL : false),
      },
      // Viewers are told to go, and cut off if they do not.
      preClose(done) {
        const { websocketServer } = this as unknown as Api;
        for (const client of websocketServer.clients) {
          client.close(1001, 'the service stops');
          setTimeout(() => client.terminate(), CLOSE_WAIT_MS).unref();
        }
        websocketServer.close(() => done());
      },
    });
    await addPageRoutes(api, this.#config.pageDir === '' ? builtPageDir() : this.#config.pageDir);
    addStorageRoutes(api, this.#storage, () => void this.#keeper.refresh());
    addAlarmRoutes(api, { alarms: this.#alarms, now: () => this.#alarmsNow(), onAsked: () => this.#alarmKeeper.refresh() });
    api.get('/v1/time', { schema: { response: { 200: TimeAnswer } } }, () => ({ nowUs: this.#clock.nowUs() }));
    api.get('/v1/state', { schema: { response: { 200: WallState } } }, () => this.#wallState());
    api.get('/v1/registry', { schema: { response: { 200: Registry } } }, () => this.#registryAnswer());
    api.get('/v1/gateways', { schema: { response: { 200: GatewayStates } } }, () => this.#gatewayStates());
    api.get(
      '/v1/montages/:hash',
      { schema: { params: z.object({ hash: z.string().regex(/^[0-9a-f]{16}$/) }), response: { 200: Montage } } },
      (request) => this.#montage(request.params.hash),
    );
    api.route({
      method: 'GET',
      url: '/v1/live',
      config: { otherAnswers: { 101: [] } },
      handler: () => {
        throw new ApiError(
          426,
          'NO_WEBSOCKET',
          'the live stream is a WebSocket',
          `ask for an upgrade with the subprotocol ${LIVE_PROTOCOL}`,
        );
      },
      wsHandler: (socket, request) => {
        serveViewer({
          socket,
          raw: request.raw.socket,
          hub: this.#hub,
          recent: () => this.#recent.since(this.#clock.monotonicMs()),
          greeting: () => [this.#hello()],
        });
      },
    });
  }

  #hello(): object {
    return { type: 'hello', nowUs: this.#clock.nowUs(), revision: this.#ward.registry().revision, version, label: labelShort };
  }

  #wallState(): WallState {
    const nowUs = this.#clock.nowUs();
    return { nowUs, links: this.#linkState(), systemAlarms: this.#systemAlarms(), patients: this.#ward.patients(nowUs) };
  }

  // What is wrong with the alarm path itself is said first: it puts everything else in doubt.
  #systemAlarms(): AlarmInfo[] {
    const path = this.#alarmPath.alarm(this.#clock.monotonicMs());
    return [...(path === null ? [] : [path]), ...this.#ward.systemAlarms()];
  }

  #alarmsNow(): AlarmsNow {
    const nowUs = this.#clock.nowUs();
    const nowMs = this.#clock.monotonicMs();
    const board = this.#ward.alarms;
    const path = this.#alarmPath.alarm(nowMs);
    return {
      nowUs,
      path: this.#alarmPath.state(nowMs),
      alarms: [...(path === null ? [] : [path]), ...board.alarms()],
      pauses: board.pauses(nowUs),
    };
  }

  #counts(): WebCounts {
    return {
      ...this.#hub.counts(),
      ...this.#feed.counts,
      queueDropped: this.#subscriber.dropped,
      devicesRefused: this.#ward.devicesRefused(),
      alarmsOpen: this.#ward.alarms.alarms().length,
      alarmsRefused: this.#ward.alarms.refused,
      alarmPathDown: this.#alarmPath.state(this.#clock.monotonicMs()) === 'down' ? 1 : 0,
    };
  }

  #linkState(): WallState['links'] {
    const problems = this.#problems();
    return {
      storage: this.#storage.health,
      frontDoor: this.#subscriber.connected ? 'ok' : 'down',
      alarms: this.#alarmPath.state(this.#clock.monotonicMs()),
      registryRevision: this.#ward.registry().revision,
      ...(problems.length === 0 ? {} : { problems }),
    };
  }

  // A database that is damaged is worse than any one gateway's trouble.
  #problems(): Problem[] {
    return [...this.#keeper.problems, ...this.#ward.problems(this.#clock.nowUs())].slice(0, MAX_PROBLEMS);
  }

  // Fresh from storage if it answers; else the last known, so that a screen can always name its patients.
  async #registryAnswer(): Promise<Registry> {
    await this.#keeper.refresh();
    const registry = this.#keeper.registry;
    if (registry === null)
      throw new ApiError(503, 'STORAGE_UNAVAILABLE', 'the registry has never been read', 'try again when storage answers');
    return registry;
  }

  async #gatewayStates(): Promise<GatewayStates> {
    const nowUs = this.#clock.nowUs();
    const live = this.#ward.gateways(nowUs);
    let stored: StoredGateways | null = null;
    try {
      stored = await this.#storage.getJson('/v1/gateways', StoredGateways);
    } catch {
      // Births and deaths are missing then; the answer says so.
    }
    const gateways: GatewayState[] = mergeGateways(live, stored?.gateways ?? []);
    return { nowUs, storage: stored === null ? 'down' : 'ok', gateways };
  }

  async #montage(hash: string): Promise<Montage> {
    const known = this.#montages.get(hash);
    if (known !== null) return known;
    const using = this.#ward.patients().find((patient) => patient.eeg?.montageHash === hash)?.eeg;
    if (using !== undefined && using !== null) {
      const recording = await this.#storage.getJson(`/v1/recordings/${using.recordingId}`, z.object({ channels: Montage.shape.channels }));
      if (this.#montages.remember({ montageHash: hash, channels: recording.channels })) this.#keeper.saveSoon();
      const found = this.#montages.get(hash);
      if (found !== null) return found;
    }
    throw new ApiError(404, 'NOT_FOUND', `no recording with montage ${hash} is known`, 'ask again when its start record has arrived');
  }

  // Latest values a few times a second, only what changed, one frame for all.
  #publishState(): void {
    const nowUs = this.#clock.nowUs();
    this.#ward.alarms.settle(this.#clock.monotonicMs());
    const changed = this.#ward.takeChanged(nowUs);
    const links = this.#linkState();
    const systemAlarms = this.#systemAlarms();
    const aroundText = JSON.stringify([links, systemAlarms]);
    const frame =
      changed.length === 0 && aroundText === this.#around && this.#clock.monotonicMs() - this.#lastStateMs < BEAT_MS
        ? null
        : textFrame(JSON.stringify({ type: 'state', whole: false, nowUs, links, systemAlarms, patients: changed }));
    this.#around = aroundText;
    if (frame !== null) this.#lastStateMs = this.#clock.monotonicMs();
    this.#hub.publishState(frame, () => textFrame(JSON.stringify({ type: 'state', whole: true, ...this.#wallState() })));
    this.#stateTimer = this.#clock.setTimer(STATE_MS, () => this.#publishState());
  }

  #addChecks(): void {
    // Without the front door or storage this service still answers, so neither makes it unready.
    this.#probes.check('frontDoor', () => ({
      ok: true,
      degraded: !this.#subscriber.connected,
      detail: this.#subscriber.connected ? 'connected' : 'not connected',
    }));
    this.#probes.check('storage', () => ({ ok: true, degraded: this.#storage.health === 'down', detail: this.#storage.health }));
    this.#probes.check('alarms', () => {
      const path = this.#alarmPath.state(this.#clock.monotonicMs());
      return { ok: true, degraded: path === 'down', detail: path };
    });
    this.#probes.check('live', () => ({
      ok: true,
      detail: this.#counts(),
    }));
  }
}
