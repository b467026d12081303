import type { Alarm, AlarmCondition, DetectionInfo, LatestOfDevice, Verdict } from '@vitalwire/contract';
import { ageMs } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { KeptWard } from './kept-ward.ts';
import { takeStored } from './stored-latest.ts';
import { detection, eeg, heartRate, measured, never, none, nowUs, only, R1, second, status, topic } from './test-ward.ts';
import { Ward, wardLimits } from './ward.ts';

const R2 = '018f0000-0000-7000-8000-000000000002';

const bonn = { speed: 1, source: 'Bonn' };

test('the state word follows the latest windows together, and a stored detection settles a provisional one', () => {
  const ward = new Ward();
  ward.apply(topic(), detection(0, 'quiet', 0.1), nowUs + 2 * second);
  expect(only(ward).detection).toMatchObject({ state: 'calibrating', verdict: 'quiet' });
  for (const window of [1, 2, 3]) ward.apply(topic(true), detection(window, 'seizure', 0.95), nowUs + (window + 2) * second);
  expect(only(ward).detection).toMatchObject({ state: 'seizure', verdict: 'seizure', provisional: true });
  ward.apply(topic(), detection(3, 'seizure', 0.95), nowUs + 60 * second);
  expect(only(ward).detection).toMatchObject({ state: 'seizure', provisional: false, at: { receivedAtUs: nowUs + 5 * second } });
});

test('the number beside the word is the vote’s, not the newest window’s', () => {
  const ward = new Ward();
  for (const window of [0, 1, 2]) ward.apply(topic(), detection(window, 'quiet', 0.03), nowUs + window * second);
  ward.apply(topic(), detection(3, 'seizure', 0.99), nowUs + 3 * second);
  expect(only(ward).detection).toMatchObject({ state: 'quiet', stateProbability: 0.03, verdict: 'seizure', probability: 0.99 });
});

test('with 4 s windows every second the state word needs the same agreement, and the age counts from the end of a window', () => {
  const ward = new Ward();
  ward.apply(topic(), eeg(nowUs), nowUs); // tells the rate: 100 Hz
  const wide = (window: number, verdict: Verdict, probability: number) => ({
    ...detection(window, verdict, probability),
    samples: 400,
    firstSample: window * 100,
    baseline: 'population' as const,
    channelProbabilities: [0.2, probability],
  });
  for (const window of [0, 1]) ward.apply(topic(), wide(window, 'quiet', 0.1), nowUs + (window + 4) * second);
  expect(only(ward).detection?.state).toBe('calibrating');
  for (const window of [2, 3]) ward.apply(topic(), wide(window, 'seizure', 0.9), nowUs + (window + 4) * second);
  expect(only(ward).detection?.state).toBe('unsure');
  ward.apply(topic(), wide(4, 'seizure', 0.9), nowUs + 8 * second);
  expect(only(ward).detection).toMatchObject({ state: 'seizure', baseline: 'population', channelProbabilities: [0.2, 0.9] });
  expect(ageMs(only(ward).detection?.at ?? never(), nowUs + 9 * second)).toBe(1_000);
});

test("alarms are at the patient who wears the device, also of a device that was never heard; those of gateways are the system's", () => {
  const ward = new Ward();
  ward.setRegistry({ revision: '1', patients: [{ id: 'p1', label: null }], patientOfDevice: new Map([['d1', 'p1']]) });
  ward.takeChanged();
  ward.alarms.take(alarm(0, 'd1', 'no-data'), 0);
  ward.alarms.take(alarm(1, 'd1', 'seizure'), 0);
  ward.alarms.take(alarm(2, 'd7', 'lead-off'), 0);
  ward.alarms.take(alarm(3, 'g1', 'gateway-offline'), 0);
  ward.alarms.take(alarm(4, 'prediction', 'model-unavailable'), 0);
  ward.alarms.take(alarm(5, 'd1', 'model-unavailable'), 0);
  expect(ward.patients().map(({ key, devices, alarms }) => [key, devices, alarms.map(({ condition }) => condition)])).toEqual([
    ['p1', ['d1'], ['seizure', 'model-unavailable', 'no-data']],
    ['device:d7', ['d7'], ['lead-off']],
  ]);
  expect(
    ward
      .systemAlarms()
      .map(({ condition }) => condition)
      .sort(),
  ).toEqual(['gateway-offline', 'model-unavailable']);
  expect(ward.takeChanged().map(({ key }) => key)).toEqual(['p1', 'device:d7']);
  expect(ward.takeChanged()).toEqual([]);
});

test('known patients come in the registry order with their devices, devices of nobody after them', () => {
  const ward = new Ward();
  ward.setRegistry({
    revision: '1',
    patients: [
      { id: 'p2', label: 'Two' },
      { id: 'p1', label: null },
    ],
    patientOfDevice: new Map([
      ['d1', 'p1'],
      ['hr1', 'p1'],
    ]),
  });
  ward.apply(topic(false, 'd9'), eeg(nowUs), nowUs);
  ward.apply(topic(false, 'd1'), eeg(nowUs), nowUs);
  ward.apply(topic(false, 'hr1'), heartRate(nowUs, 70), nowUs);
  expect(ward.patients().map(({ key, devices }) => [key, devices])).toEqual([
    ['p2', []],
    ['p1', ['d1', 'hr1']],
    ['device:d9', ['d9']],
  ]);
  expect(ward.takeChanged().map(({ key }) => key)).toEqual(['p2', 'p1', 'device:d9']);
  ward.apply(topic(false, 'hr1'), heartRate(nowUs + second, 71), nowUs + second);
  expect(ward.takeChanged().map(({ key }) => key)).toEqual(['p1']);
  expect(ward.takeChanged()).toEqual([]);
});

test('gateways: online while they are heard, then silent, and offline when they or the front door say so', () => {
  const ward = new Ward();
  ward.applyLiveStatus(status(measured), nowUs);
  const state = (atUs: number) => ward.gateways(atUs)[0]?.state;
  expect(state(nowUs + 1)).toBe('online');
  expect(state(nowUs + wardLimits.gatewaySilentMs * 1000 + 1)).toBe('silent');
  ward.apply(topic(), detection(0, 'quiet'), nowUs + 10 * second); // a service's word is no sign of the gateway's life, its own readings are
  expect(state(nowUs + 16 * second)).toBe('silent');
  ward.apply(topic(), eeg(nowUs + 10 * second), nowUs + 10 * second);
  expect(state(nowUs + 16 * second)).toBe('online');
  ward.applyLiveStatus(status(measured, false), nowUs + second);
  expect(state(nowUs + second)).toBe('offline');
  expect(ward.gateways(nowUs)[0]).toMatchObject({ depthChunks: 5, certificateDaysLeft: 10 });
});

test('a gateway says what is wrong with it; of one whose certificate is over the cluster knows it, also when it can say nothing any more', () => {
  const ward = new Ward();
  ward.applyLiveStatus({ ...status(measured), problem: 'the outbox is full' }, nowUs);
  expect(ward.problems(nowUs)).toEqual([{ about: 'g1', text: 'the outbox is full' }]);
  expect(ward.gateways(nowUs)[0]?.problem).toBe('the outbox is full');
  ward.applyLiveStatus({ ...status(measured), certificateDaysLeft: 1 / 86_400 }, nowUs);
  expect(ward.problems(nowUs)).toEqual([]);
  ward.applyLiveStatus({ ...status(measured, false), certificateDaysLeft: 1 / 86_400 }, nowUs + second / 2); // the front door, for a gateway that is gone
  expect(ward.problems(nowUs + 2 * second)[0]?.text).toMatch(/its certificate expired on .*: put a new one at the gateway/);
  ward.applyLiveStatus({ ...status(measured), certificateDaysLeft: 10 }, nowUs + 3 * second);
  expect(ward.problems(nowUs + 3 * second)).toEqual([]);
});

test('a gateway that has just started again is shown with the clock that ages are counted by, not as never measured', () => {
  const ward = new Ward();
  ward.applyLiveStatus(status(measured), nowUs);
  ward.applyLiveStatus(status(none), nowUs + second);
  expect(ward.gateways(nowUs + second)[0]?.clock).toEqual(measured);
  ward.apply(topic(), eeg(nowUs, none), nowUs + second);
  expect(only(ward).eeg?.at.clockOffsetUs).toBe(0);
});

test('the number of devices is bounded, and those beyond it are counted', () => {
  const ward = new Ward({ ...wardLimits, maxDevices: 2 });
  for (const device of ['a', 'b', 'c']) ward.apply(topic(false, device), eeg(nowUs), nowUs);
  expect(ward.patients().map(({ key }) => key)).toEqual(['device:a', 'device:b']);
  expect(ward.devicesRefused()).toBe(1);
});

test('a value of a recording whose start was not seen is said to be of unknown kind, and is marked as soon as storage tells', () => {
  const ward = new Ward();
  ward.apply(topic(), eeg(nowUs), nowUs);
  expect(only(ward)).toMatchObject({ replay: null, replayKnown: false });
  expect(ward.unmarkedDevices()).toEqual(['d1']);
  ward.learnMark('d1', R1, bonn);
  expect(only(ward).replay).toEqual(bonn);
  expect(only(ward)).not.toHaveProperty('replayKnown');
  expect(ward.unmarkedDevices()).toEqual([]);
  // The next recording begins unheard: what was known of the device holds until its start is known, and never the other way round.
  ward.apply(topic(), { ...eeg(nowUs + second), recordingId: R2 }, nowUs + second);
  expect(only(ward)).toMatchObject({ replay: bonn, replayKnown: false });
  ward.learnMark('d1', R2, null);
  expect(only(ward).replay).toBeNull();
});

test('a heart-rate recording is marked as a replay as EEG is, and the start of an older recording changes no mark', () => {
  const ward = new Ward();
  ward.apply(topic(false, 'hr1'), heartRate(nowUs, 70), nowUs);
  ward.applyStart({ subject: R1, device: 'hr1', gateway: 'g1', of: 'heart-rate', replay: bonn });
  expect(only(ward).replay).toEqual(bonn);
  ward.applyStart({ subject: R2, device: 'hr1', gateway: 'g1', of: 'heart-rate', replay: null });
  expect(only(ward).replay).toEqual(bonn);
});

test('what was shown before a restart is shown after it, with its own times, and only what is later replaces it', () => {
  const before = new Ward();
  before.apply(topic(), eeg(nowUs), nowUs);
  before.apply(topic(false, 'd1'), heartRate(nowUs - 90 * second, 72), nowUs);
  for (const window of [0, 1, 2]) before.apply(topic(), detection(window, 'seizure', 0.95, nowUs), nowUs + window);
  before.learnMark('d1', R1, bonn);
  before.applyLiveStatus(status(measured), nowUs);
  before.alarms.take({ ...alarm(0, 'd1', 'seizure'), state: 'acknowledged', transition: 'acknowledged', by: 'nurse' }, 0);
  before.alarms.take({ ...alarm(1, 'd1', 'seizure'), alarmId: '', condition: null, transition: 'paused', untilUs: nowUs + 60 * second }, 0);

  const after = new Ward();
  after.restore(KeptWard.parse(JSON.parse(JSON.stringify({ version: 2, savedAtUs: nowUs, ...before.keep() }))));
  expect(after.patients(nowUs)).toEqual(before.patients(nowUs));
  expect(after.patients(nowUs)).toMatchObject([
    { replay: bonn, numerics: [{ value: 72 }], alarms: [{ acknowledgedBy: 'nurse' }], pauses: [{ untilUs: nowUs + 60 * second }] },
  ]);
  expect(after.gateways(nowUs)).toEqual(before.gateways(nowUs));
  after.apply(topic(false, 'd1'), heartRate(nowUs - 600 * second, 180), nowUs + second);
  expect(only(after).numerics[0]?.value).toBe(72);
  // The service no longer names it, and the stored log does not either: it ended while nobody listened.
  after.alarms.takeAnswer({ nowUs: nowUs + second, path: 'ok', alarms: [], pauses: [] }, new Set(), 0, 0);
  expect(only(after)).toMatchObject({ alarms: [], pauses: [] });
});

test('what is stored fills what was not heard, marked, and nothing of it replaces what is later', () => {
  const ward = new Ward();
  const around = { gateway: 'g1', clockOffsetUs: -10 * second, replay: bonn, recordingId: R1 };
  const windows = [5, 6, 7].map(storedWindow);
  const [newest] = windows.slice(-1);
  const stored: LatestOfDevice = {
    device: 'd1',
    patient: null,
    eeg: { ...around, measuredAtUs: nowUs, committedAtUs: nowUs, rate: { num: 256, den: 1 }, channels: 2, montageHash: '0'.repeat(16) },
    numerics: [{ ...around, stream: 'heart-rate', measuredAtUs: nowUs - 60 * second, committedAtUs: nowUs, value: 72, kind: 'phone' }],
    detection: newest === undefined ? null : { ...newest, ...around, endUs: nowUs },
  };
  takeStored(ward, stored, windows);
  expect(only(ward)).toMatchObject({
    replay: bonn,
    eeg: { recordingId: R1, channels: 2, at: { measuredAtUs: nowUs, clockOffsetUs: -10 * second, receivedAtUs: nowUs } },
    numerics: [{ value: 72, kind: 'phone', at: { measuredAtUs: nowUs - 60 * second } }],
    detection: { state: 'quiet', baseline: 'own' },
  });
  ward.apply(topic(), heartRate(nowUs + second, 80), nowUs + second);
  takeStored(ward, stored, windows);
  expect(only(ward).numerics[0]?.value).toBe(80);
});

test.each(['eeg', 'numerics', 'detection'] as const)('a stored %s is marked of its own, whatever else is stored of its device', (kept) => {
  const ward = new Ward();
  const around = { gateway: 'g1', clockOffsetUs: 0, replay: bonn, recordingId: R1, measuredAtUs: nowUs, committedAtUs: nowUs };
  const judged = storedWindow(7);
  const all: LatestOfDevice = {
    device: 'd1',
    patient: null,
    eeg: { ...around, rate: { num: 256, den: 1 }, channels: 2, montageHash: '0'.repeat(16) },
    numerics: [{ ...around, stream: 'heart-rate' as const, value: 72, kind: 'phone' as const }],
    detection: { ...judged, ...around, endUs: nowUs },
  };
  takeStored(ward, { ...all, eeg: null, numerics: [], detection: null, [kept]: all[kept] }, [judged]);
  expect(only(ward)[kept]).not.toBeNull();
  expect(only(ward)).toMatchObject({ replay: bonn });
  expect(only(ward)).not.toHaveProperty('replayKnown');
});

function storedWindow(window: number): DetectionInfo {
  return {
    window,
    channel: 0,
    modelHash: 'm',
    modelVersion: 'v1',
    firstSample: 0,
    samples: 178,
    probability: 0.1,
    verdict: 'quiet',
    reason: null,
    baseline: 'own',
    channelProbabilities: [],
    measuredAtUs: nowUs + window,
    committedAtUs: nowUs,
  };
}

function alarm(seq: number, device: string, condition: AlarmCondition): Alarm {
  return {
    stream: 'alarm',
    recordingId: R1,
    seq,
    measuredAtUs: nowUs + seq,
    clock: none,
    subject: R1,
    sender: 'alarms',
    device,
    alarmId: String(seq).padStart(16, '0'),
    condition,
    priority: condition === 'seizure' ? 'high' : 'medium',
    state: 'active',
    transition: 'raised',
    onsetUs: nowUs,
    endedUs: null,
    value: null,
    limit: null,
    channel: null,
    untilUs: null,
    by: '',
    mergedInto: null,
    replay: null,
    text: '',
    fence: 0,
  };
}
