import { type Detector, loadDetector } from '@vitalwire/detector';
import {
  type Clock,
  Counter,
  DurablePublisher,
  Gauge,
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
import { Montages } from './montages.ts';
import { Reception } from './reception.ts';
import { ScoreQueue } from './score-queue.ts';
import { storageQueries } from './storage-queries.ts';

export type Prediction = Lifecycle & { addresses(): Record<string, number | string> };

/** What is read, on both lanes. Start records bring the scales; while the database is down they come on the live lane only. */
const topics = ['vw/1/+/+/+/recording', 'vw/1/+/+/+/eeg', 'vw/1/+/+/+/recording/live', 'vw/1/+/+/+/eeg/live'];
/** Messages waiting to be looked at: some 8 s of 60 gateways; beyond it the oldest go and are caught up from storage. */
const QUEUE_MESSAGES = 2_000;

/** The prediction service: windows, detector, detections; it catches up what it missed. */
export function createPrediction(config: PredictionConfig, { log, clock }: { readonly log: Log; readonly clock: Clock }): Prediction {
  const identity = { certPath: config.certPath, keyPath: config.keyPath, caPath: config.caPath };
  const bus = { url: config.frontDoorUrl, identity, log, clock };
  const probes = new Probes({ host: config.probeHost, port: config.probePort, log, clock });
  const montages = new Montages(config.dataDir, log);
  const http = new HttpClient({ baseUrl: config.storageUrl, token: config.storageToken, caPath: config.caPath });
  const publisher = new DurablePublisher({ ...bus, clientId: 'prediction-pub' });
  let running: Running | null = null;
  let detector: Detector | null = null;

  const start = async (signal: AbortSignal): Promise<void> => {
    montages.load();
    detector = await loadDetector({ backend: config.backend, log });
    const metrics = makeMetrics(probes, detector);
    const queue = new ScoreQueue(detector);
    const detections = new Detections({
      detector,
      queue,
      publisher,
      log,
      onDetection: ({ verdict }, lane) => metrics.detections.inc({ verdict, lane }),
    });
    const catchUp = new CatchUp({
      storage: storageQueries(http),
      detector,
      detections,
      montages,
      clock,
      log,
      sweepMs: config.sweepS * 1000,
    });
    const reception = new Reception({
      detector,
      montages,
      detections,
      onMissed: (recordingId, why) => {
        metrics.missed.inc({ why });
        catchUp.look(recordingId);
      },
      onUnreadable: () => metrics.unreadable.inc(),
      onFailed: (error) => log.error({ err: error }, 'a window could not be scored'),
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
      queue: () => queue.depth,
      onTheWay: () => detections.onTheWay,
      recordings: () => reception.recordings,
      due: () => catchUp.due,
    });
    const { backend, modelHash, modelVersion, seizureAt, quietBelow } = detector;
    probes.check('detector', () => ({
      ok: true,
      detail: { backend, modelHash, modelVersion, seizureAt, quietBelow, waiting: queue.depth },
    }));
    // Without front door or storage the service stays in use: it goes on with what it has and catches up later.
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
    running = await startAll([probes, publisher, catchUp, subscriber], signal);
    log.info({ backend, modelHash, modelVersion, probePort: probes.port }, 'prediction running');
  };

  return {
    start,
    async stop() {
      await running?.stop();
      await http.close();
      detector?.dispose();
      detector = null;
    },
    addresses: () => ({
      probeHost: config.probeHost,
      probePort: probes.port,
      ...(detector === null ? {} : { backend: detector.backend, modelHash: detector.modelHash }),
    }),
  };
}

function makeMetrics({ registry }: Probes, { backend, modelHash, modelVersion }: Detector) {
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
    dropped: new Counter({
      name: 'vitalwire_prediction_dropped_total',
      help: 'Received messages dropped because too many were waiting',
      registers,
    }),
    watch(values: Readonly<Record<'queue' | 'onTheWay' | 'recordings' | 'due', () => number>>) {
      const gauge = (name: string, help: string, value: () => number) =>
        new Gauge({
          name: `vitalwire_prediction_${name}`,
          help,
          registers,
          collect: function collect() {
            this.set(value());
          },
        });
      gauge('waiting_windows', 'Windows waiting to be scored', values.queue);
      gauge('unacknowledged_detections', 'Detections scored or published and not yet committed', values.onTheWay);
      gauge('recordings', 'Recordings heard of lately', values.recordings);
      gauge('recordings_due', 'Recordings about to be compared with storage', values.due);
    },
  };
}
