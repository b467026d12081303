import { type NumericState, numericFacts, numericStreams } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { durationMs, freshnessOf } from './freshness.ts';
import { rulesOf } from './numeric-rules.ts';
import { shownNumeric, shownNumerics } from './numeric-words.ts';

const NOW = 1_800_000_000_000_000;
const one = (stream: NumericState['stream'], value: number, agoS = 1, kind: NumericState['kind'] = 'sensor'): NumericState => {
  const measuredAtUs = NOW - agoS * 1_000_000;
  return { stream, device: 'd', kind, value, at: { measuredAtUs, clockOffsetUs: 0, receivedAtUs: measuredAtUs } };
};

test.each(numericStreams)('the rules of %s agree with its facts', (stream) => {
  const { freshness, silence, validationUs } = rulesOf(stream);
  expect(silence === null).toBe(numericFacts(stream).isSpot);
  expect(freshness.grey).toBeLessThan(freshness.overdue);
  expect(freshness.overdue).toBeLessThan(freshness.hidden);
  if (silence !== null) expect(silence.silentMs).toBe(freshness.overdue); // greyed and told of as one
  expect(validationUs === 0).toBe(numericFacts(stream).isSpot);
});

test('a temperature of an hour ago is old, a heart rate of an hour ago is not shown', () => {
  expect(freshnessOf('body-temperature', durationMs(3_600_000))).toBe('overdue');
  expect(freshnessOf('heart-rate', durationMs(3_600_000))).toBe('hidden');
});

test('vitals are shown in the order of their table, with their unit and decimals; what only a phone exported comes behind what is live', () => {
  const shown = shownNumerics(
    { numerics: [one('heart-rate', 61, 7_200, 'phone'), one('spo2', 97.4), one('body-temperature', 36.66)] },
    NOW,
  );
  expect(shown.map(({ short, value, unit, isHistory }) => [short, value, unit, isHistory])).toEqual([
    ['SpO2', '97', '%', false],
    ['HR', '--', '/min', true],
    ['TEMP', '36.7', '°C', false],
  ]);
});

test('an old value is hidden, never zero, and only a live one has points of NEWS2', () => {
  expect(shownNumeric(one('heart-rate', 135), NOW).news2).toEqual({ name: 'pulse', points: 3 });
  expect(shownNumeric(one('heart-rate', 135, 20), NOW)).toMatchObject({ value: '135', freshness: 'grey', news2: null });
  expect(shownNumeric(one('heart-rate', 135, 600), NOW)).toMatchObject({ value: '--', freshness: 'hidden' });
  expect(shownNumeric(one('spo2', 97), NOW).news2).toBeNull();
});
