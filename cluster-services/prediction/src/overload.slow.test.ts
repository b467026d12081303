import { type ChannelScale, derivedId, type EegChunk, hashMontage, type Message, newRecordingId } from '@vitalwire/contract';
import { loadStreamDetector } from '@vitalwire/detector';
import { systemClock } from '@vitalwire/runtime';
import { TestPki, until } from '@vitalwire/testkit';
import { gatewayId, log, startUs, storageToken, World } from '@vitalwire/testkit/prediction-world';
import { expect, test } from 'vitest';
import { PredictionConfig } from './config.ts';
import { createPrediction } from './prediction.ts';

const PATIENTS = 12;
const HZ = 100;
const channels: readonly ChannelScale[] = [
  { label: 'C3', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -2048, physicalMax: 2047, reference: '' },
];
const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'replay' } as const;
const rate = { num: HZ, den: 1 };
const montageHash = hashMontage(channels);

/** A recording that is being made: one chunk a second. */
function recordingOf(patient: number) {
  const recordingId = newRecordingId(gatewayId, 1_900_000_000_000 + patient, Uint8Array.from([9, 9, 9, 9, 9, patient]));
  const device = `device-${patient}`;
  const start: Message = {
    stream: 'recording',
    kind: 'start',
    clock,
    recordingId: derivedId(recordingId, 'recording'),
    seq: 0,
    measuredAtUs: startUs,
    subject: recordingId,
    gateway: gatewayId,
    device,
    of: 'eeg',
    rate,
    channels,
    montageHash,
    predecessor: null,
    captureId: `capture-of-${device}`,
    captureFirstSample: 0,
    replay: null,
    source: 'test',
  };
  const chunk = (second: number): EegChunk => ({
    stream: 'eeg',
    clock,
    recordingId,
    seq: second,
    measuredAtUs: startUs + second * 1_000_000,
    firstSample: second * HZ,
    channels: 1,
    samplesPerChannel: HZ,
    rate,
    montageHash,
    sampleBits: 16,
    codec: 1,
    crc32: 0,
    samples: Int16Array.from({ length: HZ }, (_, index) => {
      const sample = second * HZ + index;
      return Math.round(40 * Math.sin((2 * Math.PI * 9 * sample) / HZ + patient) + ((sample * 7919 * (patient + 3)) % 41) - 20);
    }),
  });
  return { recordingId, device, start, chunk };
}

test('with a worker too slow for its ward every patient stays judged, every few seconds and soon, and says so; when the load is gone what was left out is judged', async () => {
  const pki = await TestPki.create();
  const { modelHash } = await loadStreamDetector({ backend: 'wasm' });
  const world = new World(pki, modelHash);
  await world.start();
  const said: string[] = [];
  const heeding = Object.assign(Object.create(log) as typeof log, {
    warn: (_: unknown, text: string) => said.push(text),
    info: (_: unknown, text: string) => said.push(text),
  });
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
    { log: heeding, clock: systemClock, workerEntry: new URL('./scoring/slow-test-worker.ts', import.meta.url) },
  );
  const healthOf = async () => await (await fetch(`http://127.0.0.1:${prediction.addresses()['probePort']}/readyz`)).text();
  const recordings = Array.from({ length: PATIENTS }, (_, patient) => recordingOf(patient));
  const thinnedOf = (recordingId: string) => world.detections(recordingId).filter(({ everyS = 1 }) => everyS > 1);
  let second = 0;
  let sending: NodeJS.Timeout | undefined;
  try {
    await prediction.start(new AbortController().signal);
    await until(async () => (await healthOf()).includes('"subscribed":true,"publishing":true'));
    await Promise.all(recordings.map(({ start, device }) => world.send(start, device)));
    // One window takes 120 ms: twelve a second are half as many again as one worker can judge.
    sending = setInterval(() => {
      for (const { chunk, device } of recordings) void world.send(chunk(second), device);
      second++;
    }, 1_000);
    await until(() => recordings.every(({ recordingId }) => thinnedOf(recordingId).length >= 5), {
      timeoutMs: 90_000,
      what: 'all are judged, thinned',
    });
    const health = await healthOf();
    expect(health).toContain('"state":"thinned"');
    expect(health).toMatch(/but only every \d+ s/);
    expect(said).toContainEqual(expect.stringMatching(/every patient is judged, but only every \d+ s/));
    for (const { recordingId } of recordings) {
      const [last, before] = thinnedOf(recordingId).toReversed();
      if (last === undefined || before === undefined) throw new Error('there are five');
      expect(last.seq - before.seq).toBeLessThanOrEqual(2 * (before.everyS ?? 1));
      expect(second - (last.seq + 4)).toBeLessThanOrEqual(2 * (last.everyS ?? 1) + 1); // it is as new as a hop allows
    }
    clearInterval(sending);
    // With the load gone, every second is judged again, and only then what was left out.
    await until(async () => (await healthOf()).includes('"state":"in-time"'), { timeoutMs: 180_000, everyMs: 500, what: 'no overload' });
    expect(said).toContainEqual(expect.stringContaining('scoring keeps up again'));
    await until(() => recordings.every(({ recordingId }) => world.countDetections(recordingId) === second - 3), {
      timeoutMs: 180_000,
      everyMs: 500,
      what: 'every window is judged',
    });
    expect(world.conflicts).toBe(0);
  } finally {
    clearInterval(sending);
    await prediction.stop();
    await world.stop();
    pki.remove();
  }
}, 500_000);
