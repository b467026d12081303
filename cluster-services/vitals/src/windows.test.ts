import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstSampleOf, WindowCutter, windowAt, windowsInside } from './windows.ts';

const shapes = fc.record({ windowSamples: fc.integer({ min: 1, max: 60 }), hopSamples: fc.integer({ min: 1, max: 60 }) });

test('windows inside a stretch are exactly those whose every sample is in it', () => {
  fc.assert(
    fc.property(shapes, fc.nat(300), fc.nat(300), (shape, from, length) => {
      const { fromWindow, toWindow } = windowsInside(from, from + length, shape);
      for (let window = 0; window < 700; window++) {
        const first = firstSampleOf(window, shape);
        const inside = first >= from && first + shape.windowSamples <= from + length;
        expect(window >= fromWindow && window <= toWindow).toBe(inside);
      }
    }),
  );
});

test('however the samples are cut into chunks, the same windows come out, each once, with its own samples', () => {
  fc.assert(
    fc.property(shapes, fc.array(fc.nat(150), { maxLength: 12 }), (shape, chunks) => {
      const cutter = new WindowCutter(shape);
      let at = 0;
      const windows = chunks.flatMap((count) => {
        at += count;
        const ramp = Float64Array.from({ length: count }, (_, index) => at - count + index);
        return cutter.push(at - count, [ramp, ramp.map((value) => -value)]);
      });
      const { toWindow } = windowsInside(0, at, shape);
      expect(windows.map(({ window }) => window)).toEqual(Array.from({ length: Math.max(0, toWindow + 1) }, (_, window) => window));
      for (const { firstSample, channels } of windows) {
        expect([...(channels[0] ?? [])]).toEqual(Array.from({ length: shape.windowSamples }, (_, index) => firstSample + index));
        expect(channels[1]?.[0]).toBe(-firstSample);
      }
    }),
  );
});

test('a hole is never bridged: no window holds samples from both sides', () => {
  const cutter = new WindowCutter({ windowSamples: 10, hopSamples: 10 });
  const stretch = (from: number, count: number) => cutter.push(from, [Float64Array.from({ length: count }, (_, index) => from + index)]);
  expect(stretch(0, 15).map(({ window }) => window)).toEqual([0]);
  expect(stretch(17, 8)).toEqual([]); // 15 and 16 are missing, 17-24 begin inside window 1
  expect(stretch(25, 10).map(({ window }) => window)).toEqual([2]);
});

test('a repeat of what was already cut is a hole as well, and cuts the same window again', () => {
  const cutter = new WindowCutter({ windowSamples: 4, hopSamples: 4 });
  const samples = [Float64Array.of(1, 2, 3, 4)];
  expect(cutter.push(0, samples)).toEqual(cutter.push(0, samples));
});

test('with touching windows, the window at a sample is the one that holds it', () => {
  const shape = { windowSamples: 178, hopSamples: 178 };
  expect([0, 177, 178, 1000].map((sample) => windowAt(sample, shape))).toEqual([0, 0, 1, 5]);
});
