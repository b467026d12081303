import { numericFacts, numericStreams } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { gapBetween, type NextStart } from './device-gap.ts';

const next: NextStart = {
  device: 'eeg-1',
  stream: 'eeg',
  startUs: 10_000_000,
  nowUs: 10_100_000,
  clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
  phone: false,
};
const before = { recordingId: 'r', lastUs: 4_000_000, endReason: 'stopped' } as const;

test.each([
  ['stopped', 'agent-down'],
  ['crash', 'agent-down'],
  ['device-gap', 'device-off'],
  ['capture-ended', 'device-off'],
  [null, 'unknown'],
] as const)('after an end because of %s the stretch in between is %s', (endReason, reason) => {
  expect(gapBetween({ ...before, endReason }, next)).toMatchObject({
    subject: 'r',
    fromUs: 4_000_000,
    toUs: 10_000_000,
    fromSeq: null,
    reason,
  });
});

test('recordings that follow each other closely have no gap, nor do those that run backwards or lie months apart', () => {
  expect(gapBetween({ ...before, lastUs: 9_990_000 }, next)).toBeNull();
  expect(gapBetween({ ...before, lastUs: 11_000_000 }, next)).toBeNull();
  expect(gapBetween({ ...before, lastUs: -90 * 86_400_000_000 }, next)).toBeNull();
  expect(gapBetween({ ...before, lastUs: null }, next)).toBeNull();
});

test('a phone and a list of events are not meant to be unbroken', () => {
  expect(gapBetween(before, { ...next, stream: 'heart-rate', phone: true })).toBeNull();
  expect(gapBetween(before, { ...next, stream: 'event' })).toBeNull();
});

test('a vital that goes on is meant to be unbroken, one that is measured now and then is not', () => {
  for (const stream of numericStreams) expect(gapBetween(before, { ...next, stream }) === null, stream).toBe(numericFacts(stream).isSpot);
  expect(gapBetween(before, { ...next, stream: 'spo2', startUs: 8_999_999 })).toBeNull(); // a reading may come late
});
