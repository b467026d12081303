import { type NumericLimits, type NumericStream, numericFacts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';

type Readings = readonly (readonly [second: number, value: number | null])[];
const usual: NumericLimits = numericFacts('heart-rate').limits.usual;

function engineWith(readings: Readings, limits = usual, stream: NumericStream = 'heart-rate') {
  const engine = new AlarmEngine({ sender: 'alarms' });
  const records = readings.flatMap(([second, value]) =>
    engine.numeric({ device: 'hr-1', stream, atUs: second * 1_000_000, value, limits, replay: null }, second * 1_000_000),
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
  engine.numeric({ device: 'hr-1', stream: 'heart-rate', atUs: 16_000_000, value: 80, limits: usual, replay: null }, 16_000_000);
  expect(engine.now().alarms).toMatchObject([{ condition: 'heart-rate-extreme-high', state: 'latched', endedUs: 16_000_000 }]);
});

test('a broken limit that nobody answers becomes urgent; answered it does not, and back inside it is over', () => {
  const { engine } = engineWith(every(8, 0, () => 130));
  expect(engine.tick(126_000_000 - 1)).toEqual([]); // raised at 6 s
  expect(engine.tick(126_000_000)).toMatchObject([
    { condition: 'heart-rate-high', transition: 'escalated', priority: 'high', state: 'active' },
  ]);
  expect(engine.tick(300_000_000)).toEqual([]);
  engine.numeric({ device: 'hr-1', stream: 'heart-rate', atUs: 300_000_000, value: 80, limits: usual, replay: null }, 300_000_000);
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

test('SpO2 has to be below its limit for ten seconds, and stands for a value that does not change', () => {
  const { usual: ofSpo2 } = numericFacts('spo2').limits;
  expect(
    engineWith(
      every(10, 0, () => 85),
      ofSpo2,
      'spo2',
    ).records,
  ).toEqual([]);
  const { engine, records } = engineWith(
    every(400, 0, () => 85),
    ofSpo2,
    'spo2',
  );
  expect(records).toMatchObject([
    { condition: 'spo2-low', transition: 'raised', priority: 'medium', value: 85, limit: 90, text: 'oxygen saturation 85, limit 90' },
  ]);
  engine.numeric({ device: 'hr-1', stream: 'spo2', atUs: 400_000_000, value: 79, limits: ofSpo2, replay: null }, 400_000_000);
  expect(engine.now().alarms).toMatchObject([{ condition: 'spo2-low', state: 'active' }]); // 79 is extreme, and has to last
});

test('one temperature beyond a limit is enough, until the next one', () => {
  const limits = { low: 35, high: 38.5, extremeDelta: null };
  const { engine, records } = engineWith([[0, 38.6]], limits, 'body-temperature');
  expect(records).toMatchObject([{ condition: 'body-temperature-high', text: 'body temperature 38.6, limit 38.5' }]);
  const later = engine.numeric(
    { device: 'hr-1', stream: 'body-temperature', atUs: 7_200_000_000, value: 37.2, limits, replay: null },
    7_200_000_000,
  );
  expect(later).toMatchObject([{ condition: 'body-temperature-high', transition: 'ended' }]);
});

test('a vital without limits raises nothing', () => {
  for (const [stream, value] of [
    ['respiratory-rate', 0],
    ['body-temperature', 41],
    ['systolic-pressure', 300],
  ] as const)
    expect(
      engineWith(
        every(60, 0, () => value),
        numericFacts(stream).limits.usual,
        stream,
      ).records,
    ).toEqual([]);
});

test('two vitals of one device are watched apart: the silence of one ends nothing of the other', () => {
  const engine = new AlarmEngine({ sender: 'alarms' });
  const spo2 = numericFacts('spo2').limits.usual;
  for (let second = 0; second < 12; second++) {
    const atUs = second * 1_000_000;
    engine.numeric({ device: 'm-1', stream: 'heart-rate', atUs, value: 130, limits: usual, replay: null }, atUs);
    engine.numeric({ device: 'm-1', stream: 'spo2', atUs, value: 85, limits: spo2, replay: null }, atUs);
  }
  expect(
    engine
      .now()
      .alarms.map(({ condition }) => condition)
      .sort(),
  ).toEqual(['heart-rate-high', 'spo2-low']);
  const silent = { holds: true, priority: 'medium', sinceUs: 12_000_000, value: 60, limit: 60, channel: null, replay: null } as const;
  engine.statement('m-1', { condition: 'no-data', aspect: 'spo2', ...silent, text: 'no oxygen saturation for 60 s' }, 72_000_000);
  expect(
    engine
      .now()
      .alarms.map(({ condition }) => condition)
      .sort(),
  ).toEqual(['heart-rate-high', 'no-data']);
});
