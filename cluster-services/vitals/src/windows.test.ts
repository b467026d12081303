import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstSampleOf, windowShapeFor, windowsInside } from './windows.ts';

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

test('windows are 4 s long and one begins every second, in whole samples of the recording', () => {
  expect(windowShapeFor({ num: 256, den: 1 })).toEqual({ windowSamples: 1024, hopSamples: 256 });
  expect(windowShapeFor({ num: 17_361, den: 100 })).toEqual({ windowSamples: 696, hopSamples: 174 });
  expect(windowShapeFor({ num: 1, den: 3 })).toEqual({ windowSamples: 4, hopSamples: 1 }); // never no sample at all
});
