import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ageMs, ageSince, durationMs, formatAge, freshnessOf } from './freshness.ts';

const nowUs = 1_800_000_000_000_000;
const minute = 60_000_000;

test('with a measured offset the age is right, however wrong the clock of the gateway is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1_000 * minute, max: 1_000 * minute }),
      fc.integer({ min: 0, max: 600_000_000 }),
      (clockErrorUs, trueAgeUs) => {
        const measuredAtUs = nowUs - trueAgeUs + clockErrorUs;
        expect(ageMs({ measuredAtUs, clockOffsetUs: -clockErrorUs, receivedAtUs: nowUs - trueAgeUs }, nowUs)).toBe(trueAgeUs / 1000);
      },
    ),
  );
});

test('nothing is younger than its arrival, even when offset and clock lie together', () => {
  expect(ageMs({ measuredAtUs: nowUs + 5 * minute, clockOffsetUs: 0, receivedAtUs: nowUs - 2_000_000 }, nowUs)).toBe(2_000);
});

test('a backlog of an hour is an hour old at the moment it arrives', () => {
  const age = ageMs({ measuredAtUs: nowUs - 60 * minute, clockOffsetUs: 0, receivedAtUs: nowUs }, nowUs);
  expect(age).toBe(3_600_000);
  expect(freshnessOf('eeg', age)).toBe('hidden');
});

test('without a measured offset there is no age, and what has none is never fresh', () => {
  const age = ageMs({ measuredAtUs: nowUs, clockOffsetUs: null, receivedAtUs: nowUs }, nowUs);
  expect(age).toBeNull();
  expect(freshnessOf('eeg', age)).toBe('unknown');
  expect(formatAge(age)).toBe('?');
});

test.each([
  ['eeg', [0, 2_999], [3_000, 9_999], [10_000, 59_999], [60_000, 9e9]],
  ['heart-rate', [0, 14_999], [15_000, 59_999], [60_000, 299_999], [300_000, 9e9]],
] as const)('%s turns grey, overdue and hidden exactly at its limits', (kind, fresh, grey, overdue, hidden) => {
  for (const age of fresh) expect(freshnessOf(kind, durationMs(age))).toBe('fresh');
  for (const age of grey) expect(freshnessOf(kind, durationMs(age))).toBe('grey');
  for (const age of overdue) expect(freshnessOf(kind, durationMs(age))).toBe('overdue');
  for (const age of hidden) expect(freshnessOf(kind, durationMs(age))).toBe('hidden');
});

test('an age is at most six characters, rounded down', () => {
  expect([0, 999, 1_000, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000].map((age) => formatAge(durationMs(age)))).toEqual([
    '<1 s',
    '<1 s',
    '1 s',
    '59 s',
    '1 min',
    '59 min',
    '1 h',
    '1 d',
  ]);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 300 * 86_400_000, noNaN: true }), (age) => {
      expect(formatAge(durationMs(age)).length).toBeLessThanOrEqual(6);
    }),
  );
});

test('the age of a moment is in milliseconds, and what lies ahead is of age 0', () => {
  expect(ageSince(nowUs - 5_000_000, nowUs)).toBe(5_000);
  expect(ageSince(nowUs + 1, nowUs)).toBe(0);
});
