import { expect, test } from 'vitest';
import { filterInPlace, highPass, lowPass, notch, type Section } from './filters.ts';

const rateHz = 173.61;

/** |H| at a frequency. */
const gainAt = (sections: readonly Section[], hertz: number) => {
  const angle = (2 * Math.PI * hertz) / rateHz;
  const size = (c0: number, c1: number, c2: number) =>
    Math.hypot(c0 + c1 * Math.cos(angle) + c2 * Math.cos(2 * angle), c1 * Math.sin(angle) + c2 * Math.sin(2 * angle));
  return sections.reduce((product, { b0, b1, b2, a1, a2 }) => (product * size(b0, b1, b2)) / size(1, a1, a2), 1);
};

test('the coefficients are those of scipy.signal.butter (SciPy 1.17.1)', () => {
  const [section] = highPass(2, 0.5, rateHz);
  expect(section?.b0).toBeCloseTo(0.987285927417, 11);
  expect(section?.b1).toBeCloseTo(-1.974571854833, 11);
  expect(section?.a1).toBeCloseTo(-1.974410200658, 11);
  expect(section?.a2).toBeCloseTo(0.974733509008, 11);
  const poles = lowPass(4, 40, rateHz)
    .map(({ a1, a2 }) => [a1, a2])
    .sort((a, b) => (a[1] ?? 0) - (b[1] ?? 0));
  expect(poles[0]?.[0]).toBeCloseTo(-0.128156124492, 11);
  expect(poles[0]?.[1]).toBeCloseTo(0.043360147896, 11);
  expect(poles[1]?.[0]).toBeCloseTo(-0.178042423107, 11);
  expect(poles[1]?.[1]).toBeCloseTo(0.449500518541, 11);
});

test('a dozen samples come out as scipy.signal.sosfilt gives them from the steady state', () => {
  const filtered = filterInPlace(highPass(2, 0.5, rateHz), Float64Array.of(100, 120, 90, 80, 130, 170, 60, 40, 110, 100, 95, 140));
  const expected = [
    0, 19.745718548, -10.37814825, -19.991816748, 29.881037588, 68.611259836, -41.752166433, -60.457863895, 10.18434598, 0.055508217,
    -4.880997666, 39.67309907,
  ];
  for (const [index, value] of expected.entries()) expect(filtered[index]).toBeCloseTo(value, 7);
});

test('gains are what the names say', () => {
  for (const sections of [highPass(2, 0.5, rateHz), highPass(4, 0.5, rateHz)]) expect(gainAt(sections, 0.5)).toBeCloseTo(Math.SQRT1_2, 9);
  expect(gainAt(highPass(2, 0.5, rateHz), 10)).toBeCloseTo(1, 3);
  expect(gainAt(lowPass(4, 40, rateHz), 40)).toBeCloseTo(Math.SQRT1_2, 9);
  expect(gainAt(lowPass(4, 40, rateHz), 5)).toBeCloseTo(1, 5);
  expect(gainAt(notch(50, 10, rateHz), 50)).toBeLessThan(1e-9);
  expect(gainAt(notch(50, 10, rateHz), 40)).toBeGreaterThan(0.97);
});

test('an offset makes no transient, and an odd order is refused', () => {
  expect(Math.max(...filterInPlace(highPass(2, 0.5, rateHz), new Float64Array(500).fill(1e5)).map(Math.abs))).toBeLessThan(1e-6);
  expect(() => lowPass(3, 40, rateHz)).toThrow(/even order/);
});
