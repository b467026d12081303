import { defaultHeartRateLimits } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';

function engineWith(readings: readonly (readonly [second: number, bpm: number | null])[], limits = defaultHeartRateLimits) {
  const engine = new AlarmEngine({ sender: 'alarms' });
  const records = readings.flatMap(([second, bpm]) =>
    engine.heartRate({ device: 'hr-1', atUs: second * 1_000_000, bpm, limits, replay: null }, second * 1_000_000),
  );
  return { engine, records };
}

const every = (seconds: number, fromS: number, bpm: (second: number) => number | null) =>
  Array.from({ length: seconds }, (_, index) => [fromS + index, bpm(index)] as const);

test('a limit has to be broken for six seconds of data time', () => {
  expect(engineWith(every(6, 0, () => 130)).records).toEqual([]);
  const { records } = engineWith(every(7, 0, () => 130));
  expect(records).toMatchObject([
    { condition: 'heart-rate-high', transition: 'raised', state: 'active', priority: 'medium', value: 130, limit: 120, onsetUs: 0 },
  ]);
});

test('a limit does not latch: back inside, the alarm has ended', () => {
  const { records, engine } = engineWith([...every(8, 0, () => 45), ...every(1, 8, () => 60)]);
  expect(records.map(({ condition, transition }) => `${condition} ${transition}`)).toEqual([
    'heart-rate-low raised',
    'heart-rate-low ended',
  ]);
  expect(engine.now().alarms).toEqual([]);
});

test('beyond the extreme limit the alarm is high, latches, and replaces the softer one', () => {
  const { engine } = engineWith([...every(8, 0, () => 130), ...every(8, 8, () => 150)]);
  expect(engine.now().alarms).toMatchObject([{ condition: 'heart-rate-extreme-high', priority: 'high', state: 'active', limit: 140 }]);
  engine.heartRate({ device: 'hr-1', atUs: 16_000_000, bpm: 80, limits: defaultHeartRateLimits, replay: null }, 16_000_000);
  expect(engine.now().alarms).toMatchObject([{ condition: 'heart-rate-extreme-high', state: 'latched', endedUs: 16_000_000 }]);
});

test('a broken limit that nobody answers becomes urgent; answered it does not, and back inside it is over', () => {
  const { engine } = engineWith(every(8, 0, () => 130));
  expect(engine.tick(126_000_000 - 1)).toEqual([]); // raised at 6 s
  expect(engine.tick(126_000_000)).toMatchObject([
    { condition: 'heart-rate-high', transition: 'escalated', priority: 'high', state: 'active' },
  ]);
  expect(engine.tick(300_000_000)).toEqual([]);
  engine.heartRate({ device: 'hr-1', atUs: 300_000_000, bpm: 80, limits: defaultHeartRateLimits, replay: null }, 300_000_000);
  expect(engine.now().alarms).toEqual([]);
  const answered = engineWith(every(8, 0, () => 130));
  answered.engine.acknowledge(answered.engine.now().alarms[0]?.alarmId ?? '', 'nurse', 10_000_000);
  expect(answered.engine.tick(130_000_000)).toEqual([]);
});

test('zero, nothing and nonsense are missing readings, never bradycardia', () => {
  for (const bpm of [0, null, Number.NaN, -1])
    expect(engineWith([...every(5, 0, () => 60), ...every(30, 5, () => bpm)]).records).toEqual([]);
});

test('a heart rate that never changes is a technical matter and not a low one', () => {
  const { engine, records } = engineWith(every(400, 0, () => 45));
  expect(records.map(({ condition, transition }) => `${condition} ${transition}`)).toEqual([
    'heart-rate-low raised',
    'poor-signal raised',
    'heart-rate-low ended',
  ]);
  expect(engine.now().alarms).toMatchObject([{ condition: 'poor-signal', category: 'technical' }]);
});

test('when readings stop, a limit alarm gives way to the technical one', () => {
  const { engine } = engineWith(every(8, 0, () => 45));
  engine.statement(
    'hr-1',
    {
      condition: 'no-data',
      aspect: 'heart-rate',
      holds: true,
      priority: 'medium',
      sinceUs: 7_000_000,
      value: 60,
      limit: 60,
      channel: null,
      replay: null,
      text: 'no heart rate for 60 s',
    },
    68_000_000,
  );
  expect(engine.now().alarms).toMatchObject([{ condition: 'no-data' }]);
});

test('older readings than the newest are history', () => {
  expect(engineWith([[100, 70], ...every(20, 0, () => 150)]).records).toEqual([]);
});

test('readings far apart do not validate each other', () => {
  expect(
    engineWith([
      [0, 150],
      [120, 150],
    ]).records,
  ).toEqual([]);
});

test('a limit that was taken away raises nothing', () => {
  expect(
    engineWith(
      every(20, 0, () => 150),
      { low: 50, high: null, extremeDelta: 20 },
    ).records,
  ).toEqual([]);
});
