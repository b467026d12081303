import type { EegChunk } from '@vitalwire/contract';
import { verdicts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { drawFrame } from './frame.ts';
import { alarm, at, heartRateHigh, links, look, noData, nowUs, patient, rowOf, second, wall } from './test-frames.ts';

test('a row leads with the state word, then probability, patient, ages and heart rate', () => {
  const model = wall([patient('1', { state: 'seizure', probability: 0.968, replay: { speed: 1, source: 'Bonn' } })]);
  expect(rowOf(model, 'Bed 1')).toBe('▸ ▲ seizure pattern 97 % Bed 1 <1 s 72 1 s REPLAY');
});

test.each([
  ['seizure', '▲ seizure pattern'],
  ['quiet', '● quiet'],
  ['unsure', '◆ unsure'],
  ['not-scorable', '✕ not scorable'],
  ['calibrating', '○ calibrating'],
] as const)('%s has its word and its symbol', (state, words) => {
  expect(rowOf(wall([patient('1', { state })]), 'Bed 1')).toContain(words);
});

test('old values: the age is always there, the state becomes no data after 60 s, the heart rate -- after 5 min', () => {
  const model = wall([patient('1', { eegAge: 59, heartAge: 299 }), patient('2', { eegAge: 60, heartAge: 300 })]);
  expect(rowOf(model, 'Bed 1')).toBe('▸ [● quiet] 59 s [4] Bed 1 59 s [72] 4 min');
  expect(rowOf(model, 'Bed 2')).toBe('– no data -- Bed 2 1 min -- 5 min');
});

test.each([40, 60, 80, 100, 131, 160, 200])(
  'at %i columns and without any colour an old state cannot pass for a live one: age and brackets',
  (width) => {
    for (const state of verdicts)
      for (const age of [0, 2, 3, 12, 59]) {
        const row = rowOf(wall([patient('1', { state, eegAge: age, heartAge: age })]), 'Bed 1', width).replace(/Bed 1.*/, '');
        if (age > 2) expect(row).toMatch(new RegExp(`\\[. [a-z .]+\\] ${age} s (\\[4\\]|--)`));
        else expect(row).not.toMatch(/\[|\d s/);
      }
  },
);

test('EEG that arrives and is not judged says so, and "no data" is kept for where none arrives', () => {
  expect(rowOf(wall([patient('1', { detection: null })]), 'Bed 1')).toBe('▸ □ not judged -- Bed 1 <1 s 72 1 s');
  const late = patient('2');
  const detection = late.detection && { ...late.detection, at: at(70) };
  expect(rowOf(wall([{ ...late, detection }]), 'Bed 2')).toContain('□ not judged -- Bed 2 <1 s');
  expect(drawFrame(wall([{ ...late, detection }]), 100, 30, nowUs, look).join('\n')).toContain('last judged 1 min ago');
});

test('"quiet 99 %" cannot be shown: the number is the vote’s', () => {
  const one = patient('1', { probability: 0.99 });
  const row = rowOf(wall([{ ...one, detection: one.detection && { ...one.detection, stateProbability: 0.04 } }]), 'Bed 1');
  expect(row).toContain('● quiet 4 % Bed 1');
});

test('missing is --, never 0; a phone export is history without a live value; no measured clock is no age', () => {
  const nothing = patient('1', { heart: null, detection: null, eeg: null });
  expect(rowOf(wall([nothing]), 'Bed 1')).toBe('▸ – no data -- Bed 1 -- --');
  const phone = patient('2', { numerics: [{ stream: 'heart-rate', device: 'p', kind: 'phone', value: 55, at: at(7_200) }] });
  expect(rowOf(wall([phone]), 'Bed 2')).toMatch(/-- 2 h$/);
  const unknown = patient('3');
  const clockless = { ...unknown, eeg: unknown.eeg && { ...unknown.eeg, at: at(0, null) } };
  expect(rowOf(wall([clockless]), 'Bed 3')).toContain('Bed 3 ? ');
});

test('no model is ever certain: 0 and 1 are shown as 1 % and 99 %', () => {
  expect(rowOf(wall([patient('1', { probability: 0 })]), 'Bed 1')).toContain(' 1 %');
  expect(rowOf(wall([patient('1', { probability: 1 })]), 'Bed 1')).toContain(' 99 %');
});

test('seizure patterns come first, the others keep the order of the registry, the selection stays with its patient', () => {
  const model = wall([patient('1'), patient('2'), patient('3')]);
  const names = () => model.patients(nowUs).map(({ key }) => key);
  model.select('2');
  model.takeState({ whole: false, links, systemAlarms: [], patients: [patient('3', { state: 'seizure' })] });
  expect(names()).toEqual(['3', '1', '2']);
  expect(model.selected()?.key).toBe('2');
  model.takeState({ whole: false, links, systemAlarms: [], patients: [patient('3')] });
  expect(names()).toEqual(['1', '2', '3']);
  expect(drawFrame(model, 100, 30, nowUs, look)[0]).not.toContain('seizure');
});

test('every frame is exactly as large as asked, from 40x10 to 200x60, and the label is always on it', () => {
  const alarms = [alarm({ text: 'x'.repeat(200) }), heartRateHigh, noData, noData, noData, noData];
  const model = wall(Array.from({ length: 40 }, (_, index) => patient(`${index}`, { alarms: index % 2 === 0 ? alarms : [] })));
  for (const detail of [false, true]) {
    model.detail = detail;
    for (const [width, height] of [
      [40, 10],
      [60, 15],
      [80, 24],
      [100, 30],
      [131, 40],
      [132, 40],
      [200, 60],
    ] as const) {
      const frame = drawFrame(model, width, height, nowUs, look);
      expect(frame).toHaveLength(height);
      for (const line of frame) expect(line.length).toBeLessThanOrEqual(width);
      expect(frame.at(-1)).toContain('Research and education software. Not a'.slice(0, width - 4));
    }
  }
});

test('more patients than rows: the selected one is always in sight, and the rest is counted', () => {
  const model = wall(Array.from({ length: 40 }, (_, index) => patient(`${index + 100}`)));
  for (const key of ['100', '120', '139']) {
    model.select(key);
    const frame = drawFrame(model, 80, 24, nowUs, look);
    expect(frame.some((line) => line.startsWith('▸') && line.includes(`Bed ${key}`))).toBe(true);
    expect(frame.some((line) => /more (above|below)/.test(line))).toBe(true);
  }
});

test('what comes from outside cannot move the cursor, colour the screen or shift a column', () => {
  const evil = patient('1', { label: '\u001b[2J{red-bg}漢字\u202e\u0000Bed\u0301' });
  const frame = drawFrame(wall([evil]), 100, 30, nowUs, look).join('\n');
  const unsafe = [...frame].filter(
    (character) =>
      character !== '\n' && (character < ' ' || (character >= '\u007f' && character < '\u00a0') || '\u202e\u0301'.includes(character)),
  );
  expect(unsafe).toEqual([]);
  expect(frame).toContain('[2J{red-bg}··Bed');
});

test('the strip draws physical units once the scale is known, and says counts until then', () => {
  const model = wall([patient('1')]);
  const chunk: EegChunk = {
    stream: 'eeg',
    recordingId: 'r',
    seq: 0,
    measuredAtUs: nowUs - second,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'front-door' },
    firstSample: 0,
    channels: 1,
    samplesPerChannel: 100,
    rate: { num: 100, den: 1 },
    montageHash: 'a'.repeat(16),
    sampleBits: 16,
    codec: 0,
    crc32: 0,
    samples: Int16Array.from({ length: 100 }, (_, index) => Math.round(1_000 * Math.sin(index / 5))),
  };
  expect(model.takeChunk(chunk, { shard: 0, gateway: 'g1', device: 'eeg-1', stream: 'eeg', live: false }, 0)).toBe(true);
  expect(drawFrame(model, 100, 30, nowUs, look).join('\n')).toContain('±1000 counts');
  model.trace.useScales('a'.repeat(16), [
    { label: 'Fp1', unit: 'uV', digitalMin: -1_000, digitalMax: 1_000, physicalMin: -100, physicalMax: 100, reference: '' },
  ]);
  expect(drawFrame(model, 100, 30, nowUs, look).join('\n')).toContain('Fp1 · ±100 uV, negative up');
  expect(model.takeChunk(chunk, { shard: 0, gateway: 'g1', device: 'eeg-2', stream: 'eeg', live: false }, 0)).toBe(false);
});

const vital = (stream: 'heart-rate' | 'spo2' | 'body-temperature', value: number, ageS: number, kind: 'sensor' | 'phone' = 'sensor') => ({
  stream,
  device: 'm-1',
  kind,
  value,
  at: at(ageS),
});

test('the vitals of the selected patient that have no column stand in a line of their own, each with its age', () => {
  const numerics = [vital('heart-rate', 71, 1), vital('spo2', 97.4, 2), vital('body-temperature', 36.66, 1_200)];
  const model = wall([patient('1', { numerics })]);
  const lines = drawFrame(model, 100, 30, nowUs, look).join('\n');
  expect(lines).toContain('SpO2 97 %, 2 s old · TEMP [36.7] °C, 20 min old');
  expect(lines).toContain('gateway'); // the other facts have kept their places
  const history = wall([patient('1', { numerics: [vital('spo2', 97, 2, 'phone')] })]);
  expect(drawFrame(history, 100, 30, nowUs, look).join('\n')).toContain('SpO2 -- %, 2 s old');
  const heartOnly = wall([patient('1', { numerics: [vital('heart-rate', 71, 1)] })]);
  expect(drawFrame(heartOnly, 100, 30, nowUs, look).join('\n')).not.toContain('s old · TEMP');
});

test('without Unicode there is not one character beyond ASCII', () => {
  const tooWarm = alarm({ alarmId: '3'.repeat(16), condition: 'body-temperature-high', priority: 'medium', value: 39.1, limit: 38.5 });
  const model = wall([
    patient('1', { state: 'seizure', alarms: [alarm(), heartRateHigh, tooWarm], numerics: [vital('body-temperature', 39.1, 5)] }),
    patient('2', { alarms: [noData] }),
  ]);
  for (const detail of [false, true]) {
    model.detail = detail;
    expect(drawFrame(model, 140, 40, nowUs, { unicode: false, colours: 0 }).join('\n')).toMatch(/^[\x20-\x7e\n]*$/);
  }
});

test('the selected patient has a line per alarm: since when, who acknowledged it and when, what was measured', () => {
  const pause = { device: 'eeg-1', untilUs: nowUs + 103 * second, by: 'nurse-9', above: 'medium' as const };
  const model = wall([
    patient('1', {
      alarms: [alarm({ state: 'acknowledged', acknowledgedBy: 'nurse-7', acknowledgedAtUs: nowUs }), heartRateHigh, noData],
      pauses: [pause],
    }),
  ]);
  const text = drawFrame(model, 130, 40, nowUs, look).join('\n');
  expect(text).toMatch(/\*\*\* SEIZURE +acknowledged by nurse-7 \d\d:\d\d:\d\d · since \d\d:\d\d:\d\d \(30 s\)/);
  expect(text).toMatch(/\*\* {2}HR HIGH +134 > 120 \/min · not acknowledged · sound off 1:43 by nurse-9/);
  expect(text).toMatch(/!!! NO DATA +not acknowledged/);
});

test('a wide list keeps the whole name of a patient', () => {
  const name = 'Room 214, window bed';
  const model = wall([patient('1', { label: name, alarms: [alarm(), heartRateHigh] })]);
  for (const [width, kept] of [
    [200, 20],
    [160, 17],
    [80, 11],
  ] as const)
    expect(rowOf(model, name.slice(0, 9), width)).toContain(name.slice(0, kept));
});

test('a name that has no room keeps what tells it from its neighbours', () => {
  const names = ['Synthetic 10', 'Synthetic 11', 'Synthetic 12'];
  const model = wall(names.map((label, index) => patient(String(index), { label })));
  for (const width of [60, 80]) {
    const rows = drawFrame(model, width, 24, nowUs, look);
    for (const end of ['10', '11', '12']) expect(rows.filter((row) => row.includes('quiet') && row.includes(` ${end} `))).toHaveLength(1);
  }
});

test('two patients of one name are told apart in their rows, also when only one of them changes', () => {
  const model = wall([patient('p1', { label: 'Anna' }), patient('p2', { label: 'Anna' })]);
  model.takeState({ whole: false, links, systemAlarms: [], patients: [patient('p2', { label: 'Anna', heart: 91 })] });
  for (const width of [80, 120]) {
    const rows = drawFrame(model, width, 24, nowUs, look);
    for (const id of ['p1', 'p2'])
      expect(
        rows.filter((row) => row.includes('quiet') && row.includes(` ${id} `)),
        `${width}`,
      ).toHaveLength(1);
  }
});

test.each([60, 72, 80, 88, 100])('at %i columns nothing runs into its neighbour, and what is cut says so', (width) => {
  const over = alarm({ state: 'latched', endedUs: nowUs, text: 'seizure pattern over, 26 s from first to last window' });
  const patients = Array.from({ length: 12 }, (_, index) => patient(String(index), { alarms: [over] }));
  const model = wall(patients);
  const rows = drawFrame(model, width, 24, nowUs, look);
  expect(rows[0]).toMatch(width < 72 ? / ● live/ : / BELL ON {3}● live/);
  if (width >= 80) expect(rows[0]).toContain('12 *** over, not ack');
  const told = rows.find((row) => row.includes('stays until acknowledged')) ?? '';
  expect(told.trimEnd()).toMatch(/~$|window$/);
});

test.each([
  [130, 'seizure pattern/4s'],
  [80, 'seizure/4s'],
])('%i characters wide, a row says how seldom a patient is judged under overload', (width, words) => {
  const one = patient('1', { state: 'seizure' });
  const seldom = { ...one, detection: one.detection && { ...one.detection, everyS: 4 } };
  expect(drawFrame(wall([one]), width, 40, nowUs, look).join('\n')).not.toContain(words);
  const text = drawFrame(wall([seldom]), width, 40, nowUs, look).join('\n');
  expect(text).toContain(words);
  expect(text).toContain('judged every 4 s only');
});

test('a detection says which channels were highest and that a population baseline is less certain; the pulse component stands by', () => {
  const one = patient('1', { heart: 134 });
  const detection = one.detection && { ...one.detection, baseline: 'population' as const, channelProbabilities: [0.1, 0.93, null, 0.4] };
  const text = drawFrame(wall([{ ...one, detection }]), 130, 40, nowUs, look).join('\n');
  expect(text).toContain('baseline: population, less certain');
  expect(text).toContain('NEWS2 pulse component 3 · highest: channel 2 93 %, channel 4 40 %, channel 1 10 %');
  expect(text).not.toMatch(/NEWS2 score/i);
});
