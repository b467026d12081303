import { decodeMessage, derivedId, detectionKind, type Message } from '@vitalwire/contract';
import { expect } from 'vitest';
import { rowOf, testGateway } from '../commit/test-rows.ts';
import { testNowUs as nowUs } from './test-storage-world.ts';

const clock = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;

/** The messages of an answer that frames each by its length; every one of them can be decoded. */
export function unframe(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; ) {
    const length = view.getUint32(at);
    messages.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  for (const message of messages) expect(decodeMessage(message).ok).toBe(true);
  return messages;
}

export function heartRateRow(recordingId: string, device: string, seq: number, bpms: readonly number[]) {
  const startUs = nowUs + seq * 2_000_000;
  const readings = bpms.map((bpm, index) => ({ atUs: startUs + index * 1_000_000, value: bpm, least: null, most: null }));
  return rowOf(
    { stream: 'heart-rate', recordingId, seq, measuredAtUs: startUs, clock, firstSample: seq * 2, kind: 'ecg', readings },
    { device },
  );
}

export function detectionRow(subject: string, device: string, window: number, probability: number) {
  return rowOf({
    stream: 'detection',
    recordingId: derivedId(subject, detectionKind('model-a')),
    seq: window,
    measuredAtUs: nowUs + window * 500_000,
    clock,
    subject,
    gateway: testGateway,
    device,
    channel: 0,
    modelHash: 'model-a',
    modelVersion: '1',
    firstSample: window * 100,
    samples: 100,
    probability,
    verdict: 'quiet',
    reason: null,
    baseline: null,
    channelProbabilities: [],
    fence: 1,
  });
}

type GapFields = {
  recordingId: string;
  device: string;
  seq: number;
  fromSeq?: number;
  toSeq?: number;
  fromUs?: number;
  toUs?: number;
  reason: Extract<Message, { stream: 'gap' }>['reason'];
};

export function gapRow({ recordingId, device, seq, fromSeq, toSeq, fromUs, toUs, reason }: GapFields) {
  return rowOf({
    stream: 'gap',
    recordingId: derivedId(recordingId, 'gap'),
    seq,
    measuredAtUs: nowUs,
    clock,
    subject: recordingId,
    of: 'eeg',
    device,
    fromSeq: fromSeq ?? null,
    toSeq: toSeq ?? null,
    fromUs: fromUs ?? null,
    toUs: toUs ?? null,
    reason,
  });
}

export function statusRow(session: string, kind: 'birth' | 'death', measuredAtUs: number) {
  return rowOf(
    {
      stream: 'status',
      recordingId: derivedId(session, 'status'),
      seq: kind === 'birth' ? 0 : 1,
      measuredAtUs,
      clock,
      subject: session,
      gateway: 'gateway-9',
      kind,
      version: '1.2.3',
      reason: 'test',
      previousSession: null,
    },
    { gateway: 'gateway-9', device: 'gateway-9' },
  );
}
