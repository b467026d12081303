import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';
import type { AlarmRecord } from './record.ts';
import { focalRule, seizureRule } from './rules.ts';
import type { DetectionInput } from './signal-watch.ts';
import { windowsOf } from './test-windows.ts';

const second = 1_000_000;

/** Windows of 19 channels: from second `fromS` on, in each the channels that show a pattern. */
function focal(channels: readonly (readonly number[])[], fromS = 0): DetectionInput[] {
  return windowsOf(
    channels.map(() => 0.05),
    { fromS, recording: `r${fromS}` },
  ).map((window, index) => {
    const seizing = channels[index] ?? [];
    const channelProbabilities = Array.from({ length: 19 }, (_, channel) => (seizing.includes(channel) ? 0.97 : 0.03));
    const isWhole = seizing.length >= 3;
    const found = {
      verdict: isWhole ? 'seizure' : seizing.length > 0 ? 'focal' : 'quiet',
      probability: seizing.length > 0 ? 0.97 : 0.03,
    } as const;
    return { ...window, ...found, channel: seizing[0] ?? 0, channelProbabilities };
  });
}
const same = (seconds: number, ...channels: number[]) => Array.from({ length: seconds }, () => channels);

function newEngine(log: readonly AlarmRecord[] = []) {
  const engine = new AlarmEngine({ sender: 'alarms' });
  engine.replay(log);
  const records: AlarmRecord[] = [];
  const feed = (windows: readonly DetectionInput[]) => {
    for (const window of windows) records.push(...engine.detection(window, window.toUs));
  };
  const said = () => records.map(({ condition, transition, priority, state }) => `${condition} ${transition} ${priority} ${state}`);
  return { engine, records, feed, said };
}

test('a pattern that stays in one channel of many is a focal alarm: medium, urgent when it lasts, latched when it is over', () => {
  const { engine, feed, said } = newEngine();
  feed(focal([...same(10), ...same(12, 7)]));
  expect(said()).toEqual(['focal-seizure raised medium active']);
  expect(engine.now().alarms).toMatchObject([{ channel: 7, onsetUs: 10 * second, category: 'physiological', value: 0.97, limit: 0.8 }]);
  feed(focal([...same(20, 7), ...same(20)], 22));
  expect(said().slice(1)).toEqual(['focal-seizure escalated high active', 'focal-seizure condition-ended high latched']);
  const [alarm] = engine.now().alarms;
  expect(alarm?.endedUs).toBe(45 * second);
  expect(engine.acknowledge(alarm?.alarmId ?? '', 'nurse', 100 * second).ok).toBe(true);
  expect(engine.now().alarms).toEqual([]);
});

test('it is told by the name of its channel, or its number where that is not known', () => {
  const { engine, feed } = newEngine();
  const labels = Array.from({ length: 19 }, (_, channel) => (channel === 7 ? 'C3' : ''));
  feed(focal(same(12, 7)).map((window) => ({ ...window, channelLabels: labels })));
  expect(engine.now().alarms[0]?.text).toBe('focal pattern at C3');
  const nameless = newEngine();
  nameless.feed(focal(same(12, 7)));
  expect(nameless.engine.now().alarms[0]?.text).toBe('focal pattern at channel 8');
});

test('one here and one there among many channels is chance, and so is a pattern of a few seconds', () => {
  const { feed, said } = newEngine();
  feed(focal(Array.from({ length: 200 }, (_, index) => [(index * 7) % 19])));
  feed(focal([...same(4, 3), ...same(20), ...same(4, 3), ...same(20)], 300));
  expect(said()).toEqual([]);
});

test('it is urgent at once when it wanders or spreads to as many channels as speak for a seizure', () => {
  const { feed, said } = newEngine();
  // Seven of ten windows in each of three channels, never in three at once.
  feed(focal(Array.from({ length: 30 }, (_, index) => [0, 1, 2].filter((channel) => channel !== index % 3))));
  expect(said()).toContain('focal-seizure escalated high active');
});

test('a seizure of the whole recording is a seizure alarm alone; one that began in a channel is both', () => {
  const whole = newEngine();
  whole.feed(focal([...same(10), ...same(30, 0, 1, 2, 3, 4), ...same(20)]));
  expect(whole.said()).toEqual(['seizure raised high active', 'seizure condition-ended high latched']);
  const spreading = newEngine();
  spreading.feed(focal([...same(15, 4), ...same(15, 0, 1, 2, 3, 4), ...same(20)]));
  expect(
    spreading.engine
      .now()
      .alarms.map(({ condition }) => condition)
      .sort(),
  ).toEqual(['focal-seizure', 'seizure']);
});

test('found in data that came late, in any order, it is one alarm that is over and latched', () => {
  const windows = focal([...same(10), ...same(15, 7), ...same(20)]);
  for (const order of [windows.toReversed(), [...windows.slice(20), ...windows.slice(0, 20)]]) {
    const { engine, feed } = newEngine();
    feed([...focal(same(20), 1000), ...order]);
    expect(engine.now().alarms).toMatchObject([{ condition: 'focal-seizure', state: 'latched', endedUs: 28 * second }]);
  }
});

test('an engine that starts again and reads the same windows says nothing twice, and ends what is not there any more', () => {
  const first = newEngine();
  const windows = focal([...same(10), ...same(15, 7), ...same(20)]);
  first.feed(windows);
  const [alarm] = first.engine.now().alarms;
  const acknowledged = first.engine.acknowledge(alarm?.alarmId ?? '', 'nurse', 100 * second);
  const again = newEngine([...first.records, ...(acknowledged.ok ? acknowledged.records : [])]);
  again.feed(windows);
  expect(again.said()).toEqual([]);

  const interrupted = newEngine();
  interrupted.feed(focal([...same(10), ...same(15, 7)]));
  const later = newEngine(interrupted.records);
  later.feed(focal(same(30), 300));
  expect(later.said()).toEqual(['focal-seizure condition-ended medium latched']);
});

test('a recording that ends ends its focal patterns', () => {
  const { engine, feed } = newEngine();
  const windows = focal(same(15, 7));
  feed(windows);
  engine.recordingEnded({ device: 'eeg-1', atUs: windows.at(-1)?.toUs ?? 0 }, 20 * second);
  expect(engine.now().alarms).toMatchObject([{ state: 'latched', endedUs: 18 * second }]);
});

test.each([0.42, 0.5, 0.6, 0.79])(
  'what windows call a seizure alarms when it lasts, also at %d; a shorter while does not',
  (probability) => {
    const weak = (seconds: number) =>
      windowsOf(Array.from({ length: seconds }, () => probability)).map((one) => ({ ...one, verdict: 'seizure' as const }));
    const short = newEngine();
    short.feed(weak(14));
    expect(short.said()).toEqual([]);
    const lasting = newEngine();
    lasting.feed(weak(40));
    expect(lasting.said()[0]).toBe('seizure raised high active');
  },
);

test('channels are held against the threshold that is told for windows', () => {
  expect(focalRule.on).toBe(seizureRule.on);
});

test('a clock that is set back in a focal pattern ends the alarm of before, and one of now begins', () => {
  const { engine, records } = newEngine();
  let nowUs = 1_763_800_000 * second;
  let count = 0;
  const feed = (windows: readonly DetectionInput[], aheadUs: number) => {
    for (const window of windows) {
      const toUs = nowUs + aheadUs;
      records.push(...engine.detection({ ...window, key: `r/${count++}`, fromUs: toUs - 4 * second, toUs }, nowUs));
      nowUs += second;
    }
  };
  feed(focal([...same(10), ...same(20, 7)]), 3_600 * second);
  expect(engine.now().alarms).toMatchObject([{ condition: 'focal-seizure', state: 'active' }]);
  feed(focal(same(25)), 0);
  expect(engine.now().alarms).toMatchObject([{ condition: 'focal-seizure', state: 'latched' }]);
  feed(focal(same(20, 3)), 0);
  expect(engine.now().alarms.some(({ state }) => state === 'active')).toBe(true);
});
