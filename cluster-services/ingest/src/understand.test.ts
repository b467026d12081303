import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Delivery } from '@vitalwire/broker';
import { derivedId, detectionKind, encodeMessage, formatTopic, type MessageDraft, newRecordingId, parseTopic } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { understand } from './understand.ts';

const clock = { offsetUs: 0, uncertaintyUs: 100, source: 'front-door' } as const;
const random = Uint8Array.of(1, 2, 3, 4, 5, 6);
const recordingId = newRecordingId('gw-1', Date.UTC(2026, 0, 1), random);
const foreignId = newRecordingId('gw-2', Date.UTC(2026, 0, 1), random);

const eeg: MessageDraft = {
  stream: 'eeg',
  recordingId,
  seq: 3,
  measuredAtUs: 1_767_225_600_000_000,
  clock,
  firstSample: 96,
  channels: 2,
  samplesPerChannel: 32,
  rate: { num: 256, den: 1 },
  montageHash: '0123456789abcdef',
  sampleBits: 16,
  samples: Int16Array.from({ length: 64 }, (_, index) => index * 3),
};
const detection: MessageDraft = {
  stream: 'detection',
  recordingId: derivedId(recordingId, detectionKind('m1')),
  seq: 7,
  measuredAtUs: 1_767_225_600_000_000,
  clock,
  subject: recordingId,
  gateway: 'gw-1',
  device: 'dev-1',
  channel: 0,
  modelHash: 'm1',
  modelVersion: '1',
  firstSample: 0,
  samples: 178,
  probability: 0.25,
  verdict: 'quiet',
  reason: null,
  baseline: null,
  channelProbabilities: [],
  fence: 0,
};

function deliver(payload: Uint8Array, topicText: string, sender: Delivery['sender'] = { kind: 'gateway', id: 'gw-1' }): Delivery {
  const topic = parseTopic(topicText);
  if (!topic.ok) throw new Error(topic.reason);
  return { sender, topic: topic.value, topicText, payload, isAbandoned: () => false };
}

function reasonOf(delivery: Delivery): string | null {
  const row = understand(delivery);
  return row.kind === 'quarantine' ? row.reason : null;
}

test('an EEG chunk becomes its row, byte for byte', () => {
  const bytes = encodeMessage(eeg);
  expect(understand(deliver(bytes, formatTopic('gw-1', 'dev-1', 'eeg')))).toEqual({
    kind: 'chunk',
    recordingId,
    seq: 3,
    stream: 'eeg',
    subject: null,
    gateway: 'gw-1',
    device: 'dev-1',
    measuredAtUs: 1_767_225_600_000_000,
    spanUs: 125_000,
    codec: 1,
    clockQuality: 1,
    firstSample: 96,
    samples: 32,
    crc32: crc32(bytes),
    message: bytes,
    firstWriteWins: false,
  });
});

test('a detection of the service prediction is committed for the gateway it speaks of, and the first one stays', () => {
  const bytes = encodeMessage(detection);
  const row = understand(deliver(bytes, formatTopic('gw-1', 'dev-1', 'detection'), { kind: 'service', id: 'prediction' }));
  expect(row).toMatchObject({ kind: 'chunk', stream: 'detection', subject: recordingId, gateway: 'gw-1', seq: 7, firstWriteWins: true });
});

test('what its sender may not say, or what contradicts itself, goes to quarantine with the reason', () => {
  const eegTopic = formatTopic('gw-1', 'dev-1', 'eeg');
  const bytes = encodeMessage(eeg);
  expect(reasonOf(deliver(encodeMessage({ ...eeg, recordingId: foreignId }), eegTopic))).toBe('foreign-recording');
  expect(reasonOf(deliver(bytes, formatTopic('gw-1', 'dev-1', 'event')))).toBe('topic-disagrees');
  expect(reasonOf(deliver(encodeMessage(detection), formatTopic('gw-1', 'dev-2', 'detection')))).toBe('topic-disagrees');
  expect(
    reasonOf(
      deliver(encodeMessage({ ...detection, recordingId: derivedId(recordingId, 'gap') }), formatTopic('gw-1', 'dev-1', 'detection')),
    ),
  ).toBe('wrong-derived-id');
  const disagreeing = Uint8Array.from(bytes);
  disagreeing[23] = 4; // another seq in the prefix than in the body
  expect(reasonOf(deliver(disagreeing, eegTopic))).toBe('prefix-disagrees');
  expect(reasonOf(deliver(bytes.subarray(0, 23), eegTopic))).toBe('truncated');
  const damaged = Uint8Array.from(bytes);
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  expect(reasonOf(deliver(damaged, eegTopic))).not.toBeNull();
});

test('quarantine keeps the raw bytes under their SHA-256, with the identity when there is one', () => {
  const bytes = encodeMessage(eeg).subarray(0, 40);
  expect(understand(deliver(bytes, formatTopic('gw-1', 'dev-1', 'eeg')))).toMatchObject({
    kind: 'quarantine',
    sha256: createHash('sha256').update(bytes).digest(),
    sender: 'gw-1',
    topic: formatTopic('gw-1', 'dev-1', 'eeg'),
    message: bytes,
    recordingId,
    seq: 3,
  });
  expect(understand(deliver(new Uint8Array(), formatTopic('gw-1', 'dev-1', 'eeg')))).toMatchObject({
    kind: 'quarantine',
    recordingId: null,
    seq: null,
  });
});

test('any bytes give a row', () => {
  const bytes = encodeMessage(eeg);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(bytes.length), (changes, length) => {
      const mutated = Uint8Array.from(bytes);
      for (const [at, value] of changes) mutated[at] = value;
      const row = understand(deliver(mutated.subarray(0, length), formatTopic('gw-1', 'dev-1', 'eeg')));
      expect(row.message.byteLength).toBe(length);
    }),
    { numRuns: 2_000 },
  );
});
