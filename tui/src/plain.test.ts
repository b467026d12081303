import type { Alarm, AlarmInfo, PatientState } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { EventPrinter } from './plain.ts';

const startUs = Date.UTC(2026, 10, 22, 14, 0, 0) * 1000;

test('one line per event and none per value: a state that changes, data that stops and returns, a lost connection', () => {
  let nowUs = startUs;
  const lines: string[] = [];
  const printer = new EventPrinter(
    () => nowUs,
    (line) => lines.push(line.replace('2026-11-22T', '')),
  );
  const patient = (state: 'quiet' | 'seizure'): PatientState => {
    const at = { measuredAtUs: nowUs, clockOffsetUs: 0, receivedAtUs: nowUs };
    return {
      key: 'p1',
      patient: 'p1',
      label: 'Bed 1',
      devices: ['d'],
      numerics: [],
      replay: { speed: 1, source: '' },
      alarms: [],
      pauses: [],
      eeg: { device: 'd', gateway: 'g', recordingId: 'r', rate: { num: 100, den: 1 }, channels: 1, montageHash: 'm', lane: 'durable', at },
      detection: {
        device: 'd',
        channel: 0,
        state,
        verdict: state,
        probability: 0.97,
        reason: null,
        modelVersion: 'v1',
        modelHash: 'h',
        baseline: null,
        channelProbabilities: [],
        provisional: false,
        at,
      },
    };
  };
  printer.takeLink('live');
  for (const state of ['quiet', 'quiet', 'quiet', 'seizure', 'seizure'] as const) {
    printer.takeState({ whole: false, patients: [patient(state)] });
    printer.tick();
    nowUs += 1_000_000;
  }
  nowUs += 15_000_000;
  printer.tick();
  printer.tick();
  printer.takeState({ whole: false, patients: [patient('seizure')] });
  printer.takeLink('lost');
  expect(lines).toEqual([
    'Research and education software. Not a medical device.',
    '14:00:00.000Z connection: live',
    '14:00:00.000Z Bed 1 [p1]: quiet, probability 0.97, model v1, <1 s old, REPLAY',
    '14:00:03.000Z Bed 1 [p1]: seizure pattern, probability 0.97, model v1, <1 s old, REPLAY',
    '14:00:20.000Z Bed 1 [p1]: no EEG for 16 s',
    '14:00:20.000Z Bed 1 [p1]: EEG again',
    '14:00:20.000Z connection: lost',
  ]);
});

const open: AlarmInfo = {
  alarmId: 'a'.repeat(16),
  device: 'd',
  condition: 'no-data',
  category: 'technical',
  priority: 'medium',
  state: 'active',
  onsetUs: startUs,
  endedUs: null,
  raisedAtUs: startUs,
  changedAtUs: startUs,
  acknowledgedAtUs: null,
  acknowledgedBy: null,
  value: null,
  limit: null,
  channel: null,
  senders: ['alarms'],
  replay: null,
  text: 'no EEG for 12 s',
};

test('alarms: one line per transition, what was open before, pauses with their end, and the alarm path', () => {
  let nowUs = startUs;
  const lines: string[] = [];
  const printer = new EventPrinter(
    () => nowUs,
    (line) => lines.push(line.replace('2026-11-22T', '').replace('14:00:00.000Z ', '')),
  );
  const links = { storage: 'ok', frontDoor: 'ok', alarms: 'ok', registryRevision: '1' } as const;
  const patient: PatientState = {
    key: 'p1',
    patient: 'p1',
    label: 'Bed 1',
    devices: ['d'],
    eeg: null,
    numerics: [],
    detection: null,
    alarms: [open],
    pauses: [],
    replay: null,
  };
  printer.takeState({ whole: true, links, systemAlarms: [], patients: [patient] });
  printer.takeState({ whole: false, links, systemAlarms: [], patients: [patient] });
  const line = (rest: Partial<Alarm>) => alarmLine(nowUs, rest);
  printer.takeAlarm(line({}));
  printer.takeAlarm(line({ transition: 'updated' }));
  printer.takeAlarm(line({ transition: 'acknowledged', state: 'acknowledged', by: 'nurse-7\u001b[2J' }));
  const ofPause = { alarmId: '', condition: null, by: 'nurse-7', value: null, limit: null };
  printer.takeAlarm(line({ ...ofPause, transition: 'paused', untilUs: nowUs + 120_000_000 }));
  printer.takeAlarm(line({ transition: 'condition-ended', state: 'latched', condition: 'seizure', priority: 'high', value: null }));
  printer.takeState({ whole: false, links: { ...links, alarms: 'down' }, systemAlarms: [], patients: [] });
  printer.takeState({ whole: false, links: { ...links, alarms: 'down' }, systemAlarms: [], patients: [] });
  nowUs += 1;
  printer.takeState({ whole: false, links, systemAlarms: [], patients: [] });
  expect(lines.slice(1)).toEqual([
    'alarms: watched',
    'Bed 1 [p1]: no data',
    'Bed 1 [p1]: !! NO DATA, active, no EEG for 12 s',
    'Bed 1 [p1]: ** HR HIGH raised, active, 134 > 120 /min',
    'Bed 1 [p1]: ** HR HIGH acknowledged by nurse-7[2J, 134 > 120 /min',
    'Bed 1 [p1]: alarms paused until 2026-11-22T14:02:00.000Z by nurse-7',
    'Bed 1 [p1]: *** SEIZURE condition ended, latched',
    'alarms: !!! ALARMS NOT WATCHED, the alarm path is silent: alarms may be missing',
    'alarms: watched',
  ]);
});

function alarmLine(nowUs: number, rest: Partial<Alarm>): Alarm {
  return {
    stream: 'alarm',
    recordingId: '01900000-0000-7000-8000-0123456789ab',
    seq: 0,
    measuredAtUs: nowUs,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    subject: '01900000-0000-7000-8000-0123456789ab',
    sender: 'alarms',
    device: 'd',
    alarmId: 'b'.repeat(16),
    condition: 'heart-rate-high',
    priority: 'medium',
    state: 'active',
    transition: 'raised',
    onsetUs: nowUs,
    endedUs: null,
    value: 134,
    limit: 120,
    channel: null,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: '',
    fence: 0,
    ...rest,
  };
}
