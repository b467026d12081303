import { availableParallelism } from 'node:os';
import {
  type Clock,
  Counter,
  DurablePublisher,
  Gauge,
  type Health,
  HttpClient,
  type Lifecycle,
  type Log,
  Probes,
  type Running,
  Subscriber,
  startAll,
} from '@vitalwire/runtime';
import { CatchUp } from './catch-up.ts';
import type { PredictionConfig } from './config.ts';
import { Detections } from './detections.ts';
import { KnownLevels } from './known-levels.ts';
import { LevelsKeeper } from './levels-keeper.ts';
import { Montages } from './montages.ts';
import { Overload } from './overload.ts';
import { OwnersKeeper } from './owners-keeper.ts';
import { MAX_WAITING_LIVE, Reception } from './reception.ts';
import { BEHIND_MS, type PoolState, ScoringPool } from './scoring/pool.ts';
import type { ModelFacts } from './scoring/protocol.ts';
import { storageQueries } from './storage-queries.ts';

export type Prediction = Lifecycle & { addresses(): Record<string, number | string> };

export type PredictionContext = {
  readonly log: Log;
  readonly clock: Clock;
  /** Another program that scores: a slower one, for tests of overload. */
  readonly workerEntry?: URL;
};

/** What is read, on both lanes. Start records bring the scales; while the database is down they come on the live lane only. */
const topics = ['vw/1/+/+/+/recording', 'vw/1/+/+/+/eeg', 'vw/1/+/+/+/recording/live', 'vw/1/+/+/+/eeg/live'];
/** Messages waiting to be looked at: some 8 s of 60 gateways; beyond it the oldest go and are caught up from storage. */
const QUEUE_MESSAGES = 2_000;

/** The prediction service: windows, detector, detections; it catches up what it missed. */
export function createPrediction(config: PredictionConfig, context: PredictionContext): Prediction {
  const parts = makeParts(config, context);
  const { log, montages, pool, probes, http } = parts;
  let running: Running | null = null;
  let model: ModelFacts | null = null;
  return {
    async start(signal) {
      await montages.load();
      await pool.start(signal);
      model = pool.facts;
      running = await startAll(follow(parts, model, config.sweepS * 1000), signal);
      log.info({ ...model, workers: pool.state.workers, probePort: probes.port }, 'prediction running');
    },
    async stop() {
      await running?.stop();
      await montages.saved();
      await pool.stop();
      await http.close();
      model = null;
    },
    addresses: () => ({
      probeHost: config.probeHost,
      probePort: probes.port,
      ...(model === null ? {} : { backend: model.backend, modelHash: model.modelHash }),
    }),
  };
}

type Parts = ReturnType<typeof makeParts>;

/** What there is before a model is known. */
function makeParts(config: PredictionConfig, { log, clock, workerEntry }: PredictionContext) {
  const identity = { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath };
  const bus = { url: config.frontDoorUrl, identity, log, clock };
  const http = new HttpClient({ baseUrl: config.storageUrl, token: config.storageToken, caPath: config.caPath });
  const pool = new ScoringPool({
    workers: config.workers === 0 ? Math.max(1, availableParallelism() - 1) : config.workers,
    backend: config.backend,
    log,
    clock,
    ...(workerEntry === undefined ? {} : { entry: workerEntry }),
  });
  return {
    log,
    clock,
    dataDir: config.dataDir,
    bus,
    http,
    pool,
    probes: new Probes({ host: config.probeHost, port: config.probePort, log, clock }),
    montages: new Montages(config.dataDir, log),
    keeper: new OwnersKeeper({ http, dataDir: config.dataDir, clock, log }),
    publisher: new DurablePublisher({ ...bus, clientId: 'prediction-pub' }),
    overload: new Overload({ pool, log, clock }),
  };
}

/** Everything that runs once the model is known, in the order in which it starts. */
function follow(parts: Parts, model: ModelFacts, sweepMs: number): Lifecycle[] {
  const { log, clock, dataDir, bus, http, pool, probes, montages, keeper, publisher, overload } = parts;
  const metrics = makeMetrics(probes, model);
  const detections = new Detections({
    model,
    publisher,
    log,
    onDetection: ({ verdict }, origin) => metrics.detections.inc({ verdict, lane: origin }),
  });
  const levels = new KnownLevels();
  const reception = new Reception({
    pool,
    montages,
    detections,
    levels,
    clock,
    onMissed: (recordingId, why) => {
      metrics.missed.inc({ why });
      catchUp.look(recordingId);
    },
    owners: keeper.owners,
    onUnreadable: () => metrics.unreadable.inc(),
    onForeign: () => metrics.foreign.inc(),
    onFailed: (error) => log.warn({ err: error }, 'windows could not be scored; they are looked for in storage'),
  });
  const catchUp = new CatchUp({
    storage: storageQueries(http),
    modelHash: model.modelHash,
    pool,
    detections,
    followed: reception,
    montages,
    clock,
    log,
    sweepMs,
    atOnce: pool.state.workers,
    hasRoom: (what) => overload.hasRoom(what),
  });
  const subscriber = new Subscriber({
    ...bus,
    clientId: 'prediction-sub',
    topics,
    queueLimit: QUEUE_MESSAGES,
    onMessage: (topic, payload) => reception.receive(topic, payload),
    onConnected: () => catchUp.lookAtAll(),
    onDropped: () => {
      metrics.dropped.inc();
      catchUp.lookAtAll();
    },
  });
  metrics.watch({
    pool: () => pool.state,
    onTheWay: () => detections.onTheWay,
    recordings: () => reception.recordings,
    due: () => catchUp.due,
  });
  addChecks(parts, model, subscriber, catchUp);
  const levelsKeeper = new LevelsKeeper({ levels, modelHash: model.modelHash, dataDir, clock, log });
  return [probes, publisher, keeper, levelsKeeper, overload, catchUp, subscriber];
}

/** Without front door or storage the service stays in use: it goes on with what it has and catches up later. */
function addChecks({ probes, pool, publisher }: Parts, model: ModelFacts, subscriber: Subscriber, catchUp: CatchUp): void {
  probes.check('detector', () => scoringHealth(model, pool.state));
  probes.check('frontDoor', () => ({
    ok: true,
    degraded: !subscriber.connected || !publisher.connected,
    detail: { subscribed: subscriber.connected, publishing: publisher.connected, unacknowledged: publisher.pending.packets },
  }));
  probes.check('storage', () => ({
    ok: true,
    degraded: catchUp.problem !== null,
    detail: catchUp.problem ?? { recordingsDue: catchUp.due },
  }));
}

/** `thinned`: only one window in `everyS` is judged. `behind`: live windows wait for longer than they should, or are left to storage; `workers-down`: some or all are being started again. */
export function scoringHealth(model: ModelFacts, pool: PoolState): Health {
  const { ready, workers, restarts, pids, waiting, oldestLiveMs, everyS, leftOut, liveShare } = pool;
  const isBehind = oldestLiveMs > BEHIND_MS || waiting.live >= MAX_WAITING_LIVE;
  const state = ready < workers ? 'workers-down' : everyS > 1 ? 'thinned' : isBehind ? 'behind' : 'in-time';
  const problems = {
    'workers-down': `${workers - ready} of ${workers} scoring workers are being started again`,
    thinned: `more EEG arrives than can be judged: every patient is judged, but only every ${everyS} s`,
    behind: `more comes in than can be scored: live windows wait for ${(oldestLiveMs / 1000).toFixed(1)} s`,
    'in-time': null,
  };
  return {
    ok: ready > 0,
    degraded: state !== 'in-time',
    detail: {
      state,
      problem: problems[state],
      ...model,
      workers: { ready, of: workers, restarts, pids },
      waitingChannelSeconds: { live: Math.round(waiting.live), catchUp: Math.round(waiting['catch-up']) },
      oldestLiveMs: Math.round(oldestLiveMs),
      busyPercent: Math.round(100 * liveShare),
      everyS,
      leftOut,
    },
  };
}

function makeMetrics({ registry }: Probes, { backend, modelHash, modelVersion }: ModelFacts) {
  const registers = [registry];
  new Gauge({ name: 'vitalwire_prediction_model', help: 'The model in use', labelNames: ['backend', 'hash', 'version'], registers }).set(
    { backend, hash: modelHash, version: modelVersion },
    1,
  );
  return {
    detections: new Counter({
      name: 'vitalwire_prediction_detections_total',
      help: 'Windows judged and published',
      labelNames: ['verdict', 'lane'],
      registers,
    }),
    missed: new Counter({
      name: 'vitalwire_prediction_missed_total',
      help: 'Reasons to ask storage about a recording',
      labelNames: ['why'],
      registers,
    }),
    unreadable: new Counter({
      name: 'vitalwire_prediction_unreadable_total',
      help: 'Received messages that could not be decoded',
      registers,
    }),
    foreign: new Counter({
      name: 'vitalwire_prediction_foreign_total',
      help: 'Received messages of a gateway about a device of another one: not judged',
      registers,
    }),
    dropped: new Counter({
      name: 'vitalwire_prediction_dropped_total',
      help: 'Received messages dropped because too many were waiting',
      registers,
    }),
    watch({ pool, onTheWay, recordings, due }: Watched) {
      const gauge = (name: string, help: string, value: () => number) =>
        new Gauge({
          name: `vitalwire_prediction_${name}`,
          help,
          registers,
          collect: function collect() {
            this.set(value());
          },
        });
      gauge('waiting_live', 'Channel seconds of received samples waiting to be scored', () => pool().waiting.live);
      gauge('waiting_catch_up', 'Channel seconds read from storage waiting to be scored', () => pool().waiting['catch-up']);
      gauge('oldest_live_seconds', 'How long the oldest received samples have waited', () => pool().oldestLiveMs / 1000);
      gauge('every_seconds', 'Seconds from one judged window of a recording to the next: more than 1 under overload', () => pool().everyS);
      gauge('left_out_windows', 'Windows received and not judged under overload since the start', () => pool().leftOut);
      gauge('workers_ready', 'Scoring workers ready', () => pool().ready);
      gauge('worker_restarts', 'Scoring workers that died since the start', () => pool().restarts);
      gauge('worker_busy_seconds', 'Processor time spent scoring by all workers since the start', () => pool().busyMs / 1000);
      gauge('unacknowledged_detections', 'Detections published and not yet committed', onTheWay);
      gauge('recordings', 'Recordings heard of lately', recordings);
      gauge('recordings_due', 'Recordings about to be compared with storage', due);
    },
  };
}

type Watched = {
  readonly pool: () => PoolState;
  readonly onTheWay: () => number;
  readonly recordings: () => number;
  readonly due: () => number;
};
