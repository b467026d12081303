import { type ChannelScale, type Detection, decodeMessage } from '@vitalwire/contract';
import { bonnScale } from '@vitalwire/datasets';
import { loadStreamDetector, type StreamDetector } from '@vitalwire/detector';
import { Subscriber, systemClock } from '@vitalwire/runtime';
import { removeTempDir, type TestPatient, TestPki, tempDir, testPatient, until } from '@vitalwire/testkit';
import {
  type Changed,
  defaultChunkSamples as chunkSamples,
  gatewayId,
  log,
  montage,
  rate,
  sendAll as sendTake,
  startUs,
  storageToken,
  type Take,
  take,
  World,
} from '@vitalwire/testkit/prediction-world';
import { windowShapeFor } from '@vitalwire/vitals';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PredictionConfig } from './config.ts';
import { createPrediction, type Prediction } from './prediction.ts';

const signal = new AbortController().signal;

let pki: TestPki;
let detector: StreamDetector;
let world: World;
const patient = await testPatient(4);

const sendAll = (one: Take) => sendTake(world, one);
const started: Prediction[] = [];
const viewers: Subscriber[] = [];
type Readyz = { checks: { detector: { detail: { workers: { pids: number[]; restarts: number } } } } };

/** The provisional detections from now on. */
async function listen(): Promise<Detection[]> {
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
  viewers.push(viewer);
  await viewer.start(signal);
  await until(() => viewer.connected);
  return heard;
}

async function startPrediction(changed: Partial<PredictionConfig> = {}): Promise<Prediction> {
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

const shape = windowShapeFor(rate);
const windowsOf = (chunks: number, { hopSamples, windowSamples } = shape) =>
  Math.floor((chunks * chunkSamples - windowSamples) / hopSamples) + 1;
const complete = (recordingId: string, chunks: number, of = shape) =>
  until(() => world.detections(recordingId).length === windowsOf(chunks, of), {
    timeoutMs: 20_000,
    what: `${windowsOf(chunks, of)} detections`,
  });

/** What the detector itself says of the samples, after so many samples of the same patient. */
function expected(of: TestPatient, toSample: number, fromSample = 0, lookBackFrom = fromSample) {
  const samples = Int16Array.from(of.samplesAt(lookBackFrom, toSample - lookBackFrom));
  const stream = detector.openStream(rate, montage);
  const windows = detector.score(stream.push({ firstSample: lookBackFrom - fromSample, samplesPerChannel: samples.length, samples }));
  return windows.flatMap(({ window, complete: _, channelReasons: __, ...found }) => (window < 0 ? [] : [{ ...found, seq: window }]));
}

beforeAll(async () => {
  pki = await TestPki.create();
  detector = await loadStreamDetector({ backend: 'wasm' });
});
afterAll(() => {
  detector.dispose();
  pki.remove();
});
beforeEach(async () => {
  world = new World(pki, detector.modelHash);
  await world.start();
});
afterEach(async () => {
  await Promise.all([...started.splice(0), ...viewers.splice(0)].map((part) => part.stop()));
  await world.stop();
});

describe('committed chunks', () => {
  test('every window gets the score the detector gives it, at the time its samples tell, and seizures are where they are known to be', async () => {
    await ready(await startPrediction());
    const one = take(patient, 600);
    await sendAll(one);
    await complete(one.recordingId, 600);
    const found = world.detections(one.recordingId);
    expect(found).toEqual(
      expected(patient, 600 * chunkSamples).map((score) => expect.objectContaining({ ...score, device: one.device, gateway: gatewayId })),
    );
    for (const { firstSample, measuredAtUs } of found)
      expect(Math.abs(measuredAtUs - (startUs + (firstSample * 1e8) / 17361))).toBeLessThanOrEqual(1.5);
    const truth = patient.truthUntil(600 * chunkSamples);
    const isIctal = ({ firstSample }: Detection) =>
      truth.some(({ fromSample, toSample }) => firstSample + 696 > fromSample && firstSample < toSample);
    const seizures = found.filter(({ verdict }) => verdict === 'seizure');
    expect(seizures.length).toBeGreaterThan(10);
    expect(seizures.filter(isIctal).length).toBeGreaterThan(seizures.length * 0.8);
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
    await until(() => world.detections(one.recordingId).length >= windowsOf(40) - 6);
    if (held !== undefined) await world.send(held, one.device);
    await complete(one.recordingId, 40);
  });

  test('of several channels the one most like a seizure speaks, named by its number', async () => {
    await ready(await startPrediction());
    const label = (name: string): ChannelScale => ({ ...bonnScale, label: name, reference: '' });
    const one = take(patient, 120, { channels: [label('A'), { ...label('B'), unit: 'mmHg' }, label('C')] });
    await sendAll(one);
    await complete(one.recordingId, 120);
    const found = world.detections(one.recordingId);
    expect(new Set(found.map(({ channel }) => channel))).not.toContain(1);
    const scored = found.filter(({ probability }) => probability !== null);
    expect(scored.length).toBeGreaterThan(40);
    for (const { channel, channelProbabilities } of scored) {
      expect(channelProbabilities).toHaveLength(3);
      expect(channelProbabilities[1]).toBe(null);
      expect(channelProbabilities[channel]).toBe(Math.max(...channelProbabilities.map((one) => one ?? 0)));
    }
  });

  test.each([
    ['rate', { rate: { num: 50, den: 1 } }],
    ['unit', { channels: [{ ...bonnScale, unit: 'counts', reference: '' }] }],
  ] as [string, Changed][])('an unknown %s is refused window by window, never guessed', async (reason, changed) => {
    await ready(await startPrediction());
    const one = take(patient, 20, changed);
    await sendAll(one);
    await complete(one.recordingId, 20, windowShapeFor(changed.rate ?? rate));
    for (const detection of world.detections(one.recordingId))
      expect(detection).toMatchObject({ probability: null, verdict: 'not-scorable', reason });
  });
});

describe('what came before', () => {
  test('a recording that goes on where its predecessor ended keeps its baseline and is not masked; one that does not is masked', async () => {
    await ready(await startPrediction());
    const one = take(patient, 400);
    const samples = 400 * chunkSamples;
    await sendAll(one);
    const next = take(patient, 60, { after: { one, samples } });
    await sendAll(next);
    const apart = take(patient, 60, { after: { one: next, samples: samples + 61 * chunkSamples } }); // a chunk between them is missing
    await sendAll(apart);
    for (const { recordingId, chunks } of [one, next, apart]) await complete(recordingId, chunks.length);
    const levelOf = (detection: Detection | undefined) => detection?.channelBaselines?.[0] ?? Number.NaN;
    const last = levelOf(world.detections(one.recordingId).at(-1));
    const [goneOn] = world.detections(next.recordingId);
    expect(goneOn?.baseline).toBe('own');
    expect(Math.abs(levelOf(goneOn) - last)).toBeLessThan(20); // its windows lie elsewhere between samples: 2 % at most
    const anew = world.detections(apart.recordingId);
    expect(anew.slice(0, 2).map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['calibrating', 'warm-up'],
      ['calibrating', 'warm-up'],
    ]);
    // Its electrodes are the same: what was usual a moment ago still is.
    expect(Math.abs(levelOf(anew[2]) - levelOf(world.detections(next.recordingId).at(-1)))).toBeLessThan(20);
    expect(world.conflicts).toBe(0);
  });

  test('joined in the middle, it says what it would have said had it heard all', async () => {
    const one = take(patient, 420);
    await sendAll({ ...one, chunks: one.chunks.slice(0, 400) });
    const first = await startPrediction();
    await complete(one.recordingId, 400);
    await first.stop();
    await ready(await startPrediction());
    await sendAll({ ...one, chunks: one.chunks.slice(400) });
    await complete(one.recordingId, 420);
    expect(world.detections(one.recordingId)).toEqual(expected(patient, 420 * chunkSamples).map((score) => expect.objectContaining(score)));
    expect(world.conflicts).toBe(0);
  });
});

describe('when things fail', () => {
  test('a killed worker costs no window: another is started, and what it had not scored is scored from storage', async () => {
    const prediction = await startPrediction();
    await ready(prediction);
    const one = take(patient, 300);
    await sendAll({ ...one, chunks: one.chunks.slice(0, 150) });
    const health = async () => (await (await fetch(`http://127.0.0.1:${prediction.addresses()['probePort']}/readyz`)).json()) as Readyz;
    const [pid] = (await health()).checks.detector.detail.workers.pids;
    if (pid === undefined) throw new Error('a worker has a process id');
    process.kill(pid, 'SIGKILL');
    await until(async () => (await health()).checks.detector.detail.workers.restarts === 1);
    await sendAll({ ...one, chunks: one.chunks.slice(150) });
    await complete(one.recordingId, 300);
    expect(world.detections(one.recordingId)).toEqual(expected(patient, 300 * chunkSamples).map((score) => expect.objectContaining(score)));
    expect(world.conflicts).toBe(0);
  });

  test('without storage, from the start on, it scores what it receives; a montage seen in an earlier run is enough', async () => {
    const dataDir = tempDir('vw-prediction-');
    world.storageAnswers = false;
    const first = await startPrediction({ dataDir });
    await ready(first);
    const one = take(patient, 20);
    await sendAll(one);
    await complete(one.recordingId, 20);
    await first.stop();
    // The second run hears no start record and cannot ask for it: it does not know what came before, so what it says is provisional.
    const heard = await listen();
    await ready(await startPrediction({ dataDir }));
    const two = take(patient, 20);
    await Promise.all(two.chunks.map((chunk) => world.send(chunk, two.device)));
    await until(() => heard.length === windowsOf(20));
    expect(world.detections(two.recordingId)).toEqual([]);
    await world.send(two.start, two.device);
    world.storageAnswers = true;
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
    await ready(await startPrediction());
    const heard = await listen();
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
