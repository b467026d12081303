import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bandPower, powerSpectrum } from './spectrum.ts';

/** The textbook definition, with nothing folded. */
function plainSpectrum(window: readonly number[]): number[] {
  const length = window.length;
  const mean = window.reduce((sum, value) => sum + value, 0) / length;
  return Array.from({ length: Math.floor(length / 2) + 1 }, (_, k) => {
    let re = 0;
    let im = 0;
    for (const [n, value] of window.entries()) {
      const weighted = (value - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length));
      re += weighted * Math.cos((2 * Math.PI * k * n) / length);
      im -= weighted * Math.sin((2 * Math.PI * k * n) / length);
    }
    return re * re + im * im;
  });
}

const signal = fc.array(fc.integer({ min: -2048, max: 2047 }), { minLength: 2, maxLength: 200 });

test('the folded transform equals the textbook one, for even and odd lengths', () => {
  fc.assert(
    fc.property(signal, (window) => {
      const expected = plainSpectrum(window);
      const { power } = powerSpectrum(window, 100);
      const largest = Math.max(1, ...expected);
      expect(power.length).toBe(expected.length);
      for (const [bin, value] of expected.entries())
        expect(Math.abs((power[bin] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-9 * largest);
    }),
  );
});

test('a constant added changes nothing, a factor multiplies the power by its square', () => {
  fc.assert(
    fc.property(signal, fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 2, max: 5 }), (window, offset, factor) => {
      const { power } = powerSpectrum(window, 100);
      const largest = Math.max(1, ...power);
      const moved = powerSpectrum(
        window.map((value) => value * factor + offset),
        100,
      ).power;
      for (const [bin, value] of power.entries())
        expect(Math.abs((moved[bin] ?? 0) / factor ** 2 - value)).toBeLessThanOrEqual(1e-6 * largest);
    }),
  );
});

test('a 10 Hz sine has its power at 10 Hz, whatever the band is called', () => {
  const rateHz = 173.61;
  const spectrum = powerSpectrum(
    Array.from({ length: 178 }, (_, n) => Math.sin((2 * Math.PI * 10 * n) / rateHz)),
    rateHz,
  );
  expect(bandPower(spectrum, 8, 13) / bandPower(spectrum, 0.5, 87)).toBeGreaterThan(0.99);
});

test('neighbouring bands share no bin', () => {
  const spectrum = powerSpectrum(
    Array.from({ length: 178 }, (_, n) => (n * n) % 97),
    173.61,
  );
  const parts = [bandPower(spectrum, 0.5, 4), bandPower(spectrum, 4, 8), bandPower(spectrum, 8, 87)];
  expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(bandPower(spectrum, 0.5, 87), 3);
});
