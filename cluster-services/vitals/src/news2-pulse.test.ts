import { expect, test } from 'vitest';
import { news2Pulse } from './news2-pulse.ts';

test.each([
  [30, 3],
  [40, 3],
  [41, 1],
  [50, 1],
  [51, 0],
  [90, 0],
  [91, 1],
  [110, 1],
  [111, 2],
  [130, 2],
  [131, 3],
  [220, 3],
])('a pulse of %i has %i points', (bpm, points) => {
  expect(news2Pulse(bpm)).toBe(points);
});

test('between two whole beats the rounded rate counts, as screens show it', () => {
  expect(news2Pulse(40.4)).toBe(3);
  expect(news2Pulse(40.6)).toBe(1);
});

test('no rate, and what devices write for "no contact", has no points at all', () => {
  for (const bpm of [null, 0, -1, Number.NaN, Number.POSITIVE_INFINITY]) expect(news2Pulse(bpm)).toBeNull();
});
