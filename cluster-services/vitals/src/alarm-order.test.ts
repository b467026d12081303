import type { AlarmInfo, AlarmPause } from '@vitalwire/contract';
import { alarmConditions, alarmPriorities } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acuity, acuityClass, compareAlarms, formatCountdown, isFlashOn, isSignalling, pauseOf } from './alarm-order.ts';
import { alarmMeasure, alarmWord } from './alarm-words.ts';

const nowUs = 1_800_000_000_000_000;

function alarm(rest: Partial<AlarmInfo> = {}): AlarmInfo {
  return {
    alarmId: '0123456789abcdef',
    device: 'd1',
    condition: 'seizure',
    category: 'physiological',
    priority: 'high',
    state: 'active',
    onsetUs: nowUs,
    endedUs: null,
    raisedAtUs: nowUs,
    changedAtUs: nowUs,
    acknowledgedAtUs: null,
    acknowledgedBy: null,
    value: null,
    limit: null,
    channel: null,
    senders: ['alarms'],
    replay: null,
    text: '',
    ...rest,
  };
}

const high = alarm();
const acknowledged = alarm({ state: 'acknowledged' });
const latched = alarm({ state: 'latched' });
const medium = alarm({ condition: 'heart-rate-high', priority: 'medium' });
const technical = alarm({ condition: 'no-data', category: 'technical', priority: 'high' });
const low = alarm({ priority: 'low' });

test('acuity: what goes on stands above what is over: active, acknowledged, unalarmed pattern, latched, medium, technical, low, stable', () => {
  expect([high, acknowledged, latched, medium, technical, low].map((one) => acuityClass([one]))).toEqual([0, 1, 3, 4, 5, 6]);
  expect(acuityClass([latched, medium])).toBe(acuity.latchedHigh);
  expect(acuityClass([latched, acknowledged])).toBe(acuity.acknowledgedHigh);
  expect(acuityClass([latched], true)).toBe(acuity.seizurePattern);
  expect(acuityClass([medium, technical], true)).toBe(acuity.seizurePattern);
  expect(acuityClass([])).toBe(acuity.stable);
});

test('sorted worst first, whatever the order they come in', () => {
  const worstFirst = [
    alarm({ alarmId: '1'.repeat(16) }),
    alarm({ alarmId: '2'.repeat(16), state: 'acknowledged' }),
    alarm({ alarmId: '8'.repeat(16), state: 'latched' }),
    alarm({ alarmId: '3'.repeat(16), priority: 'medium', condition: 'heart-rate-low' }),
    alarm({ alarmId: '4'.repeat(16), priority: 'medium', condition: 'heart-rate-low', state: 'acknowledged' }),
    alarm({ alarmId: '5'.repeat(16), category: 'technical', condition: 'no-data' }),
    alarm({ alarmId: '6'.repeat(16), category: 'technical', condition: 'lead-off', priority: 'medium' }),
    alarm({ alarmId: '7'.repeat(16), priority: 'low' }),
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(worstFirst, { minLength: worstFirst.length }), (shuffled) => {
      expect(shuffled.toSorted(compareAlarms).map(({ alarmId }) => alarmId)).toEqual(worstFirst.map(({ alarmId }) => alarmId));
    }),
  );
});

test('a pause silences its device up to the priority it names and until its end; a higher one breaks through', () => {
  const pause: AlarmPause = { device: 'd1', untilUs: nowUs + 1, by: 'n', above: 'medium' };
  expect(isSignalling(medium, [pause], nowUs)).toBe(false);
  expect(isSignalling(high, [pause], nowUs)).toBe(true);
  expect(isSignalling(medium, [pause], nowUs + 1)).toBe(true);
  expect(isSignalling(medium, [{ ...pause, device: 'd2' }], nowUs)).toBe(true);
  expect(pauseOf(high, [{ ...pause, above: 'high' }], nowUs)?.by).toBe('n');
  expect(isSignalling(acknowledged, [], nowUs)).toBe(false);
  expect(isSignalling(latched, [], nowUs)).toBe(true);
});

test('a badge flashes at most twice a second; technical and low ones never', () => {
  for (const one of [high, medium, technical, low]) {
    let changes = 0;
    for (let ms = 1; ms < 3_000; ms += 1) if (isFlashOn(one, ms) !== isFlashOn(one, ms - 1)) changes += 1;
    expect(changes / 2 / 3).toBeLessThanOrEqual(2); // a flash is on and off again
    expect(changes > 0).toBe(one === high || one === medium);
  }
});

test('a countdown never shows more than a whole second too much and ends at 0:00', () => {
  expect(formatCountdown(nowUs + 120_000_000, nowUs)).toBe('2:00');
  expect(formatCountdown(nowUs + 59_000_001, nowUs)).toBe('1:00');
  expect(formatCountdown(nowUs + 1, nowUs)).toBe('0:01');
  expect(formatCountdown(nowUs, nowUs)).toBe('0:00');
  expect(formatCountdown(nowUs - 1e9, nowUs)).toBe('0:00');
});

test('every condition and priority has a mark and a word of its own, and technical ones never look physiological', () => {
  const seen = new Set<string>();
  for (const condition of alarmConditions) seen.add(alarmWord({ condition, category: 'physiological', priority: 'high' }).word);
  expect(seen.size).toBe(alarmConditions.length);
  const marks = alarmPriorities.flatMap((priority) => [
    alarmWord({ condition: 'seizure', category: 'physiological', priority }).mark,
    alarmWord({ condition: 'no-data', category: 'technical', priority }).mark,
  ]);
  expect(marks).toEqual(['*', '!', '**', '!!', '***', '!!!']);
  expect(alarmWord(technical).key).toBe('alarm-technical');
});

test('a heart rate is shown with the limit it broke; what was not measured shows nothing', () => {
  expect(alarmMeasure({ condition: 'heart-rate-high', value: 134.2, limit: 120 })).toBe('134 > 120 /min');
  expect(alarmMeasure({ condition: 'heart-rate-extreme-low', value: 28, limit: 30 })).toBe('28 < 30 /min');
  expect(alarmMeasure({ condition: 'heart-rate-low', value: null, limit: 50 })).toBe('');
  expect(alarmMeasure({ condition: 'seizure', value: 0.97, limit: 0.8 })).toBe('');
});
