import fc from 'fast-check';
import { expect, test } from 'vitest';
import { squaredMagnitudes } from './fft.ts';

test('the squared magnitudes are those of the definition, for any length', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 120 }), (values) => {
      const power = squaredMagnitudes(Float64Array.from(values));
      const energy = values.reduce((sum, value) => sum + value * value, 1);
      expect(power.length).toBe(Math.floor(values.length / 2) + 1);
      for (const [bin, found] of power.entries()) {
        let re = 0;
        let im = 0;
        for (const [index, value] of values.entries()) {
          re += value * Math.cos((2 * Math.PI * bin * index) / values.length);
          im -= value * Math.sin((2 * Math.PI * bin * index) / values.length);
        }
        expect(Math.abs(found - (re * re + im * im))).toBeLessThan(1e-9 * energy * values.length);
      }
    }),
  );
});

test('the lengths in use keep their energy (Parseval)', () => {
  for (const length of [178, 696, 1024]) {
    const signal = Float64Array.from({ length }, (_, index) => ((index * 7919) % 401) - 200);
    const power = squaredMagnitudes(signal);
    const both = power.reduce((sum, value, bin) => sum + (bin === 0 || bin === length / 2 ? value : 2 * value), 0);
    expect(both / length / signal.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 12);
  }
});
