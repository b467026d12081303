import type { ChannelScale, EegChunk } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { EegTrace } from './eeg-trace.ts';

const second = 1_000_000;
const startUs = 1_800_000_000_000_000;

function chunk(index: number, { jitterUs = 0, recordingId = 'r', montageHash = 'm', samples = 100 } = {}): EegChunk {
  const firstSample = index * samples;
  return {
    stream: 'eeg',
    recordingId,
    seq: index,
    measuredAtUs: startUs + index * second + jitterUs,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'front-door' },
    firstSample,
    channels: 2,
    samplesPerChannel: samples,
    rate: { num: 100, den: 1 },
    montageHash,
    sampleBits: 16,
    codec: 0,
    crc32: 0,
    samples: Int16Array.from({ length: 2 * samples }, (_, at) => (at < samples ? 100 : -500)),
  };
}

function drawn(trace: EegTrace): string {
  return Array.from({ length: trace.sweep.columns }, (_, slot) => (trace.sweep.column(slot) === null ? '.' : '#')).join('');
}

test('sample indexes place the chunks: a clock that jitters leaves no seams', () => {
  const trace = new EegTrace(100);
  const steady = new EegTrace(100);
  for (let index = 0; index < 8; index++) {
    trace.take(chunk(index, { jitterUs: index % 2 === 0 ? 0 : 40_000 }), index * 1_000);
    steady.take(chunk(index), index * 1_000);
  }
  expect(drawn(trace)).toBe(drawn(steady));
  expect(drawn(trace).replaceAll('.', '')).toHaveLength(80);
});

test.each([60, 3_600, 75 * 365 * 86_400])(
  'a clock that was %i s ahead and is set back draws again at once; a late chunk of before changes nothing',
  (aheadS) => {
    const trace = new EegTrace(100);
    for (let index = 0; index < 5; index++) trace.take(chunk(index, { jitterUs: aheadS * second }), index * 1_000);
    for (let index = 5; index < 9; index++) trace.take(chunk(index), index * 1_000);
    expect(drawn(trace).replaceAll('.', '')).toHaveLength(40);
    expect(trace.sweep.lastUs()).toBe(startUs + 9 * second - second / 100);
    trace.take(chunk(1, { jitterUs: aheadS * second }), 9_000);
    trace.take(chunk(10), 10_000);
    expect(trace.sweep.lastUs()).toBe(startUs + 11 * second - second / 100);
  },
);

test('a new width is drawn from what is known; a channel has its own range; counts become units when the scale is known', () => {
  const trace = new EegTrace(100);
  for (let index = 0; index < 5; index++) trace.take(chunk(index), 0);
  trace.resize(37);
  expect(drawn(trace)).toHaveLength(37);
  expect(drawn(trace).replaceAll('.', '').length).toBeGreaterThan(16);
  expect(trace.caption).toEqual({ label: 'channel 1', halfRange: 100, unit: 'counts' });
  trace.useChannel(1);
  expect(trace.caption.halfRange).toBe(500);
  const scale: ChannelScale = {
    label: 'Fp1',
    unit: 'uV',
    digitalMin: -1_000,
    digitalMax: 1_000,
    physicalMin: -100,
    physicalMax: 100,
    reference: '',
  };
  trace.useScales('other', [scale, scale]);
  expect(trace.hasScales).toBe(false);
  trace.useScales('m', [scale, scale]);
  expect(trace.caption).toEqual({ label: 'Fp1', halfRange: 50, unit: 'uV' });
});

test('another montage or another patient begins an empty page', () => {
  const trace = new EegTrace(50);
  trace.take(chunk(0), 0);
  trace.take(chunk(1, { montageHash: 'n', recordingId: 's' }), 0);
  expect(drawn(trace).replaceAll('.', '')).toHaveLength(5);
  trace.clear();
  expect(drawn(trace)).toBe('.'.repeat(50));
});

test('without data the erase bar goes on by the clock until nothing is left of the page', () => {
  const trace = new EegTrace(50);
  for (let index = 0; index < 10; index++) trace.take(chunk(index), 10_000);
  const before = drawn(trace).replaceAll('.', '').length;
  expect(trace.tick(11_000)).toBe(false);
  expect(trace.tick(14_000)).toBe(true);
  expect(drawn(trace).replaceAll('.', '').length).toBeLessThan(before - 15);
  trace.tick(21_000);
  expect(drawn(trace)).toBe('.'.repeat(50));
});
