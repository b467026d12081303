import { type ClockState, newRecordingId } from '@vitalwire/contract';
import { createLog } from '@vitalwire/runtime';
import { expect, test } from 'vitest';
import { Detections, type Lane } from './detections.ts';
import type { TimedWindow } from './recording-windows.ts';
import { ScoreQueue } from './score-queue.ts';

const subject = { recordingId: newRecordingId('gateway-1', 0, new Uint8Array(6)), gateway: 'gateway-1', device: 'eeg-1' };
const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };
const CHANNELS = 32;
const LIMIT = 32_768 / CHANNELS;

test('windows that come faster than they can be scored are left to storage, and memory stays bounded', async () => {
  const { detections, published, queue } = make();
  const results = Array.from({ length: 3 * LIMIT }, (_, window) => detections.score(subject, timed(window), 'durable'));
  expect(queue.depth).toBe(LIMIT);
  expect(detections.onTheWay).toBe(LIMIT);
  expect((await Promise.all(results)).filter((taken) => taken)).toHaveLength(LIMIT);
  expect(published.size).toBe(LIMIT);
  expect(await detections.score(subject, timed(3 * LIMIT), 'durable')).toBe(true); // there is room again
});

test('what is read from storage is taken all the same: it waits for its own windows, and nobody else would look for them', async () => {
  const { detections, published } = make();
  const score = (window: number, lane: Lane) => detections.score(subject, timed(window), lane);
  const received = Array.from({ length: 2 * LIMIT }, (_, window) => score(window, 'durable'));
  expect(await score(2 * LIMIT, 'catch-up')).toBe(true);
  await Promise.all(received);
  expect(published.has(2 * LIMIT)).toBe(true);
});

function make() {
  const published = new Set<number>();
  const detector = { modelHash: 'a', modelVersion: '1', windowSamples: 178 };
  const queue = new ScoreQueue({ scoreWindows: (windows) => windows.map(() => ({ probability: 0.1, verdict: 'quiet', reason: null })) });
  const detections = new Detections({
    detector,
    queue,
    publisher: { publish: async () => {}, publishLive: () => {} },
    log: createLog({ name: 'test', level: 'silent' }),
    onDetection: ({ seq }) => published.add(seq),
  });
  return { detections, published, queue };
}

function timed(window: number): TimedWindow {
  const channels = Array.from({ length: CHANNELS }, (_, channel) => channel);
  const job = { channels: channels.map(() => new Float64Array(1)), rails: channels.map(() => ({ min: -1, max: 1 })) };
  return { window, firstSample: window * 178, measuredAtUs: window, clock, work: { kind: 'score', job, channels } };
}
