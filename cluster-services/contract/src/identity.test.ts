import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkIdentity, checkTopic } from './identity.ts';
import { derivedId, detectionKind, newRecordingId } from './ids.ts';
import type { Alarm, Detection, EegChunk, Gap, LiveStatus, Message, RecordingEnd, RecordingStart, Status } from './messages.ts';
import { formatTopic, parseTopic, type Stream, type Topic } from './topics.ts';

const subject = newRecordingId('gateway-1', 1_763_800_000_000, Uint8Array.of(1, 2, 3, 4, 5, 6));
const foreign = newRecordingId('gateway-2', 1_763_800_000_000, Uint8Array.of(1, 2, 3, 4, 5, 6));
const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
const common = { seq: 0, measuredAtUs: 0, clock } as const;
const own = { subject, gateway: 'gateway-1', device: 'd' } as const;

const eeg: EegChunk = {
  ...common,
  stream: 'eeg',
  recordingId: subject,
  firstSample: 0,
  channels: 1,
  samplesPerChannel: 1,
  rate: { num: 1, den: 1 },
  montageHash: '0'.repeat(16),
  sampleBits: 16,
  codec: 0,
  crc32: 0,
  samples: Int16Array.of(1),
};
const start: RecordingStart = {
  ...common,
  ...own,
  stream: 'recording',
  kind: 'start',
  recordingId: derivedId(subject, 'recording'),
  of: 'eeg',
  rate: null,
  channels: [],
  montageHash: '0'.repeat(16),
  predecessor: null,
  captureId: 'c',
  captureFirstSample: 0,
  replay: null,
  source: '',
};
const end: RecordingEnd = {
  ...common,
  seq: 1,
  stream: 'recording',
  kind: 'end',
  recordingId: start.recordingId,
  subject,
  lastSeq: 0,
  readings: 0,
  reason: 'crash',
};
const gapRecordingId = derivedId(subject, 'gap');
const gap: Gap = {
  ...common,
  stream: 'gap',
  recordingId: gapRecordingId,
  subject,
  of: 'eeg',
  device: 'd',
  fromSeq: 0,
  toSeq: 1,
  fromUs: null,
  toUs: null,
  reason: 'evicted',
};
const status: Status = {
  ...common,
  ...own,
  stream: 'status',
  kind: 'birth',
  recordingId: derivedId(subject, 'status'),
  version: '1',
  reason: '',
  previousSession: null,
};
const detection: Detection = {
  ...common,
  ...own,
  stream: 'detection',
  recordingId: derivedId(subject, detectionKind('ab12')),
  channel: 0,
  modelHash: 'ab12',
  modelVersion: '1',
  firstSample: 0,
  samples: 178,
  probability: 0.5,
  verdict: 'unsure',
  reason: null,
  baseline: null,
  channelProbabilities: [],
  fence: 0,
};
const alarm: Alarm = {
  ...common,
  stream: 'alarm',
  recordingId: derivedId(subject, 'alarm'),
  subject,
  sender: 'gateway-1',
  device: 'd',
  alarmId: 'a',
  condition: 'seizure',
  priority: 'high',
  state: 'active',
  transition: 'raised',
  onsetUs: null,
  endedUs: null,
  value: null,
  limit: null,
  channel: null,
  untilUs: null,
  by: '',
  mergedInto: null,
  replay: null,
  fence: 0,
  text: '',
};
const derived: readonly Message[] = [start, end, gap, status, detection, alarm];

test('a gateway may send what carries its own tag, and nobody else may', () => {
  for (const message of [eeg, ...derived]) {
    expect(checkIdentity(message, 'gateway-1')).toEqual({ ok: true });
    expect(checkIdentity(message, { kind: 'gateway', id: 'gateway-1' })).toEqual({ ok: true });
    expect(checkIdentity(message, 'gateway-2').ok).toBe(false);
  }
  expect(checkIdentity(eeg, 'gateway-2')).toMatchObject({ reason: 'foreign-recording' });
  expect(checkIdentity(gap, 'gateway-2')).toMatchObject({ reason: 'foreign-recording' });
  expect(checkIdentity(start, 'gateway-2')).toMatchObject({ reason: 'foreign-gateway' });
});

test('naming oneself does not make a foreign subject one’s own', () => {
  for (const message of [start, status, detection]) {
    const stolen = { ...message, gateway: 'gateway-2' };
    expect(checkIdentity(stolen, 'gateway-2')).toMatchObject({ ok: false, reason: 'foreign-recording' });
  }
});

test('a derived id must be the one that subject and kind give', () => {
  for (const message of derived) {
    expect(checkIdentity({ ...message, recordingId: subject }, 'gateway-1')).toMatchObject({ reason: 'wrong-derived-id' });
    expect(checkIdentity({ ...message, recordingId: derivedId(subject, 'other') }, 'gateway-1')).toMatchObject({
      reason: 'wrong-derived-id',
    });
  }
  expect(checkIdentity({ ...detection, modelHash: 'ab13' }, 'gateway-1')).toMatchObject({ reason: 'wrong-derived-id' });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), fc.nat(2 ** 31), (random, startMs) => {
      const other = newRecordingId('gateway-1', startMs, random);
      fc.pre(other !== subject);
      expect(checkIdentity({ ...gap, subject: other }, 'gateway-1')).toMatchObject({ reason: 'wrong-derived-id' });
    }),
  );
});

test('a service scores the recordings of the gateway it names, and sends no chunks in the name of one', () => {
  const prediction = { kind: 'service', id: 'prediction' } as const;
  expect(checkIdentity(detection, prediction)).toEqual({ ok: true });
  expect(checkIdentity({ ...detection, gateway: 'gateway-2' }, prediction)).toMatchObject({ reason: 'foreign-recording' });
  expect(checkIdentity({ ...detection, subject: foreign }, prediction)).toMatchObject({ reason: 'foreign-recording' });
  const log = newRecordingId('alarms', 1_764_000_000_000, new Uint8Array(6));
  const raised = { ...alarm, sender: 'alarms', subject: log, recordingId: derivedId(log, 'alarm') };
  expect(checkIdentity(raised, { kind: 'service', id: 'alarms' })).toEqual({ ok: true });
  expect(checkIdentity(raised, prediction)).toMatchObject({ reason: 'foreign-gateway' });
  expect(checkIdentity({ ...raised, sender: 'prediction' }, prediction)).toMatchObject({ reason: 'foreign-recording' });
  expect(checkIdentity(eeg, prediction)).toMatchObject({ reason: 'foreign-recording' });
  expect(checkIdentity(start, prediction)).toMatchObject({ reason: 'foreign-gateway' });
});

test('a live status is about the sender’s own session', () => {
  const live: LiveStatus = {
    stream: 'live-status',
    gateway: 'gateway-1',
    session: subject,
    online: true,
    version: '1',
    depthChunks: 0,
    depthBytes: 0,
    oldestAgeMs: null,
    lastPubackUs: null,
    chunksPerSecondIn: 0,
    chunksPerSecondOut: 0,
    secondsUntilFull: null,
    certificateDaysLeft: null,
    clock,
    measuredAtUs: 0,
  };
  expect(checkIdentity(live, 'gateway-1')).toEqual({ ok: true });
  expect(checkIdentity(live, 'gateway-2')).toMatchObject({ reason: 'foreign-gateway' });
  expect(checkIdentity({ ...live, session: foreign }, 'gateway-1')).toMatchObject({ reason: 'foreign-recording' });
});

test('a message says what its topic says', () => {
  const topic = (stream: Stream, gateway = 'gateway-1', device = 'd'): Topic => {
    const parsed = parseTopic(formatTopic(gateway, device, stream));
    if (!parsed.ok) throw new Error(parsed.reason);
    return parsed.value;
  };
  expect(checkTopic(eeg, topic('eeg'))).toEqual({ ok: true });
  expect(checkTopic(start, topic('recording'))).toEqual({ ok: true });
  expect(checkTopic(eeg, topic('gap'))).toMatchObject({ reason: 'topic-disagrees' });
  expect(checkTopic(start, topic('recording', 'gateway-2'))).toMatchObject({ reason: 'topic-disagrees' });
  expect(checkTopic(gap, topic('gap', 'gateway-1', 'e'))).toMatchObject({ reason: 'topic-disagrees' });
  expect(checkTopic(detection, topic('detection', 'prediction'))).toEqual({ ok: true });
  expect(checkTopic(detection, topic('detection', 'prediction', 'e'))).toMatchObject({ reason: 'topic-disagrees' });
});
