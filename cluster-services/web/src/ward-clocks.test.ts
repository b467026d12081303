import { ageMs } from '@vitalwire/vitals';
import { expect, test } from 'vitest';
import { detection, eeg, heartRate, never, none, nowUs, only, R1, second, status, topic } from './test-ward.ts';
import { Ward } from './ward.ts';

test.each([-300 * second, 0, 300 * second])(
  'with a gateway clock %i µs wrong, the age is right once the offset was measured',
  (errorUs) => {
    const ward = new Ward();
    ward.apply(
      topic(),
      eeg(nowUs - 2 * second + errorUs, { offsetUs: -errorUs, uncertaintyUs: 100, source: 'front-door' }),
      nowUs - 2 * second,
    );
    expect(ageMs(only(ward).eeg?.at ?? never(), nowUs)).toBe(2_000);
  },
);

test('a chunk cut before the offset was measured borrows what the gateway measured since; without that it has no age', () => {
  const ward = new Ward();
  ward.apply(topic(), eeg(nowUs - 3_600 * second, none), nowUs);
  expect(ageMs(only(ward).eeg?.at ?? never(), nowUs)).toBeNull();
  ward.applyLiveStatus(status({ offsetUs: 300 * second, uncertaintyUs: 100, source: 'front-door' }), nowUs);
  ward.apply(topic(), eeg(nowUs - 3_600 * second + 1, none), nowUs);
  expect(ageMs(only(ward).eeg?.at ?? never(), nowUs)).toBeCloseTo(3_300_000, -1);
});

test('a backlog never replaces what was measured later, and live chunks pass it', () => {
  const ward = new Ward();
  ward.apply(topic(true), eeg(nowUs), nowUs);
  ward.apply(topic(), eeg(nowUs - 600 * second), nowUs + 1);
  expect(only(ward).eeg).toMatchObject({ lane: 'live', at: { measuredAtUs: nowUs } });
  ward.apply(topic(false, 'd1'), heartRate(nowUs - 60 * second, 50), nowUs);
  ward.apply(topic(false, 'd1'), heartRate(nowUs - 600 * second, 180), nowUs);
  expect(only(ward).numerics[0]?.value).toBe(50);
});

test.each([3_600, 75 * 365 * 86_400])(
  'a reading %i s ahead is told as such, is never the latest, and holds back nothing that comes after it',
  (aheadS) => {
    const ward = new Ward();
    const ahead = nowUs + aheadS * second;
    ward.apply(topic(false, 'hr1'), heartRate(nowUs - second, 72), nowUs);
    ward.apply(topic(false, 'hr1'), heartRate(ahead, 41), nowUs);
    expect(only(ward)).toMatchObject({
      numerics: [{ value: 72, at: { measuredAtUs: nowUs - second } }],
      clockWrong: [{ device: 'hr1', stream: 'heart-rate', at: { measuredAtUs: ahead, receivedAtUs: nowUs } }],
    });
    const among = heartRate(nowUs, 74);
    const readings = [
      ...among.readings,
      { atUs: ahead, value: 41, least: null, most: null },
      { atUs: nowUs - 60 * second, value: 55, least: null, most: null },
    ];
    ward.apply(topic(false, 'hr1'), { ...among, readings }, nowUs);
    expect(only(ward)).toMatchObject({ numerics: [{ value: 74 }], clockWrong: [{ stream: 'heart-rate' }] });
    ward.apply(topic(false, 'hr1'), heartRate(nowUs + second, 190), nowUs + second);
    expect(only(ward).numerics[0]?.value).toBe(190);
    expect(only(ward)).not.toHaveProperty('clockWrong');
  },
);

test('EEG and detections of the future are nobody’s latest either, and a clock that is set back shows values again at once', () => {
  const ward = new Ward();
  ward.apply(topic(), eeg(nowUs + 3_600 * second), nowUs);
  ward.apply(topic(), detection(3_600, 'quiet'), nowUs);
  expect(only(ward)).toMatchObject({ eeg: null, detection: null, clockWrong: [{ stream: 'eeg' }, { stream: 'detection' }] });
  ward.apply(topic(), eeg(nowUs + second), nowUs + second);
  ward.apply(topic(), detection(3_601, 'quiet', 0.1, nowUs + second), nowUs + second);
  expect(only(ward)).toMatchObject({ eeg: { at: { measuredAtUs: nowUs + second } }, detection: { verdict: 'quiet' } });
  expect(only(ward)).not.toHaveProperty('clockWrong');
});

test('a gateway clock that is ahead by a known offset is right, and so is a replay, which has a time of its own', () => {
  const ward = new Ward();
  ward.applyLiveStatus(status({ offsetUs: -3_600 * second, uncertaintyUs: 100, source: 'front-door' }), nowUs);
  ward.apply(topic(), eeg(nowUs + 3_600 * second, none), nowUs);
  expect(only(ward).eeg?.at.measuredAtUs).toBe(nowUs + 3_600 * second);
  const replayed = new Ward();
  replayed.apply(topic(), eeg(nowUs + 600 * second), nowUs);
  expect(only(replayed)).toMatchObject({ eeg: null, replayKnown: false });
  replayed.learnMark('d1', R1, { speed: 60, source: 'x' });
  expect(only(replayed)).not.toHaveProperty('clockWrong');
  replayed.apply(topic(), eeg(nowUs + 660 * second), nowUs + second);
  expect(only(replayed)).toMatchObject({ replay: { speed: 60 }, eeg: { at: { measuredAtUs: nowUs + 660 * second } } });
});
