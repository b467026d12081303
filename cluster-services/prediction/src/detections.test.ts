import { type ClockState, type Detection, newRecordingId } from '@vitalwire/contract';
import { createLog } from '@vitalwire/runtime';
import { expect, test } from 'vitest';
import { Detections, type Origin } from './detections.ts';
import type { TimedWindow } from './recording-windows.ts';

const subject = { recordingId: newRecordingId('gateway-1', 0, new Uint8Array(6)), gateway: 'gateway-1', device: 'eeg-1' };
const clock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

function make(publish: () => Promise<void>) {
  const sent: { topic: string; bytes: string; live: boolean }[] = [];
  const told: [number, Origin][] = [];
  const note = (live: boolean) => (topic: string, payload: Uint8Array) =>
    void sent.push({ topic, bytes: Buffer.from(payload).toString('hex'), live });
  const detections = new Detections({
    model: { modelHash: 'a', modelVersion: '1' },
    publisher: {
      publish: (topic, payload) => {
        note(false)(topic, payload);
        return publish();
      },
      publishLive: note(true),
    },
    log: createLog({ name: 'test', level: 'silent' }),
    onDetection: ({ seq }: Detection, origin) => told.push([seq, origin]),
  });
  return { detections, sent, told };
}

function timed(window: number): TimedWindow {
  return {
    window,
    firstSample: window * 174,
    samples: 696,
    complete: true,
    measuredAtUs: 1_000_000 * window,
    clock,
    probability: 0.25,
    verdict: 'unsure',
    reason: null,
    channel: 1,
    baseline: 'own',
    channelProbabilities: [null, 0.25],
    channelBaselines: [3799],
  };
}

test('the same window gives the same bytes, stored or provisional, whenever it is published', async () => {
  const { detections, sent } = make(async () => {});
  await detections.publish(subject, timed(3), 'durable');
  await detections.publish(subject, timed(3), 'catch-up');
  detections.publishProvisional(subject, timed(3));
  expect(new Set(sent.map(({ bytes }) => bytes)).size).toBe(1);
  expect(sent.map(({ live, topic }) => [live, topic.endsWith('/detection/live')])).toEqual([
    [false, false],
    [false, false],
    [true, true],
  ]);
});

test('a window is published once at a time, and is on the way until it is committed', async () => {
  const committed = Promise.withResolvers<void>();
  const { detections, sent, told } = make(() => committed.promise);
  const first = detections.publish(subject, timed(1), 'durable');
  expect(await detections.publish(subject, timed(1), 'catch-up')).toBe(true);
  expect(detections.isOnTheWay(subject.recordingId, 1)).toBe(true);
  expect([sent.length, told.length]).toEqual([1, 0]);
  committed.resolve();
  expect(await first).toBe(true);
  expect(detections.isOnTheWay(subject.recordingId, 1)).toBe(false);
  expect(told).toEqual([[1, 'durable']]);
});

test('a detection that is refused is told as not published, and nothing stays on the way', async () => {
  const { detections, told } = make(() => Promise.reject(new Error('too many wait')));
  expect(await detections.publish(subject, timed(1), 'durable')).toBe(false);
  expect([detections.onTheWay, told.length]).toEqual([0, 0]);
});
