import type { AlarmInfo, LinkState, PatientState } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { arrivalOf, soundingOf, soundRule, systemAlarmsOf } from './alarm-watch.ts';

const nowUs = 1_800_000_000_000_000;
const links: LinkState = { storage: 'ok', frontDoor: 'ok', alarms: 'ok', registryRevision: '1' };

function alarm(rest: Partial<AlarmInfo>): AlarmInfo {
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

function patient(rest: Partial<PatientState>): PatientState {
  return {
    key: 'p1',
    patient: 'p1',
    label: 'Bed 1',
    devices: ['d1'],
    eeg: null,
    numerics: [],
    detection: null,
    alarms: [],
    pauses: [],
    replay: null,
    ...rest,
  };
}

const heartHigh = alarm({ condition: 'heart-rate-high', priority: 'medium' });
const noData = alarm({ condition: 'no-data', category: 'technical', priority: 'medium' });
const noDetector = alarm({ condition: 'model-unavailable', category: 'technical', priority: 'medium', device: 'prediction' });
const gatewayOff = alarm({ condition: 'gateway-offline', category: 'technical', priority: 'medium', device: 'gateway-1' });

test('HR HIGH, NO DATA, GATEWAY OFF and NO DETECTOR sound too, each kind in its own pattern, and become more urgent unanswered', () => {
  const heard = (one: AlarmInfo, atUs: number) => {
    const isSystem = one === noDetector || one === gatewayOff;
    const patients = isSystem ? [] : [patient({ alarms: [one] })];
    return soundingOf(patients, { links, systemAlarms: isSystem ? [one] : [], lostSinceUs: null }, atUs).map(({ pattern, everyMs }) => [
      pattern,
      everyMs,
    ]);
  };
  const later = nowUs + soundRule.escalatesMs * 1000;
  expect(heard(alarm({}), nowUs)).toEqual([['high', 10_000]]);
  expect(heard(heartHigh, nowUs)).toEqual([['medium', 20_000]]);
  expect(heard(heartHigh, later)).toEqual([['high', 10_000]]);
  for (const technical of [noData, noDetector, gatewayOff]) {
    expect(heard(technical, nowUs)).toEqual([['technical', 30_000]]);
    expect(heard(technical, later)).toEqual([['technical', 10_000]]);
    expect(heard({ ...technical, state: 'acknowledged' }, later)).toEqual([]);
  }
  expect(heard({ ...noData, priority: 'low' }, later)).toEqual([]);
});

test('a silent alarm path blames the front door where that is what is down', () => {
  const path = alarm({ condition: 'alarm-path', category: 'technical', device: 'web', text: 'the alarms service is silent' });
  const said = (frontDoor: LinkState['frontDoor'], systemAlarms: AlarmInfo[]) =>
    systemAlarmsOf({ links: { ...links, frontDoor, alarms: 'down' }, systemAlarms, lostSinceUs: null }).map(({ text }) => text);
  expect(said('ok', [path])).toEqual(['the alarms service is silent']);
  expect(said('down', [path])[0]).toMatch(/^the front door is down/);
  expect(said('down', [])[0]).toMatch(/^the front door is down/);
});

test('nothing arrives when nobody sent for 10 s, whatever the connection says; a phone’s history is no arrival', () => {
  const at = (seconds: number) => ({ measuredAtUs: nowUs, clockOffsetUs: 0, receivedAtUs: nowUs - seconds * 1e6 });
  const heart = (kind: 'ecg' | 'phone', seconds: number) =>
    patient({ numerics: [{ stream: 'heart-rate', device: 'h', kind, value: 70, at: at(seconds) }] });
  expect(arrivalOf([], nowUs)).toEqual({ arrives: false, age: null });
  expect(arrivalOf([heart('phone', 0)], nowUs)).toEqual({ arrives: false, age: null });
  expect(arrivalOf([heart('ecg', 40), heart('ecg', 9)], nowUs)).toEqual({ arrives: true, age: 9_000 });
  expect(arrivalOf([heart('ecg', 40)], nowUs)).toEqual({ arrives: false, age: 40_000 });
});
