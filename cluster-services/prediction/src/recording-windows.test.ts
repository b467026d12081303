import type { ChannelScale, EegChunk } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordingWindows } from './recording-windows.ts';

const rate = { num: 17361, den: 100 };
const scale: ChannelScale = {
  label: 'A',
  unit: 'uV',
  digitalMin: -2048,
  digitalMax: 2047,
  physicalMin: -1024,
  physicalMax: 1023.5,
  reference: '',
};
const detector = {
  windowSamples: 178,
  hopSamples: 178,
  refusal: (_: unknown, { unit }: ChannelScale) => (unit === 'uV' ? null : ('unit' as const)),
};
const clock = { offsetUs: 5, uncertaintyUs: 1, source: 'ntp' } as const;

function chunk(seq: number, firstSample: number, samples: number, channels = 1): EegChunk {
  const block = Int16Array.from(
    { length: samples * channels },
    (_, index) => ((firstSample + (index % samples)) % 1000) * (index < samples ? 1 : -1),
  );
  return {
    stream: 'eeg',
    recordingId: 'r',
    seq,
    measuredAtUs: 1_000_000 + Math.round((firstSample * 1e8) / 17361),
    clock,
    firstSample,
    channels,
    samplesPerChannel: samples,
    rate,
    montageHash: '0',
    sampleBits: 16,
    codec: 0,
    crc32: 0,
    samples: block,
  };
}

test('windows start in a chunk and are timed by it, however the samples are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const windows = new RecordingWindows(detector, rate, [scale]);
      let at = 0;
      const cut = sizes.flatMap((size, seq) => {
        at += size;
        return windows.push(chunk(seq, at - size, size));
      });
      expect(cut.map(({ window }) => window)).toEqual(Array.from({ length: Math.floor(at / 178) }, (_, window) => window));
      for (const { firstSample, measuredAtUs, clock: state, work } of cut) {
        expect(Math.abs(measuredAtUs - (1_000_000 + (firstSample * 1e8) / 17361))).toBeLessThanOrEqual(1);
        expect(state).toEqual(clock);
        if (work.kind !== 'score') throw new Error('the unit is known');
        expect(work.job.channels[0]?.[0]).toBeCloseTo((firstSample % 1000) / 2, 9);
      }
    }),
  );
});

test('only channels in volts are scored, under their own numbers, with their own rails', () => {
  const windows = new RecordingWindows(detector, rate, [{ ...scale, unit: 'mmHg' }, scale]);
  const [first] = windows.push(chunk(0, 0, 178, 2));
  expect(first?.work).toMatchObject({ kind: 'score', channels: [1], job: { rails: [{ min: -1024, max: 1023.5 }] } });
  if (first?.work.kind === 'score')
    expect([...(first.work.job.channels[0] ?? [])].slice(0, 3).map((value) => value + 0)).toEqual([0, -0.5, -1]);
});

test('with no channel to score, each window says why', () => {
  const [first] = new RecordingWindows(detector, rate, [{ ...scale, unit: 'counts' }]).push(chunk(0, 0, 178));
  expect(first?.work).toEqual({ kind: 'refused', reason: 'unit' });
});

test('no window is made of samples from both sides of a hole', () => {
  const windows = new RecordingWindows(detector, rate, [scale]);
  expect(windows.push(chunk(0, 0, 100))).toEqual([]);
  expect(windows.push(chunk(2, 140, 100))).toEqual([]);
  expect(windows.push(chunk(3, 240, 200)).map(({ window }) => window)).toEqual([1]);
});
