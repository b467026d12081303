import type { PatientState } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { printEvents } from './plain.ts';

const startUs = Date.UTC(2026, 10, 22, 14, 0, 0) * 1000;

test('one line per event and none per value: a state that changes, data that stops and returns, a lost connection', () => {
  let nowUs = startUs;
  const lines: string[] = [];
  const printer = printEvents(
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
      heartRate: null,
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
