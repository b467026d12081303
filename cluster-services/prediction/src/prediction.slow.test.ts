import { type Detection, decodeMessage } from '@vitalwire/contract';
import { loadStreamDetector } from '@vitalwire/detector';
import { Subscriber, systemClock } from '@vitalwire/runtime';
import { TestPki, testPatient, until } from '@vitalwire/testkit';
import { log, storageToken, type Take, take, World } from '@vitalwire/testkit/prediction-world';
import { expect, test } from 'vitest';
import { PredictionConfig } from './config.ts';
import { createPrediction, type Prediction } from './prediction.ts';

const PATIENTS = 8;
const BACKLOG_S = 3_600;
const QUIET_S = 20;
const LIVE_S = 600; // at most so much is received
const HOP = 174; // one second at 173.61 Hz: each chunk completes a window
const signal = new AbortController().signal;

/** From sending a chunk until the detection of the window it completes is heard, stored or provisional, the first of the two. */
type Latency = { readonly atMs: number; readonly ms: number };

test('an hour of 8 patients is caught up while 8 patients are received, whose windows are scored within a second all the same', {
  timeout: 900_000,
}, async ({ annotate }) => {
  const pki = await TestPki.create();
  const { modelHash } = await loadStreamDetector({ backend: 'wasm' });
  const world = new World(pki, modelHash);
  await world.start();
  const patients = await Promise.all(Array.from({ length: PATIENTS }, (_, index) => testPatient(4 + index, BACKLOG_S + LIVE_S + 60)));
  const takes = patients.map((patient) => take(patient, BACKLOG_S + LIVE_S, { chunkSamples: HOP }));
  for (const { start, chunks } of takes) for (const message of [start, ...chunks.slice(0, BACKLOG_S)]) world.store(message);

  const sentMs = new Map<string, number>(); // recording and window → when its last chunk was sent
  const latencies: Latency[] = [];
  const viewer = new Subscriber({
    url: world.doorUrl,
    identity: await pki.service('web'),
    clientId: 'web-sub',
    topics: ['vw/1/+/+/+/detection', 'vw/1/+/+/+/detection/live'],
    queueLimit: 100_000,
    log,
    onMessage: (_, payload) => {
      const decoded = decodeMessage(payload);
      if (!decoded.ok || decoded.value.stream !== 'detection') return;
      const key = keyOf(decoded.value);
      const began = sentMs.get(key);
      if (began === undefined || !sentMs.delete(key)) return;
      latencies.push({ atMs: performance.now(), ms: performance.now() - began });
    },
  });
  await viewer.start(signal);
  const prediction = await startPrediction(pki, world);
  try {
    const scored = () => takes.reduce((sum, { recordingId }) => sum + world.countDetections(recordingId), 0);
    await until(() => scored() > 0, { timeoutMs: 60_000 });
    const startMs = performance.now();
    const sending = sendEverySecond(world, takes, sentMs);
    await until(() => scored() >= PATIENTS * (BACKLOG_S - 3), { timeoutMs: 600_000, everyMs: 250, what: 'the backlog is scored' });
    const doneMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, QUIET_S * 1_000));
    const seconds = await sending.stop();
    await until(() => scored() === PATIENTS * (BACKLOG_S + seconds - 3), {
      timeoutMs: 60_000,
      everyMs: 250,
      what: 'every window has its detection',
    });
    expect(world.conflicts).toBe(0);

    const busyS = await metric(prediction.addresses()['probePort'], 'vitalwire_prediction_worker_busy_seconds');
    const rate = (PATIENTS * (BACKLOG_S + seconds)) / busyS;
    await annotate(
      `${rate.toFixed(0)} windows of one channel per second of processor time, resampling, filters, features and network together`,
    );
    const during = latencies.filter(({ atMs }) => atMs < doneMs).map(({ ms }) => ms);
    const after = latencies.filter(({ atMs }) => atMs > doneMs + 2_000).map(({ ms }) => ms);
    await annotate(
      `backlog: ${PATIENTS * BACKLOG_S} windows in ${((doneMs - startMs) / 1000).toFixed(1)} s with one worker, ${PATIENTS} patients live beside it`,
    );
    await annotate(`latency from chunk to detection during it: ${quantiles(during)}; afterwards: ${quantiles(after)}`);
    expect(during.length).toBeGreaterThan(PATIENTS);
    expect(quantile(during, 0.95)).toBeLessThan(1_000);
  } finally {
    await prediction.stop();
    await viewer.stop();
    await world.stop();
    pki.remove();
  }
});

/** With one worker. */
async function startPrediction(pki: TestPki, world: World): Promise<Prediction> {
  const { certPath, keyPath, caPath } = await pki.service('prediction');
  const prediction = createPrediction(
    PredictionConfig.parse({
      frontDoorUrl: world.doorUrl,
      storageUrl: `https://127.0.0.1:${world.ports.storage}`,
      storageToken,
      certPath,
      keyPath,
      caPath,
      backend: 'wasm',
      workers: 1,
      sweepS: 1,
    }),
    { log, clock: systemClock },
  );
  await prediction.start(signal);
  return prediction;
}

/** One chunk of each patient every second, as devices would. */
function sendEverySecond(world: World, takes: readonly Take[], sentMs: Map<string, number>) {
  let second = 0;
  let underWay: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    if (second >= LIVE_S) return;
    const at = BACKLOG_S + second++;
    underWay = Promise.all([
      underWay,
      ...takes.map((one) => {
        const chunk = one.chunks[at];
        if (chunk === undefined) return undefined;
        sentMs.set(`${one.recordingId}/${at - 3}`, performance.now());
        return world.send(chunk, one.device);
      }),
    ]);
  }, 1_000);
  return {
    async stop(): Promise<number> {
      clearInterval(timer);
      await underWay;
      return second;
    },
  };
}

async function metric(port: number | string | undefined, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

function keyOf({ subject, seq }: Detection): string {
  return `${subject}/${seq}`;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function quantiles(values: readonly number[]): string {
  return `p50 ${quantile(values, 0.5).toFixed(0)} ms, p95 ${quantile(values, 0.95).toFixed(0)} ms, of ${values.length}`;
}
