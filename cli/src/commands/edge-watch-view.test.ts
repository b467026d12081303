import type { EdgeWatch } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { watchLines } from './edge-watch-view.ts';

const nowUs = 1_800_000_000_000_000;

test.each([
  ['5 s', 5, '5 s old', 'quiet 0.01', '72 /min, 5 s old'],
  ['90 s', 90, '1 min old', 'no data', '72 /min, 1 min old'],
  ['10 min', 600, '10 min old', 'no data', '-- /min, 10 min old'],
  ['16 h', 16 * 3_600, '16 h old', 'no data', '-- /min, 16 h old'],
  ['2 days', 2 * 86_400, '2 d old', 'no data', '-- /min, 2 d old'],
])('a device silent for %s is shown with that age, and no state or value that is too old', (_what, seconds, eeg, state, heartRate) => {
  const atUs = nowUs - seconds * 1e6;
  const [line] = linesOf(watchOf(atUs, atUs));
  expect(line).toContain(`EEG 8 ch, ${eeg}`);
  expect(line).toContain(state);
  expect(line).toContain(`HR ${heartRate}`);
  expect(line).toContain(`SpO2 ${heartRate.replace('72 /min', '97 %').replace('/min', '%')}`);
});

test('a backlog that has just come in is as old as it was measured', () => {
  const [line] = linesOf(watchOf(nowUs - 3_600e6, nowUs));
  expect(line).toContain('EEG 8 ch, 1 h old');
  expect(line).toContain('no data');
});

test('a device whose clock is ahead is never younger than its arrival', () => {
  const [line] = linesOf(watchOf(nowUs + 3_600e6, nowUs - 7e6));
  expect(line).toContain('EEG 8 ch, 7 s old');
});

test('an alarm says how long ago it was raised', () => {
  const alarm = {
    alarmId: '0123456789abcdef',
    device: 'eeg-1',
    condition: 'seizure',
    priority: 'high',
    state: 'active',
    onsetUs: nowUs - 65e6,
    raisedAtUs: nowUs - 65e6,
    changedAtUs: nowUs - 65e6,
    replay: null,
    text: '',
    senders: ['gateway-1'],
  } as unknown as EdgeWatch['alarms'][number];
  expect(watchLines({ ...watchOf(nowUs, nowUs), alarms: [alarm] }).join('\n')).toContain('raised 1 min ago');
});

function linesOf(watch: EdgeWatch): string[] {
  return watchLines(watch).filter((line) => line.startsWith('  eeg-1'));
}

function watchOf(measuredAtUs: number, receivedAtUs: number): EdgeWatch {
  return {
    nowUs,
    gateway: 'gateway-1',
    online: false,
    detector: { state: 'running', problem: null, modelHash: null, modelVersion: '1' },
    devices: [
      {
        device: 'eeg-1',
        replay: null,
        eeg: { recordingId: '0190a3c0-0000-7000-8000-000000000000', channels: 8, rateHz: 256, open: true, measuredAtUs, receivedAtUs },
        detection: { verdict: 'quiet', probability: 0.01, reason: null, baseline: 'own', channel: 0, measuredAtUs, receivedAtUs },
        numerics: [
          { stream: 'heart-rate', value: 72, kind: 'ecg', measuredAtUs, receivedAtUs },
          { stream: 'spo2', value: 97, kind: 'optical', measuredAtUs, receivedAtUs },
        ],
      },
    ],
    alarms: [],
    pauses: [],
  };
}
