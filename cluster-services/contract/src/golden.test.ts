import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeLiveFrame, encodeLiveFrame } from './api/live.ts';
import { decodeHello, decodeLiveStatus, decodeMessage, encodeHello, encodeLiveStatus, encodeMessage, hashMontage } from './codec.ts';
import { bytesToHex, derivedId, detectionKind } from './ids.ts';
import type { ChannelScale, Hello, LiveStatus, Message } from './messages.ts';
import { decodeSampleBlock, encodeSampleBlock, type SampleBlock } from './sample-block.ts';
import { formatTopic } from './topics.ts';

// The bytes of wire version 1. A difference here is a new wire version, never a new golden file: what gateways keep in their outboxes,
// and what databases hold, was written by these rules.

const recordingId = '019aaaac-2600-7102-8304-0506e11eea07'; // of gateway-1
const session = '019aaaab-0000-7a0b-8c0d-0e0fe11eea07';
const measuredAtUs = 1_763_800_000_250_000;
const clock = { offsetUs: -1_500, uncertaintyUs: 250, source: 'front-door' } as const;
const replayClock = { offsetUs: 0, uncertaintyUs: 0, source: 'replay' } as const;
const bonn = { num: 17361, den: 100 };
const channels: readonly ChannelScale[] = [
  { label: 'Fp1', unit: 'µV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: 'Cz' },
  { label: 'Fp2', unit: 'µV', digitalMin: -2048, digitalMax: 2047, physicalMin: 1024, physicalMax: -1023.5, reference: '' },
];
const montageHash = hashMontage(channels);
// Two channels of 34 samples: one whole block of 32 deltas, one of a single delta.
const wave = Int16Array.from({ length: 68 }, (_, index) => ((index * index * 7) % 101) - 50);
const swing = Int32Array.from({ length: 100 }, (_, index) => (index === 40 ? 8_388_607 : index === 41 ? -8_388_608 : index));
const chunk = { stream: 'eeg', recordingId, seq: 7, measuredAtUs, clock, firstSample: 1792, rate: bonn, montageHash } as const;
const own = { subject: recordingId, gateway: 'gateway-1', device: 'bed-7.eeg' } as const;
const derived = (kind: string, subject = recordingId) => ({ recordingId: derivedId(subject, kind), subject, measuredAtUs, clock });

const messages: Record<string, Message> = {
  'eeg-codec-0': {
    ...chunk,
    channels: 2,
    samplesPerChannel: 3,
    sampleBits: 16,
    codec: 0,
    crc32: 0xd5a8ef55,
    samples: Int16Array.of(-32768, 0, 32767, 1, -1, 300),
  },
  'eeg-codec-1': { ...chunk, seq: 8, channels: 2, samplesPerChannel: 34, sampleBits: 16, codec: 1, crc32: 0x322872fe, samples: wave },
  'eeg-codec-1-int24': {
    ...chunk,
    seq: 2 ** 33,
    channels: 1,
    samplesPerChannel: 100,
    sampleBits: 24,
    codec: 1,
    crc32: 0xede2dfec,
    samples: swing,
  },
  'eeg-codec-0-int24': {
    ...chunk,
    seq: 9,
    channels: 1,
    samplesPerChannel: 2,
    sampleBits: 24,
    codec: 0,
    crc32: 0xb19db2aa,
    samples: Int32Array.of(-8_388_608, 8_388_607),
  },
  'heart-rate': {
    stream: 'heart-rate',
    recordingId,
    seq: 0,
    measuredAtUs,
    clock,
    firstSample: 0,
    kind: 'optical',
    readings: [
      { atUs: measuredAtUs, value: 71.5, least: 63, most: 80 },
      { atUs: measuredAtUs + 60_000_000, value: 70, least: null, most: null },
    ],
  },
  event: {
    stream: 'event',
    recordingId,
    seq: 300,
    measuredAtUs,
    clock: replayClock,
    firstSample: 70_000,
    events: [
      { atUs: measuredAtUs, durationUs: 23_600_000, type: 'seizure', text: 'segment S065', source: 'replay' },
      { atUs: -1, durationUs: null, type: 'annotation', text: 'Augen zu – ok 👁', source: '' },
    ],
  },
  quality: {
    stream: 'quality',
    recordingId,
    seq: 0,
    measuredAtUs,
    clock,
    firstSample: 0,
    items: [{ atUs: measuredAtUs, channel: 22, metric: 'impedance-kohm', value: 4.75 }],
  },
  'recording-start': {
    ...derived('recording'),
    ...own,
    stream: 'recording',
    kind: 'start',
    seq: 0,
    of: 'eeg',
    rate: bonn,
    channels,
    montageHash,
    predecessor: '019aaaa9-0000-7102-8304-0506e11eea07',
    captureId: 'bonn-seed-1',
    captureFirstSample: 40_970,
    replay: { speed: 1.5, source: 'bonn' },
    source: 'Bonn segments 065-080',
  },
  'recording-end': {
    ...derived('recording'),
    stream: 'recording',
    kind: 'end',
    seq: 1,
    lastSeq: 41,
    readings: 7_291,
    reason: 'capture-ended',
  },
  'recording-end-empty': { ...derived('recording'), stream: 'recording', kind: 'end', seq: 1, lastSeq: -1, readings: 0, reason: 'crash' },
  gap: {
    ...derived('gap'),
    stream: 'gap',
    seq: 2,
    of: 'eeg',
    device: 'bed-7.eeg',
    fromSeq: 10,
    toSeq: 20,
    fromUs: measuredAtUs,
    toUs: null,
    reason: 'evicted',
  },
  'status-birth': {
    ...derived('status', session),
    stream: 'status',
    kind: 'birth',
    seq: 0,
    gateway: 'gateway-1',
    version: '0.1.0',
    reason: '',
    previousSession: null,
  },
  'status-death': {
    ...derived('status', session),
    stream: 'status',
    kind: 'death',
    seq: 1,
    gateway: 'gateway-1',
    version: '0.1.0',
    reason: 'stopped',
    previousSession: recordingId,
  },
  detection: {
    ...derived(detectionKind('ab12cd34')),
    ...own,
    stream: 'detection',
    seq: 5,
    channel: 0,
    modelHash: 'ab12cd34',
    modelVersion: 'bonn-1',
    firstSample: 890,
    samples: 178,
    probability: 0.9375,
    verdict: 'seizure',
    reason: null,
    baseline: 'own',
    channelProbabilities: [0.9375, null, 0.0123],
    fence: 3,
  },
  'detection-baselines': {
    ...derived(detectionKind('ab12cd34')),
    ...own,
    stream: 'detection',
    seq: 7,
    channel: 2,
    modelHash: 'ab12cd34',
    modelVersion: 'bonn-1',
    firstSample: 1246,
    samples: 178,
    probability: 0.9991,
    verdict: 'focal',
    reason: null,
    baseline: 'own',
    channelProbabilities: [0.0123, null, 0.9991],
    channelBaselines: [3799, null, 4212],
    fence: 0,
  },
  'detection-thinned': {
    ...derived(detectionKind('ab12cd34')),
    ...own,
    stream: 'detection',
    seq: 8,
    channel: 0,
    modelHash: 'ab12cd34',
    modelVersion: 'bonn-1',
    firstSample: 1424,
    samples: 178,
    probability: 0.5,
    verdict: 'unsure',
    reason: null,
    baseline: 'population',
    channelProbabilities: [0.5],
    fence: 0,
    everyS: 4,
  },
  'detection-not-scorable': {
    ...derived(detectionKind('ab12cd34')),
    ...own,
    stream: 'detection',
    seq: 6,
    channel: 1,
    modelHash: 'ab12cd34',
    modelVersion: 'bonn-1',
    firstSample: 1068,
    samples: 178,
    probability: null,
    verdict: 'not-scorable',
    reason: 'flat signal',
    baseline: null,
    channelProbabilities: [],
    fence: 3,
  },
  alarm: {
    ...derived('alarm'),
    stream: 'alarm',
    seq: 0,
    sender: 'gateway-1',
    device: 'bed-7.eeg',
    alarmId: '0123456789abcdef',
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    transition: 'raised',
    onsetUs: measuredAtUs - 10_000_000,
    endedUs: null,
    value: 0.9375,
    limit: 0.8,
    channel: 3,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: { speed: 1, source: 'bonn' },
    text: 'since 10 s',
    fence: 2,
  },
  'alarm-episodes': {
    ...derived('alarm'),
    stream: 'alarm',
    seq: 1,
    sender: 'gateway-1',
    device: 'bed-7.eeg',
    alarmId: '0123456789abcdef',
    condition: 'seizure',
    priority: 'high',
    state: 'latched',
    transition: 'condition-ended',
    onsetUs: measuredAtUs - 100_000_000,
    endedUs: measuredAtUs - 10_000_000,
    value: 0.9375,
    limit: 0.8,
    channel: 3,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: '2 seizure patterns, longest 26 s',
    fence: 2,
    episodes: [
      {
        onsetUs: measuredAtUs - 100_000_000,
        seenUntilUs: measuredAtUs - 74_000_000,
        end: 'over',
        endUs: measuredAtUs - 74_000_000,
        peak: 0.9375,
        channel: 3,
      },
      { onsetUs: measuredAtUs - 20_000_000, seenUntilUs: measuredAtUs - 10_000_000, end: 'not-known', endUs: null, peak: 1, channel: 0 },
    ],
  },
  'alarm-take': {
    ...derived('alarm'),
    stream: 'alarm',
    seq: 2,
    sender: 'alarms',
    device: 'bed-7.eeg',
    alarmId: '0123456789abcdef',
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    transition: 'raised',
    onsetUs: measuredAtUs - 10_000_000,
    endedUs: null,
    value: 0.9375,
    limit: 0.8,
    channel: 3,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: { speed: 1, source: 'bonn S' },
    text: 'seizure pattern detected',
    fence: 2,
    take: 'bonn-20261122T120000000Z-1',
  },
};

const liveStatus: LiveStatus = {
  stream: 'live-status',
  gateway: 'gateway-1',
  session,
  online: true,
  version: '0.1.0',
  depthChunks: 12,
  depthBytes: 65_536,
  oldestAgeMs: 812.5,
  lastPubackUs: measuredAtUs,
  chunksPerSecondIn: 32,
  chunksPerSecondOut: 31.75,
  secondsUntilFull: null,
  certificateDaysLeft: 364.2,
  clock,
  measuredAtUs,
};
const troubledStatus: LiveStatus = { ...liveStatus, problem: 'the outbox is full' };
const hello: Hello = { generation: '019aaaa0-0000-7000-8000-00000000abcd', nowUs: measuredAtUs, version: '0.1.0' };
const sampleBlock: SampleBlock = {
  device: 'bed-7.eeg',
  captureId: 'capture-1',
  firstSample: 4_096,
  measuredAtUs,
  rate: { num: 256, den: 1 },
  channels,
  sampleBits: 24,
  samplesPerChannel: 2,
  samples: Int32Array.of(-1, 1, 8_388_607, -8_388_608),
  replay: { speed: 1, source: 'bonn' },
  source: 'test',
  end: true,
};

const folder = new URL('./golden/', import.meta.url);
const golden = (name: string) => readFileSync(new URL(`${name}.hex`, folder), 'utf8').replace(/\s/g, '');
const bytesOf = (name: string) => Uint8Array.from(golden(name).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

describe('the bytes of wire version 1', () => {
  test.each(Object.entries(messages))('%s', (name, message) => {
    expect(decodeMessage(bytesOf(name))).toEqual({ ok: true, value: message });
    expect(bytesToHex(encodeMessage(message))).toBe(golden(name));
  });

  test('live-status', () => {
    expect(bytesToHex(encodeLiveStatus(liveStatus))).toBe(golden('live-status'));
    expect(decodeLiveStatus(bytesOf('live-status'))).toEqual({ ok: true, value: liveStatus });
  });

  test('live-status-problem, a field that is absent where nothing is wrong', () => {
    expect(bytesToHex(encodeLiveStatus(troubledStatus))).toBe(golden('live-status-problem'));
    expect(decodeLiveStatus(bytesOf('live-status-problem'))).toEqual({ ok: true, value: troubledStatus });
  });

  test('hello', () => {
    expect(bytesToHex(encodeHello(hello))).toBe(golden('hello'));
    expect(decodeHello(bytesOf('hello'))).toEqual({ ok: true, value: hello });
  });

  test('hello-rival, a field that is absent where a gateway is alone', () => {
    expect(bytesToHex(encodeHello({ ...hello, rival: true }))).toBe(golden('hello-rival'));
    expect(decodeHello(bytesOf('hello-rival'))).toEqual({ ok: true, value: { ...hello, rival: true } });
  });

  test('sample-block', () => {
    expect(bytesToHex(encodeSampleBlock(sampleBlock))).toBe(golden('sample-block'));
    expect(decodeSampleBlock(bytesOf('sample-block'))).toEqual({ ok: true, value: sampleBlock });
  });

  test('live-frame', () => {
    const topic = formatTopic('gateway-1', 'bed-7.eeg', 'heart-rate', true);
    const message = bytesOf('heart-rate');
    expect(bytesToHex(encodeLiveFrame(topic, true, measuredAtUs, message))).toBe(golden('live-frame'));
    expect(decodeLiveFrame(bytesOf('live-frame'))).toEqual({ ok: true, value: { topic, live: true, receivedAtUs: measuredAtUs, message } });
  });

  test('every golden file is looked at', () => {
    const names = readdirSync(folder).map((file) => file.replace('.hex', ''));
    expect(new Set(names)).toEqual(
      new Set([...Object.keys(messages), 'live-status', 'live-status-problem', 'hello', 'hello-rival', 'sample-block', 'live-frame']),
    );
  });
});
