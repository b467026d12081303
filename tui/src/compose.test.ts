import type { AlarmInfo, EegChunk, PatientState } from '@vitalwire/contract';
import { verdicts } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { composeHelp, composeTexts, viewOf } from './compose.ts';
import { drawFrame } from './frame.ts';
import { layOut } from './layout.ts';
import { WallModel } from './wall-model.ts';

const nowUs = Date.UTC(2026, 10, 22, 14, 3, 7) * 1000;
const second = 1_000_000;
const look = { unicode: true, colours: 0 } as const;
const links = { storage: 'ok', frontDoor: 'ok', alarms: 'ok', registryRevision: '1' } as const;

type Detected = NonNullable<PatientState['detection']>;

function at(ageSeconds: number, clockOffsetUs: number | null = 0) {
  return { measuredAtUs: nowUs - ageSeconds * second - (clockOffsetUs ?? 0), clockOffsetUs, receivedAtUs: nowUs - ageSeconds * second };
}

function patient(
  key: string,
  {
    state = 'quiet',
    probability = 0.04,
    eegAge = 0.2,
    heart = 72,
    heartAge = 1,
    ...rest
  }: {
    state?: Detected['state'];
    probability?: number | null;
    eegAge?: number;
    heart?: number | null;
    heartAge?: number;
  } & Partial<PatientState> = {},
): PatientState {
  return {
    key,
    patient: key,
    label: `Bed ${key}`,
    devices: [`eeg-${key}`],
    eeg: {
      device: `eeg-${key}`,
      gateway: 'g1',
      recordingId: 'r',
      rate: { num: 17361, den: 100 },
      channels: 1,
      montageHash: 'a'.repeat(16),
      lane: 'durable',
      at: at(eegAge),
    },
    alarms: [],
    pauses: [],
    heartRate: heart === null ? null : { device: `hr-${key}`, kind: 'ecg', bpm: heart, at: at(heartAge) },
    detection: {
      device: `eeg-${key}`,
      channel: 0,
      state,
      verdict: state,
      probability,
      reason: null,
      modelVersion: 'bonn-1',
      modelHash: 'h',
      baseline: null,
      channelProbabilities: [],
      provisional: false,
      at: at(eegAge),
    },
    replay: null,
    ...rest,
  };
}

function wall(patients: PatientState[]): WallModel {
  const model = new WallModel(100);
  model.link = 'live';
  model.takeState({ whole: true, links, systemAlarms: [], patients });
  return model;
}

function alarm(rest: Partial<AlarmInfo> = {}): AlarmInfo {
  return {
    alarmId: '0123456789abcdef',
    device: 'eeg-1',
    condition: 'seizure',
    category: 'physiological',
    priority: 'high',
    state: 'active',
    onsetUs: nowUs - 30 * second,
    endedUs: null,
    raisedAtUs: nowUs - 25 * second,
    changedAtUs: nowUs - 25 * second,
    acknowledgedAtUs: null,
    acknowledgedBy: null,
    value: null,
    limit: null,
    channel: null,
    senders: ['alarms'],
    replay: null,
    text: 'seizure pattern in 3 of 5 windows',
    ...rest,
  };
}

const heartRateHigh = alarm({ alarmId: '1'.repeat(16), condition: 'heart-rate-high', priority: 'medium', value: 134, limit: 120 });
const noData = alarm({ alarmId: '2'.repeat(16), condition: 'no-data', category: 'technical', text: 'no EEG for 61 s' });

function rowOf(model: WallModel, name: string, width = 100): string {
  const list = drawFrame(model, width, 30, nowUs, look).map((line) => line.slice(0, layOut(viewOf(model, width, 30, nowUs)).list.width));
  return (list.find((line) => line.includes(name)) ?? '').replace(/\s+/g, ' ').trim();
}

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
  const phone = patient('2', { heartRate: { device: 'p', kind: 'phone', bpm: 55, at: at(7_200) } });
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

test('what the wall itself lacks is said in its header and never looks like a patient', () => {
  const model = wall([patient('1')]);
  const header = () => drawFrame(model, 120, 30, nowUs, look)[0] ?? '';
  expect(header()).toMatch(/VITALWIRE {2}1 patient .*● live {3}\d\d:\d\d:\d\d$/);
  model.takeState({ whole: false, links: { ...links, storage: 'down' }, systemAlarms: [], patients: [] });
  expect(header()).toContain('● live, database down');
  model.takeBehind(17, nowUs / 1000);
  expect(header()).toContain('behind, 17 chunks not shown');
  model.link = 'lost';
  expect(header()).toContain('connection lost');
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

test('without Unicode there is not one character beyond ASCII', () => {
  const model = wall([patient('1', { state: 'seizure', alarms: [alarm(), heartRateHigh] }), patient('2', { alarms: [noData] })]);
  for (const detail of [false, true]) {
    model.detail = detail;
    expect(drawFrame(model, 140, 40, nowUs, { unicode: false, colours: 0 }).join('\n')).toMatch(/^[\x20-\x7e\n]*$/);
  }
});

test('an alarm leads its row with mark and word, and the rows go by acuity: what goes on above what is over, medium, technical', () => {
  const model = wall([
    patient('1'),
    patient('2', { alarms: [noData] }),
    patient('3', { alarms: [heartRateHigh], heart: 134 }),
    patient('4', { state: 'seizure' }),
    patient('5', { alarms: [alarm({ state: 'acknowledged', acknowledgedBy: 'nurse-7', acknowledgedAtUs: nowUs })] }),
    patient('6', { alarms: [alarm({ state: 'latched' })] }),
  ]);
  expect(model.patients(nowUs).map(({ key }) => key)).toEqual(['5', '4', '6', '3', '2', '1']);
  expect(model.selected()?.key).toBe('5'); // what is worst is what the strip shows first
  const at = new Date(nowUs / 1000);
  const time = `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`;
  expect(rowOf(model, 'Bed 6', 120)).toMatch(/^\*\*\* SEIZURE over, not acknowledged ● quiet/);
  expect(rowOf(model, 'Bed 5', 120)).toContain(`*** SEIZURE ack nurse-7 ${time}`);
  expect(rowOf(model, 'Bed 3', 120)).toMatch(/^\*\* HR HIGH 134 > 120 \/min ● quiet .* 134 1 s 3$/);
  expect(rowOf(model, 'Bed 2', 120)).toMatch(/^!!! NO DATA ● quiet/);
  expect(drawFrame(model, 120, 30, nowUs, look)[0]).toContain('1 *** over, not acknowledged · 1 seizure pattern');
});

test('in a narrow list the alarm takes the place of the state word, and at 80 columns both are there', () => {
  const model = wall([patient('1', { alarms: [alarm(), noData], state: 'seizure' })]);
  expect(rowOf(model, 'Bed 1', 60)).toMatch(/^▸ \*\*\* SEIZURE NO DATA /);
  expect(rowOf(model, 'Bed 1', 80)).toMatch(/^▸ \*\*\* SEIZURE NO DATA ▲ seizure pattern 4 % Bed 1 /);
});

test('an alarm says its seizures one by one, and what nobody saw is not over', () => {
  const one = (onsetS: number, lengthS: number, end: 'over' | 'not-known' | 'recording-ended', endS: number | null) => {
    const onsetUs = nowUs - onsetS * 1e6;
    return { onsetUs, seenUntilUs: onsetUs + lengthS * 1e6, end, endUs: endS === null ? null : onsetUs + endS * 1e6, peak: 1, channel: 0 };
  };
  const shown = (episodes: NonNullable<AlarmInfo['episodes']>, state: 'active' | 'latched') => {
    const endedUs = state === 'active' ? null : nowUs;
    const model = wall([patient('1', { alarms: [alarm({ state, endedUs, episodes, text: 'words of the log' })] })]);
    const drawn = drawFrame(model, 240, 30, nowUs, look).join('\n');
    expect(drawn).not.toContain('words of the log');
    return drawn;
  };
  const three = shown([one(300, 24, 'over', 24), one(200, 26, 'over', 26), one(60, 20, 'over', 20)], 'latched');
  expect(three).toMatch(/over, not acknowledged/);
  expect(three).toMatch(/stays until acknowledged · 3 seizures since \d\d:\d\d:\d\d, longest 26 s: the last over, 20 s/);
  expect(shown([one(60, 12, 'recording-ended', 13)], 'latched')).toMatch(
    /stays until acknowledged · recording ended \d\d:\d\d:\d\d during a seizure pattern, 12 s after its onset/,
  );
  const unseen = shown([one(60, 12, 'not-known', null)], 'active');
  expect(unseen).toMatch(/seizure pattern last seen \d\d:\d\d:\d\d, 12 s after its onset; not observable since/);
  expect(shown([one(60, 12, 'not-known', 60)], 'latched')).toMatch(
    /stays until acknowledged · seizure pattern last seen .* then not observable for 48 s/,
  );
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

test('a badge flashes only while it asks for attention: not when acknowledged, paused or steady, and it never loses its word', () => {
  const tones = (of: AlarmInfo, { pauses = [], isSteady = false }: { pauses?: PatientState['pauses']; isSteady?: boolean } = {}) => {
    const seen = new Set<string>();
    for (let ms = 0; ms < 1_500; ms += 50) {
      const model = wall([patient('1', { alarms: [of], pauses })]);
      model.isSteady = isSteady;
      const atUs = nowUs + ms * 1_000;
      const layout = layOut(viewOf(model, 100, 30, atUs));
      for (const { text, tone } of composeTexts(model, layout, atUs, look).list.flat()) if (/\* SEIZURE/.test(text)) seen.add(tone);
    }
    return [...seen].sort();
  };
  expect(tones(alarm())).toEqual(['alarm-high', 'alarm-high-text']);
  expect(tones(alarm({ state: 'latched' }))).toEqual(['alarm-high', 'alarm-high-text']);
  expect(tones(alarm({ state: 'acknowledged' }))).toEqual(['alarm-high-text']);
  expect(tones(alarm(), { isSteady: true })).toEqual(['alarm-high']);
  const pause = { device: 'eeg-1', untilUs: nowUs + 60 * second, by: 'n', above: 'high' as const };
  expect(tones(alarm(), { pauses: [pause] })).toEqual(['alarm-high']);
  expect(tones(alarm(), { pauses: [{ ...pause, above: 'medium' }] })).toEqual(['alarm-high', 'alarm-high-text']);
});

test('alarms not watched is said under the header, whether the path is silent, was never heard or this screen lost its connection', () => {
  const model = wall([patient('1')]);
  const line = () => drawFrame(model, 120, 30, nowUs, look)[1] ?? '';
  expect(line()).toBe('');
  model.takeState({ whole: false, links: { ...links, alarms: 'unknown' }, systemAlarms: [], patients: [] });
  expect(line()).toContain('!!! ALARMS NOT WATCHED  the alarms service was not heard yet');
  const path = alarm({ condition: 'alarm-path', category: 'technical', device: 'web', text: 'the alarms service is silent' });
  const gateway = alarm({ condition: 'gateway-offline', category: 'technical', priority: 'medium', device: 'gateway-3' });
  model.takeState({ whole: false, links: { ...links, alarms: 'down' }, systemAlarms: [path, gateway], patients: [] });
  expect(line()).toMatch(/!!! ALARMS NOT WATCHED {2}the alarms service is silent, since \d\d:\d\d:\d\d {2}\+1 more/);
  model.takeState({ whole: false, links, systemAlarms: [], patients: [] });
  expect(line()).toBe('');
  model.takeLink('lost', nowUs);
  expect(line()).toContain('!!! ALARMS NOT WATCHED  this screen has no connection');
  model.takeLink('live', nowUs);
  expect(line()).toBe('');
});

test('the bell is for alarms that nobody answered or paused, for a silent alarm path, and for a connection lost for long', () => {
  const model = wall([
    patient('1', { alarms: [alarm({ alarmId: 'a'.repeat(16) }), heartRateHigh] }),
    patient('2', { alarms: [alarm({ alarmId: 'b'.repeat(16), state: 'acknowledged' })] }),
    patient('3', {
      alarms: [alarm({ alarmId: 'c'.repeat(16) })],
      pauses: [{ device: 'eeg-1', untilUs: nowUs + second, by: 'n', above: 'high' }],
    }),
  ]);
  const ids = (atUs: number) => model.sounding(atUs).map(({ id, pattern }) => `${id[0]} ${pattern}`);
  expect(ids(nowUs)).toEqual(['a high', '1 medium']);
  expect(ids(nowUs + second)).toEqual(['a high', '1 medium', 'c high']);
  model.takeLink('lost', nowUs);
  expect(ids(nowUs + 10 * second)).not.toContain('c technical');
  expect(model.sounding(nowUs + 11 * second).at(-1)).toMatchObject({ id: 'connection', pattern: 'technical' });
});

test.each([40, 60, 80, 100, 120, 160, 200])(
  '%i columns wide, NO DATA is never hidden behind a count, and a pause is seen while it lasts',
  (width) => {
    const pause = { device: 'eeg-1', untilUs: nowUs + 103 * second, by: 'nurse-9', above: 'medium' as const };
    const worst = [alarm(), alarm({ condition: 'heart-rate-extreme-high', alarmId: '4'.repeat(16) }), heartRateHigh];
    for (const [index] of worst.entries())
      for (const pauses of [[], [pause]]) {
        const row = rowOf(wall([patient('1', { alarms: [...worst.slice(index), noData], pauses })]), 'Bed 1', width);
        expect(row).toMatch(/ NO DATA/);
        expect(row.includes('‖')).toBe(pauses.length > 0);
      }
    const over = rowOf(wall([patient('1', { alarms: [alarm({ state: 'latched' }), noData] })]), 'Bed 1', width);
    expect(over).toMatch(/SEIZURE (over.* )?NO DATA /);
    expect(rowOf(wall([patient('1', { pauses: [pause] })]), 'Bed 1', width)).toContain('‖1:43');
    expect(rowOf(wall([patient('1', { pauses: [{ ...pause, untilUs: nowUs }] })]), 'Bed 1', width)).not.toContain('‖');
  },
);

test('a pause without an alarm, or with an acknowledged one, has a line of its own', () => {
  const pause = { device: 'eeg-1', untilUs: nowUs + 103 * second, by: 'nurse-9', above: 'medium' as const };
  const text = (alarms: AlarmInfo[]) => drawFrame(wall([patient('1', { alarms, pauses: [pause] })]), 100, 30, nowUs, look).join('\n');
  for (const alarms of [
    [],
    [alarm({ state: 'acknowledged' })],
    Array.from({ length: 9 }, () => ({ ...heartRateHigh, state: 'acknowledged' as const })),
  ])
    expect(text(alarms)).toContain('sound off ‖1:43 by nurse-9; above medium priority still sounds');
  expect(text([heartRateHigh])).not.toContain('still sounds');
});

test('the header is green only while readings arrive, and blames what is down', () => {
  const header = (model: WallModel) => drawFrame(model, 120, 30, nowUs, look)[0] ?? '';
  const tone = (model: WallModel) => {
    const layout = layOut(viewOf(model, 120, 30, nowUs));
    return composeTexts(model, layout, nowUs, look).header.find(({ text }) => text.startsWith('●'))?.tone;
  };
  const flowing = wall([patient('1'), patient('2', { eegAge: 40, heartAge: 40 })]);
  expect([header(flowing).includes('● live'), tone(flowing)]).toEqual([true, 'good']);
  const silent = wall([patient('2', { eegAge: 40, heartAge: 40 })]);
  expect(header(silent)).toContain('● nothing arrives for 40 s');
  expect(tone(silent)).toBe('bad');
  const gateway = alarm({ condition: 'gateway-offline', category: 'technical', priority: 'medium', device: 'g1' });
  silent.takeState({
    whole: false,
    links,
    systemAlarms: [gateway],
    patients: [patient('2', { eegAge: 40, heartAge: 40, alarms: [noData] })],
  });
  expect(header(silent)).toContain('● nothing arrives for 40 s, g1 is off');
  expect(rowOf(silent, 'Bed 2', 120)).toMatch(/!!! NO DATA gateway off/);
  expect(tone(wall([]))).toBe('soft');
});

test('the header counts what goes on: neither what is over nor a pattern seen long ago', () => {
  const model = wall([
    patient('1', { state: 'seizure', eegAge: 20 }),
    patient('2', { alarms: [alarm({ state: 'latched' })] }),
    patient('3', { alarms: [alarm()], state: 'seizure' }),
  ]);
  expect(drawFrame(model, 130, 30, nowUs, look)[0]).toContain('3 patients · 1 *** not acknowledged · 1 over · 1 seizure pattern ');
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

test('the page’s address stands where nothing was just done, whole where it fits, and whole on the sheet of keys', () => {
  const model = wall([patient('1')]);
  model.pageUrl = `https://127.0.0.1:40123/#token=${'t'.repeat(43)}`;
  const row = (width: number) => drawFrame(model, width, 30, nowUs, look).at(-2);
  expect(row(100)).toBe(` page ${model.pageUrl}`);
  expect(row(60)).toBe(' page https://127.0.0.1:40123/  (? whole address)');
  model.say('done', 'good', nowUs / 1000);
  expect(row(100)).toBe(' done');
  expect(composeHelp(look, model.pageUrl)).toContain(`page ${model.pageUrl}`);
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

test('what is wrong with a gateway or a database stands in the header and below it, cleaned, beside an alarm too', () => {
  const model = wall([]);
  const problems = [
    { about: 'readings', text: 'readings.sqlite is damaged: restore a backup' },
    { about: 'gateway-1', text: '\u001b[2Jthe outbox is full' },
  ];
  model.takeState({ whole: false, links: { ...links, problems }, systemAlarms: [], patients: [] });
  const rows = (width = 160): string[] => drawFrame(model, width, 24, nowUs, look);
  expect(rows()[0]).toContain('● nothing arrives, 2 problems');
  expect(rows(100)[1]).toMatch(/^ PROBLEM readings: readings\.sqlite is damaged: restore a backup {2}\+1 more/);
  expect(rows()[1]).toMatch(/restore a backup PROBLEM gateway-1: \[2Jthe outbox is full *$/);
  model.takeState({ whole: false, links: { ...links, problems: problems.slice(1) }, systemAlarms: [], patients: [] });
  expect(rows()[1]).toMatch(/^ PROBLEM gateway-1: \[2Jthe outbox is full *$/);
  const offline = alarm({ condition: 'gateway-offline', category: 'technical', device: 'gateway-1', text: 'silent' });
  model.takeState({ whole: false, links: { ...links, problems: problems.slice(1) }, systemAlarms: [offline], patients: [] });
  expect(rows()[1]).toMatch(/gateway-1: silent.* PROBLEM gateway-1: .*the outbox is full/);
  model.takeState({ whole: false, links, systemAlarms: [], patients: [] });
  expect(rows()[0]).not.toContain('problem');
});
