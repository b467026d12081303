import { expect, test } from 'vitest';
import { detectionInputOf } from './detection-input.ts';

const detection = {
  device: 'd',
  subject: 'r',
  modelHash: 'm',
  seq: 40,
  measuredAtUs: 0,
  samples: 1024,
  firstSample: 40 * 256,
  probability: 0.9,
  verdict: 'seizure',
  reason: null,
  channel: 0,
} as const;

test('a window stands one hop from the next; judged every 4 s, that many', () => {
  const rate = { num: 256, den: 1 };
  expect(detectionInputOf(detection, rate, null).hopUs).toBe(1_000_000);
  expect(detectionInputOf({ ...detection, everyS: 4 }, rate, null).hopUs).toBe(4_000_000);
});
