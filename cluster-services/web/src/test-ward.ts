import type { ClockState, Detection, EegChunk, LiveStatus, NumericChunk, Topic, Verdict } from '@vitalwire/contract';
import type { Ward } from './ward.ts';

export const nowUs = 1_800_000_000_000_000;
export const second = 1_000_000;
export const R1 = '018f0000-0000-7000-8000-000000000001';
export const measured: ClockState = { offsetUs: 0, uncertaintyUs: 100, source: 'front-door' };
export const none: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

export function topic(live = false, device = 'd1'): Topic {
  return { shard: 0, gateway: 'g1', device, stream: 'eeg', live };
}

export function eeg(endUs: number, clock = measured): EegChunk {
  return {
    stream: 'eeg',
    recordingId: R1,
    seq: 0,
    measuredAtUs: endUs - second,
    clock,
    firstSample: 0,
    channels: 1,
    samplesPerChannel: 100,
    rate: { num: 100, den: 1 },
    montageHash: '0'.repeat(16),
    sampleBits: 16,
    codec: 0,
    crc32: 0,
    samples: new Int16Array(100),
  };
}

export function heartRate(atUs: number, bpm: number): NumericChunk {
  return {
    stream: 'heart-rate',
    recordingId: R1,
    seq: 0,
    measuredAtUs: atUs,
    clock: measured,
    firstSample: 0,
    kind: 'ecg',
    readings: [{ atUs, value: bpm, least: null, most: null }],
  };
}

export function detection(window: number, verdict: Verdict, probability: number | null = 0.5, atUs = nowUs + window * second): Detection {
  return {
    stream: 'detection',
    recordingId: R1,
    seq: window,
    measuredAtUs: atUs,
    clock: measured,
    subject: R1,
    gateway: 'g1',
    device: 'd1',
    channel: 0,
    modelHash: 'm',
    modelVersion: 'v1',
    firstSample: 0,
    samples: 178,
    probability,
    verdict,
    reason: null,
    baseline: null,
    channelProbabilities: [],
    fence: 0,
  };
}

export function status(clock: ClockState, online = true): LiveStatus {
  return {
    stream: 'live-status',
    gateway: 'g1',
    session: R1,
    online,
    version: '1',
    depthChunks: 5,
    depthBytes: 5_000,
    oldestAgeMs: 10,
    lastPubackUs: null,
    chunksPerSecondIn: 1,
    chunksPerSecondOut: 1,
    secondsUntilFull: null,
    certificateDaysLeft: 10,
    clock,
    measuredAtUs: nowUs,
  };
}

export function only(ward: Ward) {
  const [patient] = ward.patients();
  if (patient === undefined) throw new Error('nobody');
  return patient;
}

export function never(): never {
  throw new Error('no value');
}
