import { expect, test } from 'vitest';
import { aheadUs, isClockWrong } from './clock-bound.ts';

const nowUs = 1_763_800_000_000_000;
const known = (offsetUs: number, uncertaintyUs = 0) => ({ offsetUs, uncertaintyUs, source: 'front-door' }) as const;

test('a reading of the past, of now, and a little ahead has no wrong clock', () => {
  for (const atUs of [0, nowUs - 86_400_000_000, nowUs, nowUs + 10_000_000]) expect(isClockWrong(atUs, null, nowUs)).toBe(false);
  expect(aheadUs(nowUs - 5, null, nowUs)).toBe(-5);
});

test('one from further ahead has, unless the gateway is known to be ahead by as much', () => {
  const hourAheadUs = nowUs + 3_600_000_000;
  expect(isClockWrong(nowUs + 10_000_001, null, nowUs)).toBe(true);
  expect(isClockWrong(hourAheadUs, { offsetUs: 0, uncertaintyUs: 0, source: 'none' }, nowUs)).toBe(true);
  expect(isClockWrong(hourAheadUs, known(-3_600_000_000), nowUs)).toBe(false);
  expect(isClockWrong(nowUs + 3_000_000, known(3_600_000_000), nowUs)).toBe(true); // the gateway is behind, what it took in is not
});

test('the uncertainty of an offset widens the bound, never beyond twice its width', () => {
  expect(isClockWrong(nowUs + 15_000_000, known(0, 6_000_000), nowUs)).toBe(false);
  expect(isClockWrong(nowUs + 25_000_000, known(0, 3_600_000_000), nowUs)).toBe(true);
});

test('a replay has a time of its own', () => {
  expect(isClockWrong(nowUs + 3_600_000_000, { offsetUs: 0, uncertaintyUs: 0, source: 'replay' }, nowUs)).toBe(false);
});
