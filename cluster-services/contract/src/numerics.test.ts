import { expect, test } from 'vitest';
import { conditionNumbers } from './messages.ts';
import { conditionOf, conversionFrom, noReadingReason, numericConditionOf, numericFacts, numericStreams, numericText } from './numerics.ts';
import { dataStreamNumbers, formatTopic, streamNumbers, streams, topicFits } from './topics.ts';

test.each(numericStreams)('%s has a number nobody else has, a topic, and facts that agree', (stream) => {
  const { number, least, most, limits, phone, unit } = numericFacts(stream);
  expect(number === 2 || (number >= 10 && number <= 57)).toBe(true);
  expect(streams.filter((one) => streamNumbers[one] === number)).toEqual([stream]);
  expect(Object.values(dataStreamNumbers).filter((one) => one === dataStreamNumbers[stream])).toHaveLength(1);
  expect(stream).toMatch(/^[a-z][a-z0-9-]{1,22}$/);
  expect(topicFits('gateway-1', 'device-1', stream)).toBe(true);
  expect(formatTopic('gateway-1', 'device-1', stream, true)).toContain(`/${stream}/live`);
  expect(new TextEncoder().encode(unit).length).toBeLessThanOrEqual(16);
  expect(least).toBeLessThan(most);
  for (const [from, to] of [limits.low, limits.high, limits.extremeDelta]) expect(from).toBeLessThan(to);
  for (const [value, [from, to]] of [
    [limits.usual.low, limits.low],
    [limits.usual.high, limits.high],
    [limits.usual.extremeDelta, limits.extremeDelta],
  ] as const)
    if (value !== null) expect(value >= from && value <= to).toBe(true);
  if (phone !== null) expect(phone.least >= least && phone.most <= most).toBe(true);
  for (const name of Object.keys(phone?.units ?? {})) expect(name).toBe(name.toLowerCase().replaceAll(/\s/g, ''));
});

test('a number that is a code for nothing, or that nothing can have, is no reading; whether one is plausible is not asked', () => {
  expect(noReadingReason('heart-rate', 0)).toBe('not-a-reading');
  expect(noReadingReason('heart-rate', 255)).toBe('not-a-reading');
  expect(noReadingReason('heart-rate', 299)).toBeNull();
  expect(noReadingReason('heart-rate-variability', 255)).toBeNull(); // milliseconds
  expect(noReadingReason('respiratory-rate', 0)).toBeNull(); // no breath at all
  expect(noReadingReason('spo2', 45)).toBeNull();
  expect(noReadingReason('spo2', 101)).toBe('out-of-range');
  expect(noReadingReason('spo2', 127)).toBe('not-a-reading');
  expect(noReadingReason('body-temperature', null)).toBe('no-number');
  expect(noReadingReason('body-temperature', Number.NaN)).toBe('no-number');
  expect(numericText('body-temperature', 36.66)).toBe('36.7');
});

test('conditions name their vital and side, also where one name begins like another', () => {
  for (const stream of numericStreams)
    for (const side of ['high', 'low', 'extreme-high', 'extreme-low'] as const) {
      expect(numericConditionOf(conditionOf(stream, side))).toEqual({ stream, side });
      expect(conditionNumbers[conditionOf(stream, side)]).toBeTypeOf('number');
    }
  expect(numericConditionOf('seizure')).toBeNull();
  expect(conditionNumbers['heart-rate-high']).toBe(1); // as before there were rows
});

test('a number in another unit becomes one in the own, as it is said; a unit that is none of the vital becomes nothing', () => {
  expect(conversionFrom('body-temperature', '')).toEqual({ plus: 0, times: 1 });
  expect(conversionFrom('body-temperature', ' °C ')).toEqual({ plus: 0, times: 1 });
  const { plus, times } = conversionFrom('body-temperature', 'degF') ?? { plus: 0, times: 0 };
  expect((98.6 + plus) * times).toBeCloseTo(37);
  expect(conversionFrom('heart-rate', 'count\\/min')).toEqual({ plus: 0, times: 1 }); // as some bridges escape it
  for (const units of ['K', '%', 'constructor', '__proto__']) expect(conversionFrom('body-temperature', units), units).toBeNull();
});
