import { expect, test } from 'vitest';
import { SilenceWatch } from './silence-watch.ts';

const s = 1_000;
/** What is said to hold at this moment, with its priority. */
function held(watch: SilenceWatch, nowMs: number): string[] {
  return watch
    .check(nowMs)
    .flatMap(({ device, statement }) => (statement.holds ? [`${device} ${statement.condition} ${statement.priority}`] : []));
}

test('EEG is silent after 10 s, urgently after 60 s', () => {
  const watch = new SilenceWatch(0);
  watch.readings('d', 'eeg', 'r', 1, 0);
  expect(held(watch, 9.9 * s)).toEqual([]);
  expect(held(watch, 10 * s)).toEqual(['d no-data medium']);
  expect(held(watch, 60 * s)).toEqual(['d no-data high']);
  watch.readings('d', 'eeg', 'r', 2, 61 * s);
  expect(held(watch, 62 * s)).toEqual([]);
});

test('heart rate is silent after 60 s, urgently after 5 min', () => {
  const watch = new SilenceWatch(0);
  watch.readings('d', 'heart-rate', 'r', 1, 0);
  expect(held(watch, 59 * s)).toEqual([]);
  expect(held(watch, 60 * s)).toEqual(['d no-data medium']);
  expect(held(watch, 300 * s)).toEqual(['d no-data high']);
});

test('repeats of what was heard are no sign of life', () => {
  const watch = new SilenceWatch(0);
  watch.readings('d', 'eeg', 'r', 100, 0);
  watch.readings('d', 'eeg', 'r', 100, 9 * s);
  watch.readings('d', 'eeg', 'r', 50, 9 * s);
  expect(held(watch, 10 * s)).toEqual(['d no-data medium']);
});

test('of a stream that was silent before a restart nothing is said to arrive again until something comes', () => {
  const watch = new SilenceWatch(0);
  watch.expect('d', 'eeg', 'r', 1, 0, 0);
  const said = (nowMs: number) =>
    watch.check(nowMs).flatMap(({ statement }) => (statement.condition === 'no-data' ? [statement.holds ? 'silent' : statement.text] : []));
  expect(said(1 * s)).toEqual([]);
  expect(said(10 * s)).toEqual(['silent']);
  watch.readings('d', 'eeg', 'r', 2, 11 * s);
  expect(said(12 * s)).toEqual(['EEG arrives again']);
});

test('what was silent before a restart is told soon after it, and what only was on its way is not', () => {
  const watch = new SilenceWatch(0);
  watch.expect('d', 'eeg', 'r', 1, 8 * s, 0);
  watch.expect('e', 'eeg', 'r2', 1, 3_600 * s, 0);
  watch.expect('hr', 'heart-rate', 'r3', 1, 3_600 * s, 0);
  watch.expect('f', 'eeg', 'r4', 1, 5 * s, 0);
  watch.expect('f', 'eeg', 'r4', 1, 3_600 * s, 1 * s); // what is known stays so
  expect(held(watch, 2.9 * s)).toEqual([]);
  expect(held(watch, 3 * s)).toEqual(['d no-data medium', 'e no-data medium', 'hr no-data medium']);
  watch.readings('d', 'eeg', 'r', 2, 4 * s);
  expect(held(watch, 5 * s)).toEqual(['e no-data medium', 'hr no-data medium', 'f no-data medium']);
});

test('a clock that is set back within a recording is no silence', () => {
  const watch = new SilenceWatch(0);
  for (let second = 0; second < 30; second++) watch.readings('d', 'eeg', 'r', second < 15 ? 3_600 + second : second, second * s, second);
  watch.detection('d', 30 * s);
  expect(held(watch, 30 * s)).toEqual([]);
  expect(held(watch, 39 * s)).toEqual(['d no-data medium']);
});

test('EEG that was coming when nobody listened yet is missed when it does not go on', () => {
  const watch = new SilenceWatch(0);
  watch.expect('d', 'eeg', 'r', 1, 0, 0);
  watch.expect('e', 'eeg', 'r2', 1, 0, 0);
  watch.readings('e', 'eeg', 'r2', 2, 5 * s, 10);
  watch.expect('e', 'eeg', 'r2', 1, 0, 6 * s);
  expect(held(watch, 10 * s)).toEqual(['d no-data medium']);
});

test('a recording that was ended is off, not silent; the end of an older one says nothing', () => {
  const watch = new SilenceWatch(0);
  watch.readings('d', 'eeg', 'old', 1, 0);
  watch.readings('d', 'eeg', 'new', 2, s);
  watch.off('d', 'eeg', 'old');
  expect(held(watch, 20 * s)).toEqual(['d no-data medium']);
  watch.off('d', 'eeg', 'new');
  expect(held(watch, 20 * s)).toEqual([]);
  watch.readings('d', 'eeg', 'next', 3, 30 * s);
  expect(held(watch, 41 * s)).toEqual(['d no-data medium']);
});

test('EEG in recordings too short to be judged is EEG that nobody judges, and its end is not said to be a judgement', () => {
  const watch = new SilenceWatch(0);
  for (let second = 0; second < 40; second++) {
    watch.readings('a', 'eeg', 'whole', second + 1, second * s);
    watch.detection('a', second * s);
    watch.off('b', 'eeg', `r${second - 1}`);
    if (second >= 16) expect(held(watch, second * s)).toEqual(['b model-unavailable medium']); // also between two of them
    watch.readings('b', 'eeg', `r${second}`, second + 1, second * s);
    if (second >= 16) expect(held(watch, second * s)).toEqual(['b model-unavailable medium']);
  }
  watch.off('b', 'eeg', 'r39');
  watch.readings('a', 'eeg', 'whole', 60, 43 * s);
  watch.detection('a', 43 * s);
  const ended = watch.check(43 * s).filter(({ device, statement }) => device === 'b' && statement.condition === 'model-unavailable');
  expect(ended.map(({ statement }) => [statement.holds, statement.text])).toEqual([[false, 'EEG was ended']]);
});

test('a silent gateway becomes urgent while a device of it is missed, and stays as it is when they were put away', () => {
  const watch = new SilenceWatch(0);
  watch.gateway('gw', true, 1, '', 0);
  watch.readings('d', 'eeg', 'r', 1, 0, 1, 'gw');
  expect(held(watch, 59 * s)).toEqual(['d no-data medium', 'gw gateway-offline medium']);
  expect(held(watch, 60 * s)).toEqual(['d no-data high', 'gw gateway-offline high']);
  watch.off('d', 'eeg', 'r');
  expect(held(watch, 61 * s)).toEqual(['gw gateway-offline medium']);
});

test('each names what is down: the device, its gateway, or the way to the front door', () => {
  const texts = (watch: SilenceWatch, nowMs: number) =>
    watch.check(nowMs).flatMap(({ device, statement }) => (statement.holds ? [`${device}: ${statement.text}`] : []));
  const device = new SilenceWatch(0);
  device.readings('d', 'eeg', 'r', 1, 0, 1, 'gw');
  for (let second = 0; second <= 20; second += 5) device.gateway('gw', true, 1, '', second * s);
  expect(texts(device, 20 * s)).toEqual(['d: no EEG for 10 s or more']);
  const gateway = new SilenceWatch(0);
  gateway.readings('d', 'eeg', 'r', 1, 0, 1, 'gw');
  gateway.gateway('gw', false, 1, 'power lost', 5 * s);
  expect(texts(gateway, 10 * s)).toEqual([
    'd: no EEG for 10 s or more: its gateway gw is offline',
    'gw: the gateway is offline: power lost',
  ]);
  const deaf = new SilenceWatch(0);
  deaf.readings('d', 'eeg', 'r', 1, 0, 1, 'gw');
  deaf.gateway('gw', true, 1, '', 0);
  deaf.connection(false, 2 * s);
  expect(texts(deaf, 30 * s)).toEqual(['d: no EEG for 10 s or more: the front door is not reached, nothing arrives at all']);
  deaf.connection(true, 31 * s);
  expect(texts(deaf, 45 * s)).toEqual(['d: no EEG for 10 s or more']); // the gateway has time to be heard
  expect(texts(deaf, 46 * s)).toContain('gw: the gateway has said nothing for 15 s');
});

test('EEG that nobody judges becomes urgent after a minute, of one device and of the ward', () => {
  const watch = new SilenceWatch(0);
  for (let second = 0; second <= 80; second++) {
    for (const device of ['a', 'b']) watch.readings(device, 'eeg', device, second + 1, second * s);
    if (second <= 10) watch.detection('a', second * s);
  }
  expect(held(watch, 80 * s)).toEqual(['prediction model-unavailable high']);
  watch.detection('a', 80 * s);
  expect(held(watch, 80 * s)).toEqual(['b model-unavailable high']);
});

test('a gateway that says it goes, or says nothing for 15 s, is offline', () => {
  const watch = new SilenceWatch(0);
  watch.gateway('gw', true, 1, '', 0);
  expect(held(watch, 14 * s)).toEqual([]);
  expect(held(watch, 15 * s)).toEqual(['gw gateway-offline medium']);
  watch.gateway('gw', true, 2, '', 16 * s);
  expect(held(watch, 17 * s)).toEqual([]);
  watch.gateway('gw', false, 3, 'the connection was lost', 18 * s);
  expect(held(watch, 18 * s)).toEqual(['gw gateway-offline medium']);
});

test('storage is behind while readings come on the live lane only', () => {
  const watch = new SilenceWatch(0);
  watch.lane(false, 0);
  for (let at = 2; at <= 14; at += 2) watch.lane(true, at * s);
  expect(held(watch, 14 * s)).toEqual(['storage storage-behind medium']);
  watch.lane(false, 15 * s);
  expect(held(watch, 15 * s)).toEqual([]);
});

test('nothing at all is no sign that storage is behind', () => {
  expect(held(new SilenceWatch(0), 100 * s)).toEqual([]);
});

test('EEG without detections is told once if no device has any, and per device if others have', () => {
  const watch = new SilenceWatch(0);
  const flow = (device: string, untilS: number) => {
    for (let at = 0; at <= untilS; at++) watch.readings(device, 'eeg', device, at + 1, at * s);
  };
  flow('a', 16);
  flow('b', 16);
  expect(held(watch, 16 * s)).toEqual(['prediction model-unavailable medium']);
  watch.detection('a', 16 * s);
  expect(held(watch, 16 * s)).toEqual(['b model-unavailable medium']);
  watch.detection('b', 16.1 * s);
  expect(held(watch, 16.2 * s)).toEqual([]);
});

test('detections of an overload are one technical alarm, which ends when every second is judged again', () => {
  const watch = new SilenceWatch(0);
  for (let second = 0; second < 120; second++) for (const device of ['a', 'b']) watch.readings(device, 'eeg', 'r', second + 1, second * s);
  for (let second = 0; second < 100; second += 8) watch.detection('a', second * s, 8);
  expect(held(watch, 97 * s)).toEqual(['b model-unavailable high', 'prediction detection-thinned medium']);
  for (let second = 100; second < 120; second++) watch.detection('a', second * s);
  expect(held(watch, 119 * s)).toEqual(['b model-unavailable high']);
  expect(watch.check(119 * s)).toContainEqual(
    expect.objectContaining({ device: 'prediction', statement: expect.objectContaining({ condition: 'detection-thinned', holds: false }) }),
  );
});

test('a device that is judged every 16 s is not one without a detector', () => {
  const watch = new SilenceWatch(0);
  for (let second = 0; second <= 60; second++) {
    watch.readings('d', 'eeg', 'r', second + 1, second * s);
    if (second % 16 === 0) watch.detection('d', second * s, 16);
    expect(held(watch, second * s)).toEqual(['prediction detection-thinned medium']);
  }
});

test('with more gateways than can be watched, one that is heard is not forgotten for being known longest', () => {
  const watch = new SilenceWatch(0);
  for (let index = 0; index < 8_192; index += 1) watch.gateway(`gw-${index}`, true, 1, '', 0);
  watch.gateway('gw-0', false, 2, 'power lost', 1 * s);
  watch.gateway('one-more', true, 1, '', 1 * s);
  expect(held(watch, 2 * s)).toEqual(['gw-0 gateway-offline medium']);
  expect(watch.unwatched).toBe(1);
});
