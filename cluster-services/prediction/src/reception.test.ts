import {
  type ChannelScale,
  derivedId,
  encodeMessage,
  formatTopic,
  hashMontage,
  type MessageDraft,
  newRecordingId,
} from '@vitalwire/contract';
import { expect, test } from 'vitest';
import type { Lane } from './detections.ts';
import { Montages } from './montages.ts';
import { Reception } from './reception.ts';

const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
const channels: readonly ChannelScale[] = [
  { label: 'C3', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -2048, physicalMax: 2047, reference: '' },
];
const recordingId = newRecordingId('gw', 1_795_000_000_000, new Uint8Array(6));
const detector = { windowSamples: 10, hopSamples: 10, refusal: () => null };

function reception() {
  const scored: { window: number; lane: Lane }[] = [];
  const missed: string[] = [];
  const receiver = new Reception({
    detector,
    montages: new Montages('', { warn: () => {} }),
    detections: {
      score: (_subject, { window }, lane) => {
        scored.push({ window, lane });
        return Promise.resolve(true);
      },
    },
    onMissed: (_recordingId, why) => missed.push(why),
    onUnreadable: () => missed.push('unreadable'),
    onFailed: () => missed.push('failed'),
  });
  const take = (message: MessageDraft, live: boolean) =>
    receiver.receive(formatTopic('gw', 'dev', message.stream, live), encodeMessage(message));
  return { scored, missed, take };
}

function start(): MessageDraft {
  return {
    stream: 'recording',
    kind: 'start',
    recordingId: derivedId(recordingId, 'recording'),
    seq: 0,
    measuredAtUs: 1,
    clock,
    subject: recordingId,
    gateway: 'gw',
    device: 'dev',
    of: 'eeg',
    rate: { num: 100, den: 1 },
    channels,
    montageHash: hashMontage(channels),
    predecessor: null,
    captureId: 'c',
    captureFirstSample: 0,
    replay: null,
    source: 'test',
  };
}

function end(): MessageDraft {
  return {
    stream: 'recording',
    kind: 'end',
    recordingId: derivedId(recordingId, 'recording'),
    seq: 1,
    measuredAtUs: 1,
    clock,
    subject: recordingId,
    lastSeq: 9,
    readings: 100,
    reason: 'stopped',
  };
}

function chunk(seq: number): MessageDraft {
  return {
    stream: 'eeg',
    recordingId,
    seq,
    measuredAtUs: 1 + seq * 100_000,
    clock,
    firstSample: seq * 10,
    channels: 1,
    samplesPerChannel: 10,
    rate: { num: 100, den: 1 },
    montageHash: hashMontage(channels),
    sampleBits: 16,
    samples: new Int16Array(10),
  };
}

test('a recording that began while the database is down is scored: its scale comes with the start record on the live lane', () => {
  const { scored, missed, take } = reception();
  take(start(), true);
  take(chunk(0), true);
  expect(scored).toEqual([{ window: 0, lane: 'live' }]);
  expect(missed).toEqual([]);
});

test('an end on the live lane is no end yet: the committed chunks that follow go on where they were', () => {
  const { scored, missed, take } = reception();
  take(start(), false);
  take(chunk(0), false);
  take(end(), true);
  take(chunk(1), false);
  expect(scored).toEqual([
    { window: 0, lane: 'durable' },
    { window: 1, lane: 'durable' },
  ]);
  expect(missed).toEqual([]);
  take(end(), false);
  expect(missed).toEqual(['ended']);
});
