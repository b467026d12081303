import type { AlarmInfo, Ledger, PatientState, Recordings, WallState } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import type { StoredTruth } from './stored-truth.ts';
import { TruthWatch } from './truth-watch.ts';
import { oldestMs, rowsOf } from './wall-frame.ts';

// The test of the test: every kind of falsehood is told, and what is true is not.

const NOW = 1_700_000_000_000; // ms
const at = (agoMs: number, shownAgoMs = agoMs) => ({
  measuredAtUs: (NOW - agoMs) * 1000,
  clockOffsetUs: (agoMs - shownAgoMs) * 1000,
  receivedAtUs: NOW * 1000,
});
const alarm: AlarmInfo = {
  alarmId: '0123456789abcdef',
  device: 'a-eeg',
  condition: 'seizure',
  category: 'physiological',
  priority: 'high',
  state: 'active',
  onsetUs: (NOW - 30_000) * 1000,
  endedUs: null,
  raisedAtUs: (NOW - 20_000) * 1000,
  changedAtUs: (NOW - 20_000) * 1000,
  acknowledgedAtUs: null,
  acknowledgedBy: null,
  value: null,
  limit: null,
  channel: null,
  senders: ['alarms'],
  replay: { speed: 1, source: 'synthetic-1' },
  text: '',
  episodes: [{ onsetUs: (NOW - 30_000) * 1000, seenUntilUs: (NOW - 2_000) * 1000, end: 'goes-on', endUs: null, peak: 1, channel: 0 }],
};
const patient: PatientState = {
  key: 'a',
  patient: 'a',
  label: 'Bed A',
  devices: ['a-eeg', 'a-hr'],
  eeg: {
    device: 'a-eeg',
    gateway: 'g',
    recordingId: 'r',
    rate: { num: 256, den: 1 },
    channels: 2,
    montageHash: 'm',
    lane: 'durable',
    at: at(300),
  },
  numerics: [{ stream: 'heart-rate', device: 'a-hr', kind: 'ecg', value: 72, at: at(900) }],
  detection: {
    device: 'a-eeg',
    channel: 0,
    state: 'quiet',
    verdict: 'quiet',
    probability: 0.03,
    reason: null,
    modelVersion: '1',
    modelHash: 'h',
    baseline: 'own',
    channelProbabilities: [],
    provisional: false,
    at: at(1_000),
  },
  alarms: [alarm],
  pauses: [],
  replay: { speed: 1, source: 'synthetic-1' },
};
const recording: Recordings['recordings'][number] = {
  recordingId: 'r',
  gateway: 'g',
  device: 'a-eeg',
  patient: 'a',
  stream: 'eeg',
  rate: { num: 256, den: 1 },
  channels: [],
  startedAtUs: 0,
  endedAtUs: null,
  open: true,
  lastSeq: null,
  storedChunks: 1,
  firstSeq: 0,
  maxSeq: 0,
  predecessor: null,
  captureId: null,
  captureFirstSample: null,
  replay: { speed: 1, source: 'synthetic-1' },
  source: null,
  montageHash: null,
};
const window = (agoMs: number, verdict: 'quiet' | 'seizure' = 'quiet', probability = 0.03) => ({
  verdict,
  probability,
  window: 100 - agoMs / 1000,
  endUs: (NOW - agoMs) * 1000,
});
const stored: StoredTruth = {
  recordings: [recording, { ...recording, recordingId: 'h', device: 'a-hr', stream: 'heart-rate' }],
  eegEndsUs: new Map([['r', [(NOW - 300) * 1000]]]),
  readings: new Map([['a-hr heart-rate', [{ atUs: (NOW - 900) * 1000, value: 72 }]]]),
  windows: new Map([['a-eeg', [5, 4, 3, 2, 1].map((ago) => window(ago * 1000))]]),
  alarmLines: [],
};

const ledger: Ledger = {
  recordings: [
    {
      recordingId: 'r',
      stream: 'eeg',
      state: 'open',
      stored: [{ from: 0, to: 9 }],
      quarantined: [],
      declaredLost: [],
      missing: [],
      samplesStored: 2_560,
      chunksStored: 10,
    },
  ],
  spans: [{ device: 'a-eeg', stream: 'eeg', fromUs: 0, toUs: 10_000_000, state: 'recorded', reason: null }],
  totals: { recordings: 1, chunksStored: 10, samplesStored: 2_560, quarantined: 0, declaredLost: 0, missing: 0 },
};

function silentFor(ms: number): WallState {
  return wallOf({ eeg: patient.eeg && { ...patient.eeg, at: { ...at(ms), receivedAtUs: at(ms).measuredAtUs } } });
}

function wallOf(change: Partial<PatientState> = {}, alarms: 'ok' | 'down' = 'ok'): WallState {
  return {
    nowUs: NOW * 1000,
    links: { storage: 'ok', frontDoor: 'ok', alarms, registryRevision: '1' },
    systemAlarms: [],
    patients: [{ ...patient, ...change }],
  };
}

function frameOf(
  cells: { state?: string; probability?: string; eegAge?: string; heart?: string; heartAge?: string; mark?: string } = {},
): string {
  const { state = '● quiet', probability = '3 %', eegAge = '<1 s', heart = '72', heartAge = '1 s', mark = 'REPLAY' } = cells;
  const titles = `  ${'ALARM'.padEnd(20)}${'STATE'.padEnd(20)}${'P '.padStart(5)} ${'PATIENT'.padEnd(20)}EEG AGE    HR    AGE NEWS2-P`;
  const row = `  ${''.padEnd(20)}${state.padEnd(20)}${probability.padStart(5)} ${'Bed A'.padEnd(20)}${eegAge.padStart(7)}${heart.padStart(6)}${heartAge.padStart(7)}${'0'.padStart(8)}  ${mark}`;
  return [' VITALWIRE', titles, row, ''].join('\n');
}

function watchOf(act: (watch: TruthWatch) => void, isReplayed = true): string[] {
  const watch = new TruthWatch(() => isReplayed);
  watch.takeState(wallOf(), NOW, NOW);
  act(watch);
  watch.takeNoState(NOW + 60_000);
  return watch.faults;
}

const line = '2023-11-14T22:13:20.000Z Bed A [a]: quiet, probability 0.03, model 1, <1 s old';
const cases: readonly { readonly told: RegExp | null; readonly when: string; readonly act: (watch: TruthWatch) => void }[] = [
  { when: 'everything is true', told: null, act: (watch) => watch.compareWith(stored) },
  { when: 'a frame is true', told: null, act: (watch) => watch.takeFrame(frameOf(), NOW, NOW, 'wall') },
  { when: 'a line is true', told: null, act: (watch) => watch.takeLine(`${line}, REPLAY`, NOW) },
  { when: 'a state loses its mark', told: /state: .*mark/, act: (watch) => watch.takeState(wallOf({ replay: null }), NOW, NOW) },
  { when: 'a push loses its mark', told: /push: .*mark/, act: (watch) => watch.takePush(wallOf({ replay: null }), NOW) },
  { when: 'a row loses its mark', told: /wall: .*mark/, act: (watch) => watch.takeFrame(frameOf({ mark: '' }), NOW, NOW, 'wall') },
  { when: 'a line loses its mark', told: /plain: .*mark/, act: (watch) => watch.takeLine(line, NOW) },
  {
    when: 'an alarm loses its mark',
    told: /alarm of a replay without its mark/,
    act: (watch) => watch.takeState(wallOf({ alarms: [{ ...alarm, replay: null }] }), NOW, NOW),
  },
  {
    when: 'a value has no age',
    told: /without an age/,
    act: (watch) =>
      watch.takeState(
        wallOf({ numerics: [{ stream: 'heart-rate', device: 'a-hr', kind: 'ecg', value: 72, at: { ...at(900), clockOffsetUs: null } }] }),
        NOW,
        NOW,
      ),
  },
  {
    when: 'a value is told as younger than it is',
    told: /state: younger/,
    act: (watch) =>
      watch.takeState(
        wallOf({ numerics: [{ stream: 'heart-rate', device: 'a-hr', kind: 'ecg', value: 72, at: at(20_000, 2_000) }] }),
        NOW,
        NOW,
      ),
  },
  { when: 'a wall stands still', told: /wall: younger/, act: (watch) => watch.takeFrame(frameOf(), NOW + 6_000, NOW + 6_000, 'wall') },
  {
    when: 'only the state stands still',
    told: /wall: younger/,
    act: (watch) => watch.takeFrame(frameOf({ eegAge: '6 s', heartAge: '6 s' }), NOW + 6_000, NOW + 6_000, 'wall'),
  },
  {
    when: 'all of it is as old as it says',
    told: null,
    act: (watch) => watch.takeFrame(frameOf({ state: '[● quiet] 6 s', eegAge: '6 s', heartAge: '6 s' }), NOW + 6_000, NOW + 6_000, 'wall'),
  },
  {
    when: 'a heart rate in a row has no age',
    told: /without its age/,
    act: (watch) => watch.takeFrame(frameOf({ heartAge: '' }), NOW, NOW, 'wall'),
  },
  { when: 'a line has no age', told: /without its age/, act: (watch) => watch.takeLine(`${line.replace(', <1 s old', '')}, REPLAY`, NOW) },
  { when: 'silence is not told', told: /NO DATA/, act: (watch) => watch.takeState(silentFor(15_000), NOW, NOW) },
  {
    when: 'the alarms service is killed as silence falls due',
    told: null,
    act: (watch) => {
      watch.alarmsKilled(NOW - 5_500);
      watch.takeState(silentFor(15_000), NOW, NOW);
    },
  },
  {
    when: 'silence was due before the alarms service was killed',
    told: /NO DATA/,
    act: (watch) => {
      watch.alarmsKilled(NOW - 1_000);
      watch.takeState(silentFor(15_000), NOW, NOW);
    },
  },
  {
    when: 'silence is not told long after the alarms service was killed',
    told: /NO DATA/,
    act: (watch) => {
      watch.alarmsKilled(NOW - 15_000);
      watch.takeState(silentFor(20_000), NOW, NOW);
    },
  },
  {
    when: 'somebody seizes who is not recorded any more',
    told: /after the recording ended/,
    act: (watch) => {
      for (const agoMs of [10_000, 0]) watch.takeRecordings([{ ...recording, open: false }], NOW - agoMs);
      watch.takeState(wallOf(), NOW, NOW);
    },
  },
  {
    when: 'whether a recording goes on was not asked lately',
    told: null,
    act: (watch) => {
      watch.takeRecordings([{ ...recording, open: false }], NOW - 10_000);
      watch.takeState(wallOf(), NOW, NOW);
    },
  },
  {
    when: 'an alarm vanishes',
    told: /vanished/,
    act: (watch) => {
      watch.takeState(wallOf({ alarms: [] }), NOW, NOW);
      watch.compareWith(stored);
    },
  },
  {
    when: 'an acknowledgement is forgotten',
    told: /nobody changed/,
    act: (watch) => {
      watch.takeState(wallOf({ alarms: [{ ...alarm, state: 'acknowledged', acknowledgedBy: 'nurse' }] }), NOW, NOW);
      watch.compareWith(stored);
    },
  },
  { when: 'alarms are not watched, and it is said', told: null, act: (watch) => watch.takeState(wallOf({ alarms: [] }, 'down'), NOW, NOW) },
  {
    when: 'over was not seen',
    told: /nobody saw it end/,
    act: (watch) => {
      const episodes = [{ onsetUs: 0, seenUntilUs: NOW * 1000, end: 'over', endUs: NOW * 1000, peak: 1, channel: 0 }] as const;
      watch.takeState(wallOf({ alarms: [{ ...alarm, episodes }] }), NOW, NOW);
      watch.compareWith(stored);
    },
  },
  { when: 'EEG is not stored', told: /EEG was shown/, act: (watch) => watch.compareWith({ ...stored, eegEndsUs: new Map() }) },
  {
    when: 'a heart rate is not stored',
    told: /heart rate was shown/,
    act: (watch) => watch.compareWith({ ...stored, readings: new Map() }),
  },
  {
    when: 'a window is not stored',
    told: /window that is not stored/,
    act: (watch) => watch.compareWith({ ...stored, windows: new Map() }),
  },
  {
    when: 'another verdict is stored',
    told: /another verdict[\s\S]*quiet where/,
    act: (watch) =>
      watch.compareWith({ ...stored, windows: new Map([['a-eeg', [5, 4, 3, 2, 1].map((ago) => window(ago * 1000, 'seizure', 1))]]) }),
  },
  {
    when: 'a newer heart rate is stored for longer than a restart takes',
    told: /not the newest/,
    act: (watch) => {
      const times = { measuredAtUs: (NOW - 100) * 1000, committedAtUs: NOW * 1000, recordingId: 'h' };
      const numerics = [{ stream: 'heart-rate' as const, value: 140, kind: 'ecg' as const, ...times }];
      for (const ms of [0, 6_000])
        watch.takeLatest([{ device: 'a-hr', patient: 'a', numerics, detection: null, eeg: null }], wallOf(), NOW + ms);
    },
  },
  { when: 'what is recorded is stored', told: null, act: (watch) => watch.takeLedger(ledger, [recording], NOW) },
  {
    when: 'more is called recorded than is stored',
    told: /recorded where nothing/,
    act: (watch) => watch.takeLedger({ ...ledger, spans: ledger.spans.map((span) => ({ ...span, toUs: 60_000_000 })) }, [recording], NOW),
  },
  {
    when: 'what goes on is called complete',
    told: /complete/,
    act: (watch) =>
      watch.takeLedger({ ...ledger, recordings: ledger.recordings.map((one) => ({ ...one, state: 'complete' })) }, [recording], NOW),
  },
  {
    when: 'the heart rate of a row was not measured',
    told: /not measured then/,
    act: (watch) => {
      watch.takeFrame(frameOf({ heart: '99' }), NOW, NOW, 'wall');
      watch.compareWith(stored);
    },
  },
];

test.each(cases)('$when', ({ act, told }) => {
  const faults = watchOf(act).join('\n');
  if (told === null) expect(faults).toBe('');
  else expect(faults).toMatch(told);
});

test('REPLAY on somebody who is not replayed is told', () => {
  expect(watchOf((watch) => watch.takeFrame(frameOf(), NOW, NOW, 'wall'), false).join('\n')).toMatch(
    /state: REPLAY on[\s\S]*wall: REPLAY on/,
  );
});

test('rows are read from wide and narrow walls, cell by cell', () => {
  expect(rowsOf(frameOf({ state: '[● quiet] 4 s' }))).toEqual([
    { name: 'Bed A', state: '[● quiet] 4 s', probability: '3 %', eegAge: '<1 s', heart: '72', heartAge: '1 s', mark: 'REPLAY' },
  ]);
  const narrow = `
  ALARM                STATE               P  PATIENT                 EEG    HR    AGE     ─ Silent · Fp1 (1/2)
▸  !!  NO DATA         □ not judged        -- Silent                 13 s    --  1 min      !!  NO DATA
                       ● quiet            1 % Synthetic 1            <1 s    64    1 s R
`;
  expect(rowsOf(narrow).map(({ name, heart, heartAge, mark }) => [name, heart, heartAge, mark])).toEqual([
    ['Silent', '--', '1 min', ''],
    ['Synthetic 1', '64', '1 s', 'R'],
  ]);
  expect([oldestMs('<1 s'), oldestMs('[▲ seizure] 12 s'), oldestMs('3 min'), oldestMs('● quiet')]).toEqual([1_000, 13_000, 240_000, null]);
});
