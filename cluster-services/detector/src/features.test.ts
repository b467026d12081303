import { readFileSync } from 'node:fs';
import { testSegments } from '@vitalwire/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { featureCount, featureNames, featuresOf, shapeFeatures, withGain } from './features.ts';

const rateHz = 173.61;
const feature = (window: ArrayLike<number>, name: string) => featuresOf(window, rateHz)[featureNames.indexOf(name)] ?? Number.NaN;
const window178 = fc.array(fc.integer({ min: -2048, max: 2047 }), { minLength: 178, maxLength: 178 });

const made = await testSegments(1);

test('four samples give what the definitions give by hand', () => {
  // 0 3 0 -3: mean 0, variance 4.5, changes 3 -3 -3 (mean -1, variance 8), second changes -6 0 (variance 9), kurtosis (81+81)/4 / 4.5².
  const window = [0, 3, 0, -3];
  expect(feature(window, 'log SD')).toBeCloseTo(Math.log(Math.sqrt(4.5)), 12);
  expect(feature(window, 'log mobility')).toBeCloseTo(Math.log(Math.sqrt(8 / 4.5)), 12);
  expect(feature(window, 'complexity')).toBeCloseTo(Math.sqrt(9 / 8) / Math.sqrt(8 / 4.5), 12);
  expect(feature(window, 'log line length')).toBeCloseTo(Math.log(3), 12);
  expect(feature(window, 'log line length, scaled')).toBeCloseTo(Math.log(3 / Math.sqrt(4.5)), 12);
  expect(feature(window, 'log kurtosis')).toBeCloseTo(Math.log(40.5 / 20.25), 12);
  expect(feature(window, 'absolute skewness')).toBe(0);
  expect(feature(window, 'log peak to peak')).toBeCloseTo(Math.log(6), 12);
  expect(feature(window, 'zero-crossing rate')).toBeCloseTo(1 / 3, 12);
});

test('a sine of amplitude A at 10 Hz has power A²/2 in the alpha band, little elsewhere, and low entropy', () => {
  const window = Array.from({ length: 178 }, (_, index) => 50 * Math.sin((2 * Math.PI * 10 * index) / rateHz));
  expect(Math.exp(feature(window, 'log power, alpha'))).toBeCloseTo(1250, -2);
  expect(Math.exp(feature(window, 'log relative power, alpha'))).toBeGreaterThan(0.98);
  expect(feature(window, 'spectral entropy')).toBeLessThan(0.4);
  expect(feature(window, 'log SD')).toBeCloseTo(Math.log(50 / Math.SQRT2), 1);
  expect(feature(window, 'zero-crossing rate')).toBeCloseTo(20 / rateHz, 1);
});

test('neither an offset nor the polarity changes anything', () => {
  fc.assert(
    fc.property(window178, fc.integer({ min: -1000, max: 1000 }), (samples, offset) => {
      const before = featuresOf(samples, rateHz);
      const after = featuresOf(
        samples.map((value) => offset - value),
        rateHz,
      );
      // A sample that is exactly the mean lies on neither side, so its crossing may be counted on the other.
      for (const [index, value] of before.entries())
        if (featureNames[index] !== 'zero-crossing rate') expect(after[index]).toBeCloseTo(value, 5);
    }),
  );
});

test('a gain moves the amplitude features by its logarithm and leaves the shape alone', () => {
  const samples = made('ictal', 1).subarray(178, 356);
  const before = featuresOf(samples, rateHz);
  const after = featuresOf(
    Float64Array.from(samples, (value) => value * 3),
    rateHz,
  );
  for (const [index, value] of before.entries()) {
    const moved = index < shapeFeatures ? 0 : (featureNames[index] ?? '').startsWith('log power') ? 2 * Math.log(3) : Math.log(3);
    expect(after[index]).toBeCloseTo(value + moved, 9);
    expect(withGain(before, Math.log(3))[index]).toBeCloseTo(value + moved, 12);
  }
});

test('any finite window gives finite numbers, a flat line too', () => {
  fc.assert(fc.property(window178, (samples) => featuresOf(samples, rateHz).every(Number.isFinite)));
  const flat = featuresOf(new Float64Array(178).fill(7), rateHz);
  expect(flat.length).toBe(featureCount);
  expect(flat.every(Number.isFinite)).toBe(true);
});

test('six synthetic windows have the features that NumPy and SciPy compute from the definitions (golden/make-features.py)', () => {
  const windows = JSON.parse(readFileSync(new URL('./golden/features.json', import.meta.url), 'utf8')) as {
    rateHz: number;
    samples: number[];
    features: Record<string, number>;
  }[];
  expect(windows.length).toBe(6);
  for (const { samples, features } of windows) {
    expect(Object.keys(features).sort()).toEqual([...featureNames].sort());
    for (const [name, value] of Object.entries(features)) expect(feature(samples, name), name).toBeCloseTo(value, 7);
  }
});

test('median deviation and rhythm are, bit for bit, what sorting and one lag after the other give', () => {
  const windows = fc.array(fc.oneof(fc.double({ min: -500, max: 500, noNaN: true }), fc.constantFrom(-20, 0, 20)), {
    minLength: 178,
    maxLength: 260,
  });
  fc.assert(
    fc.property(windows, (window) => {
      const features = featuresOf(window, 173.61);
      const feature = (name: string) => features[featureNames.indexOf(name)] ?? Number.NaN;
      const mean = window.reduce((sum, value) => sum + value, 0) / window.length;
      const centred = window.map((value) => value - mean);
      const sd = Math.max(1e-3, Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0) / window.length));
      const median = Float64Array.from(centred, Math.abs).sort()[window.length >> 1] ?? Number.NaN;
      expect(feature('log median deviation, scaled')).toBe(Math.log(Math.max(median / sd, 1e-6)));
      const energy = centred.reduce((sum, value) => sum + value ** 2, 0);
      const lags = Array.from({ length: 56 }, (_, index) => {
        const lag = 14 + index;
        const products = centred.slice(lag).reduce((sum, value, at) => sum + value * (centred[at] ?? Number.NaN), 0);
        return (products * window.length) / (window.length - lag) / Math.max(energy, 1e-3 ** 2 * window.length);
      });
      expect(feature('rhythm')).toBe(Math.max(-1, ...lags));
    }),
    { numRuns: 50 },
  );
});
