import { readFileSync } from 'node:fs';
import { recordings } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { NoExport, type PhoneBatch, PhoneExport, type PhoneOptions, TooManyPoints } from './health-auto-export.ts';
import { phoneBounds } from './phone-point.ts';

const nowUs = Date.UTC(2026, 11, 1) * 1000;
const unsynchronised = { offsetUs: 0, uncertaintyUs: 0, source: 'none' } as const;
const options: PhoneOptions = { bounds: phoneBounds(nowUs, unsynchronised), sourceKey: 'of the test', aggregation: '' };

test.each<[file: string, readings: number, rejected: Record<string, number>, more?: object]>([
  ['01-12h-nnbsp', 3, {}],
  ['04-iso', 6, {}],
  ['05-epoch', 1, {}, { repeatedInside: 2 }], // three spellings of one instant
  ['07-units', 1, {}],
  ['07b-units', 1, {}],
  [
    '07c-units',
    0,
    { 'unknown-unit': 1 },
    { ignoredMetrics: 0, ignored: [{ name: 'heart_rate', reason: 'unknown-unit: count/s', points: 1 }] },
  ],
  ['07d-units', 0, { 'unknown-unit': 1 }, { ignoredMetrics: 0, ignored: [{ name: 'heart_rate', reason: 'unknown-unit: Hz', points: 1 }] }],
  ['07e', 0, { 'unknown-unit': 1 }, { ignored: [{ name: 'heart_rate', reason: 'unknown-unit: Schläge/min', points: 1 }] }],
  ['07f', 1, {}],
  ['08-null', 1, { 'no-number': 2, 'not-an-object': 1 }],
  ['09-text', 0, { 'no-number': 2 }],
  ['10-invalid', 0, { 'not-a-reading': 2, 'out-of-range': 3 }],
  ['11-name', 1, {}],
  ['11b-name', 1, {}],
  [
    '11c-name',
    0,
    {},
    { ignored: [{ name: 'Frecuencia Cardíaca', reason: 'unsupported', points: 1 }], ignoredMetrics: 1, ignoredPoints: 1 },
  ],
  ['12-daily', 0, {}],
  ['13-two-sources', 2, {}],
  ['14-future', 1, { 'impossible-date': 4 }],
  ['16-notification', 0, {}],
  ['17-workout-v2', 1, {}],
  ['19-spo2', 1, {}],
  ['20-resting', 1, {}],
  ['21-uncommon-wrap', 1, {}],
  ['23-metrics-null', 0, {}, { notes: ['"metrics" is null: there is nothing in this export'] }],
  ['24-data-null', 0, {}, { notes: ['"data" is null: there is nothing in this export'] }],
  ['27-long-name', 0, {}, { ignored: [{ name: 'x'.repeat(64), reason: 'name-too-long', points: 1 }] }],
  ['28-badmetric-beside-good', 1, {}, { ignored: [{ name: '', reason: 'no-name', points: 0 }] }],
  ['29-units-number', 1, {}, { ignored: [{ name: 'x', reason: 'units-are-no-text', points: 0 }] }],
  ['30-data-object-beside-good', 1, {}, { ignored: [{ name: 'x', reason: 'data-is-no-list', points: 0 }] }],
  ['32-one-buddhist-year-among-30-good', 30, { 'impossible-date': 1 }],
])('%s.json gives %i readings, and says what of the rest was not taken', (file, readings, rejected, more = {}) => {
  for (const cut of [1e9, 7]) {
    const found = readText(caseOf(file), cut);
    expect(found.points).toHaveLength(readings);
    expect(found).toMatchObject({ rejected, ...more });
    if (!('ignored' in more)) expect(found.ignored).toEqual([]);
  }
});

test.each<[name: string, units: string, point: object, readings: [stream: string, value: number][]]>([
  ['heart_rate', 'count/min', { Min: 60, Avg: 61, Max: 62 }, [['heart-rate', 61]]],
  ['blood_oxygen_saturation', '%', { qty: 97 }, [['spo2', 97]]],
  ['respiratory_rate', 'count/min', { qty: 14.5 }, [['respiratory-rate', 14.5]]],
  ['body_temperature', 'degC', { qty: 36.6 }, [['body-temperature', 36.6]]],
  ['body_temperature', 'degF', { qty: 98.6 }, [['body-temperature', 37]]],
  ['body_temperature', '', { qty: 98.6, units: '°F' }, [['body-temperature', 37]]],
  ['Heart Rate Variability', 'ms', { qty: 43.2 }, [['heart-rate-variability', 43.2]]],
  ['resting_heart_rate', 'bpm', { qty: 55 }, [['resting-heart-rate', 55]]],
  [
    'blood_pressure',
    'mmHg',
    { systolic: 121, diastolic: 79 },
    [
      ['systolic-pressure', 121],
      ['diastolic-pressure', 79],
    ],
  ],
  [
    'blood_pressure',
    'kPa',
    { systolic: 16, diastolic: 10 },
    [
      ['systolic-pressure', 120.009_872],
      ['diastolic-pressure', 75.006_17],
    ],
  ],
  ['blood_pressure', 'mmHg', { systolic: 121 }, [['systolic-pressure', 121]]],
])('%s in %j, %j, becomes %j, wherever its name stands', (name, units, point, readings) => {
  const data = [{ ...point, date: '2026-11-20 08:00:00 +0100' }];
  for (const metric of [
    { name, units, data },
    { data, units, name },
  ]) {
    const found = read({ data: { metrics: [metric] } });
    const streams = found.batches.flatMap((batch) => (batch.kind === 'readings' ? [[batch.stream, batch.points[0]?.value]] : []));
    expect(streams).toEqual(readings.map(([stream, value]) => [stream, expect.closeTo(value, 6)]));
    expect(found).toMatchObject({ rejected: {}, ignored: [] });
  }
});

test.each<[name: string, units: string, bad: object, good: object, rejected: object, taken: number]>([
  ['blood_oxygen_saturation', '%', { qty: 0.97 }, { qty: 95 }, { 'out-of-range': 1 }, 1],
  ['blood_oxygen_saturation', '%', { qty: 127 }, { qty: 95 }, { 'not-a-reading': 1 }, 1],
  ['body_temperature', 'degC', { qty: 98.6 }, { qty: 37 }, { 'out-of-range': 1 }, 1],
  ['body_temperature', 'degC', { qty: 98.6, units: 'degF' }, { qty: 37 }, { 'unknown-unit': 1 }, 1], // one of the two is wrong
  ['body_temperature', '', { qty: 37, units: 'K' }, { qty: 98.6, units: 'degF' }, { 'unknown-unit': 1 }, 1],
  ['heart_rate', 'count/min', { qty: 70, units: '%' }, { qty: 70, units: 'bpm' }, { 'unknown-unit': 1 }, 1], // a unit, but of another vital
  ['heart_rate', 'count/min', { qty: 70, units: 7 }, { qty: 70 }, { 'unknown-unit': 1 }, 1],
  ['heart_rate', 'count/min', { systolic: 121 }, { qty: 70 }, { 'no-number': 1 }, 1],
  ['blood_pressure', 'mmHg', { systolic: '121', diastolic: 79 }, { systolic: 120, diastolic: 80 }, { 'no-number': 1 }, 2],
  ['blood_pressure', 'mmHg', { systolic: 900, diastolic: 79 }, { systolic: 120, diastolic: 80 }, { 'out-of-range': 1 }, 3],
  ['blood_pressure', 'mmHg', { qty: 121 }, { systolic: 120, diastolic: 80 }, { 'no-number': 1 }, 2],
])('%s in %j: %j is refused by name, and the good point beside it is taken', (name, units, bad, good, rejected, taken) => {
  const data = [bad, good].map((point, minute) => ({ ...point, date: `2026-11-20 08:0${minute}:00 +0100` }));
  for (const one of [
    { name, units, data },
    { data, units, name },
  ]) {
    const found = read({ data: { metrics: [one] } });
    expect(found.rejected).toEqual(rejected);
    expect(found.points).toHaveLength(taken);
  }
});

test('a metric in a unit nobody knows is not guessed at, and one beside it is taken', () => {
  const date = '2026-11-20 08:00:00 +0100';
  const metrics = ['K', 'constructor', 'degC'].map((units) => ({ name: 'body_temperature', units, data: [{ qty: 37, date }] }));
  const found = read({ data: { metrics } });
  expect(found.rejected).toEqual({ 'unknown-unit': 2 });
  expect(found.ignored.map(({ reason }) => reason)).toEqual(['unknown-unit: K', 'unknown-unit: constructor']);
  expect(found.points).toHaveLength(1);
});

test.each(['22-metrics-object', '25-bare-array', '26-nested'])('%s.json is no export, and nothing of it is guessed', (file) => {
  expect(() => readText(caseOf(file))).toThrow(NoExport);
});

test("a day's mean is a summary of that day, never a reading of midnight", () => {
  const { events } = readText(caseOf('12-daily'));
  expect(events).toEqual([
    {
      atUs: Date.UTC(2026, 10, 19, 23) * 1000,
      durationUs: 86_400_000_000,
      type: 'heart-rate-summary',
      text: 'mean 90.5, 59 to 180 /min',
      source: expect.stringMatching(/^[0-9a-f]{8}$/),
    },
  ]);
  const midnight = [{ Min: 59, Avg: 60, Max: 61, date: '2026-11-20 00:00:00 +0100' }];
  const minutes = [...midnight, { Min: 59, Avg: 60, Max: 61, date: '2026-11-20 00:01:00 +0100' }];
  expect(read(metric(minutes)).points).toHaveLength(2); // buckets of a minute, of which one begins at midnight
  expect(read(metric(minutes), { ...options, aggregation: 'Days' })).toMatchObject({ points: [], events: [{}, {}] });
  expect(read(metric(minutes), { ...options, aggregation: 'Minutes' }).points).toHaveLength(2);
});

test('a heart-rate notification is an event in words of ours', () => {
  const { events } = readText(caseOf('16-notification'));
  expect(events).toMatchObject([
    {
      type: 'heart-rate-notification',
      durationUs: 600_000_000,
      text: 'notification of the phone: low heart rate, threshold 45 /min, 43 /min measured',
    },
  ]);
});

test('two sources at one instant are two readings, told apart by ids that are no names', () => {
  const { batches } = readText(caseOf('13-two-sources'));
  expect(batches.map((batch) => (batch.kind === 'readings' ? batch.points.map(({ value }) => value) : []))).toEqual([[60], [75]]);
  const sources = batches.map((batch) => (batch.kind === 'readings' ? batch.source : ''));
  expect(new Set(sources).size).toBe(2);
  expect(sources.join()).toMatch(/^[0-9a-f]{8},[0-9a-f]{8}$/);
  expect(JSON.stringify(batches)).not.toMatch(/Watch|Oura/);
});

test('an export gives its heart-rate points, whatever else is in it and in whatever order its keys come', () => {
  for (const nameFirst of [true, false]) {
    const found = readText(JSON.stringify(bigExport(592, nameFirst)), 1_000);
    expect(found.points).toHaveLength(592);
    expect(found).toMatchObject({ rejected: {}, ignoredMetrics: 26, ignoredPoints: 26 * 3 });
    expect(found.points[0]?.atUs).toBeLessThan(found.points.at(-1)?.atUs ?? 0);
    expect(JSON.stringify(found)).not.toMatch(/Owner|Watch/);
  }
});

test('batches are small, and a metric that is too long for memory is refused', () => {
  const text = JSON.stringify(bigExport(2_000, false));
  expect(readText(text).batches.map((batch) => (batch.kind === 'readings' ? batch.points.length : 0))).toEqual([
    256, 256, 256, 256, 256, 256, 256, 208,
  ]);
  expect(() => readText(text, 1_000, { ...options, maxPoints: 1_000 })).toThrow(TooManyPoints);
});

test('a minimum or maximum that is no heart rate does not refuse the mean beside it', () => {
  const found = read(metric([{ Min: -1, Avg: 64, Max: 255, date: '2026-11-20 08:00:00 +0100' }]));
  expect(found.points).toMatchObject([{ value: 64, least: null, most: null }]);
  expect(found.trimmed).toBe(1);
});

test('names from a body are answered without what a terminal obeys', () => {
  const found = read({ data: { metrics: [{ name: '\u001b[2Jbad\u202e', data: [{}] }], odd: [] } });
  expect(found.ignored).toEqual([
    { name: '[2Jbad', reason: 'unsupported', points: 1 },
    { name: 'odd', reason: 'unsupported', points: 0 },
  ]);
});

test('a gateway that has lost its clock does not call the present impossible', () => {
  const bounds = phoneBounds(Date.UTC(1970, 0, 2) * 1000, unsynchronised);
  expect(read(metric([{ Avg: 60, date: '2026-11-20 08:00:00 +0100' }]), { ...options, bounds }).points).toHaveLength(1);
  const corrected = phoneBounds(Date.UTC(1970, 0, 2) * 1000, { offsetUs: nowUs, uncertaintyUs: 0, source: 'front-door' });
  expect(read(metric([{ Avg: 60, date: '2027-11-20 08:00:00 +0100' }]), { ...options, bounds: corrected }).rejected).toEqual({
    'impossible-date': 1,
  });
});

test('a point is the same whatever the order of its keys, the spelling of its date and its source', () => {
  const [a] = read(metric([{ Min: 60, Avg: 61.5, Max: 63, date: '2024-03-14 00:02:00 -0400', source: 'A|B' }])).points;
  const [b] = read(metric([{ date: '2024-03-14 05:02:00 +0100', Max: 63, source: 'B|A|B', Avg: 61.5, Min: 60 }])).points;
  expect(a).toEqual(b);
});

test('a corrected value has another digest', () => {
  const [a] = read(metric([{ Min: 60, Avg: 61, Max: 63, date: '2024-03-14 00:02:00 -0400' }])).points;
  const [b] = read(metric([{ Min: 60, Avg: 61, Max: 64, date: '2024-03-14 00:02:00 -0400' }])).points;
  expect(a?.digest).not.toBe(b?.digest);
});

test('an instant that comes twice in one export counts once, with the later values', () => {
  const found = read(
    metric([
      { Avg: 60, date: '2024-03-14 00:02:00 -0400' },
      { Avg: 70, date: '2024-03-14 00:02:00 -0400' },
    ]),
  );
  expect(found.points.map(({ value }) => value)).toEqual([70]);
  expect(found.repeatedInside).toBe(1);
});

test('lower-case names and a lone qty are understood', () => {
  expect(read(metric([{ min: 60, avg: 61, max: 62, date: '2024-03-14 00:02:00 -0400' }])).points[0]).toMatchObject({
    value: 61,
    least: 60,
    most: 62,
  });
  expect(read(metric([{ qty: 99, date: '2024-03-14 00:02:00 -0400' }])).points[0]).toMatchObject({ value: 99, least: null, most: null });
});

test('heart_rate may come twice, empty, null, without units, and without the outer data', () => {
  const point = { Avg: 60, date: '2024-03-14 00:02:00 -0400' };
  const later = { Avg: 61, date: '2024-03-14 00:03:00 -0400' };
  const metrics = [
    { name: 'heart_rate', data: [point] },
    { name: 'heart_rate', units: 'bpm', data: [later] },
    { name: 'heart_rate', units: 'count/min', data: [] },
    { name: 'heart_rate', data: null },
  ];
  expect(read({ data: { metrics, stateOfMind: [{ x: 1 }] } }).points).toHaveLength(2);
  expect(read({ metrics }).points).toHaveLength(2);
});

test.each([
  ['a text instead of a point', 'x', 'not-an-object'],
  ['a list instead of a point', [1], 'not-an-object'],
  ['no date', { Avg: 60 }, 'no-date'],
  ['a null date', { Avg: 60, date: null }, 'no-date'],
  ['a date without a time', { Avg: 60, date: '2024-03-14' }, 'unreadable-date'],
  ['no number', { date: '2024-03-14 00:02:00 -0400' }, 'no-number'],
  ['a number as text', { Avg: '60', date: '2024-03-14 00:02:00 -0400' }, 'no-number'],
  ['a minimum as text', { Min: 'NaN', Avg: 60, date: '2024-03-14 00:02:00 -0400' }, 'no-number'],
  ['a rate no heart has', { Avg: 301, date: '2024-03-14 00:02:00 -0400' }, 'out-of-range'],
  ['a minimum above the maximum', { Min: 70, Avg: 65, Max: 60, date: '2024-03-14 00:02:00 -0400' }, 'min-above-max'],
])('%s is rejected by name, and the good point beside it is taken', (_what, bad, problem) => {
  const found = read(metric([bad, { Avg: 60, date: '2024-03-14 00:05:00 -0400' }]));
  expect(found.rejected).toEqual({ [problem]: 1 });
  expect(found.points).toHaveLength(1);
});

function read(body: unknown, given = options) {
  return readText(JSON.stringify(body), 1e9, given);
}

function readText(text: string, cut = 1e9, given = options) {
  const found = new PhoneExport(given);
  const batches: PhoneBatch[] = [];
  const bytes = Buffer.from(text);
  const takeAll = (): void => {
    for (let batch = found.take(); batch !== null; batch = found.take()) batches.push(batch);
  };
  for (let at = 0; at < bytes.length; at += cut) {
    found.write(bytes.subarray(at, at + cut));
    takeAll();
  }
  found.finish();
  takeAll();
  const points = batches.flatMap((batch) => (batch.kind === 'readings' ? batch.points : []));
  const events = batches.flatMap((batch) => (batch.kind === 'events' ? batch.events.map(({ event }) => event) : []));
  return { ...found.summary, batches, points, events };
}

function metric(data: unknown[]): unknown {
  return {
    data: {
      metrics: [
        { name: 'step_count', units: 'count', data: [{ qty: 1, date: 'x' }] },
        { name: 'heart_rate', units: 'count/min', data },
      ],
    },
  };
}

/** As the app sends it: heart rate somewhere among 26 others, the owner's name in every point, keys in any order. */
function bigExport(points: number, nameFirst: boolean): unknown {
  const data = Array.from({ length: points }, (_, index) => {
    const date = `2026-11-${String(1 + Math.floor(index / 1_440)).padStart(2, '0')} ${String(Math.floor(index / 60) % 24).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}:00 +0100`;
    const source = 'Owner’s\u00a0Apple Watch';
    return index % 2 === 0 ? { Min: 60, Avg: 61.5, Max: 63, date, source } : { source, date, Max: 80, Avg: 71, Min: 70 };
  });
  const other = (index: number): object => ({ data: [{ qty: 1, date: 'x' }, { qty: 2 }, null], name: `metric_${index}`, units: 'count' });
  const heartRate = nameFirst ? { name: 'heart_rate', units: 'count/min', data } : { data, units: 'count/min', name: 'heart_rate' };
  const metrics = Array.from({ length: 27 }, (_, index) => (index === 24 ? heartRate : other(index)));
  return { data: { workouts: [], metrics } };
}

function caseOf(name: string): string {
  return readFileSync(new URL(`./cases/${name}.json`, import.meta.url), 'utf8');
}

function countsOf(batches: readonly PhoneBatch[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const batch of batches) if (batch.kind === 'readings') counts[batch.stream] = (counts[batch.stream] ?? 0) + batch.points.length;
  return counts;
}

const collection = recordings('heart-rate');

test.skipIf(!collection.here).each([
  [
    'hae-metrics-2024-03-13_15.json',
    { 'heart-rate': 592, spo2: 42, 'respiratory-rate': 81, 'heart-rate-variability': 23, 'resting-heart-rate': 2 },
  ],
  ['hae-heart-rate-small.json', { 'heart-rate': 25 }],
  ['hae-v1-metrics-and-empty-metric.json', {}],
  ['hae-sleep-analysis-aggregated-before-6.6.2.json', {}],
])('%s, which somebody really sent, gives %j', (name, counts) => {
  const found = readText(readFileSync(collection.file(name), 'utf8'));
  expect(countsOf(found.batches)).toEqual(counts);
  expect(found.rejected).toEqual({});
  expect(JSON.stringify(found)).not.toMatch(/Owner|Watch/);
});
