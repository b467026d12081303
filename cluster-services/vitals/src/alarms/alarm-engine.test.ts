import { limits } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { alarmIdOf } from './alarm-id.ts';
import { isAudible } from './audible.ts';
import type { Statement } from './statement.ts';
import { newEngine, quiet, second, seizure } from './test-engine.ts';
import { lasting, windowsOf } from './test-windows.ts';

const noData = (aspect: string, priority: 'medium' | 'high' = 'medium'): Statement => ({
  condition: 'no-data',
  aspect,
  holds: true,
  priority,
  sinceUs: 5 * second,
  value: 10,
  limit: 10,
  channel: null,
  replay: null,
  text: `no ${aspect} for 10 s`,
});
const dataAgain = (aspect: string): Statement => ({
  condition: 'no-data',
  aspect,
  holds: false,
  endedUs: 30 * second,
  text: `${aspect} is back`,
});

test('a seizure is raised, latches when it is over, and ends when somebody acknowledges', () => {
  const { engine, feed, said, only, log, keep } = newEngine();
  feed(windowsOf([...quiet(20), ...seizure(20), ...quiet(20)]));
  expect(said()).toEqual(['raised:active', 'condition-ended:latched']);
  expect(only()).toMatchObject({ condition: 'seizure', priority: 'high', state: 'latched', onsetUs: 20 * second, endedUs: 43 * second });
  expect(only().alarmId).toBe(alarmIdOf('eeg-1', 'seizure', 20 * second));
  const asked = engine.acknowledge(only().alarmId, 'nurse-1', 100 * second);
  expect(asked.ok && keep(asked.records)).toMatchObject([{ transition: 'acknowledged', state: 'ended', by: 'nurse-1' }]);
  expect(engine.now().alarms).toEqual([]);
  expect(log.every(({ text }) => text !== '')).toBe(true);
});

test('acknowledged and still going on, it signals again after 180 s, and ends silently when it is over', () => {
  const { engine, feed, only } = newEngine();
  feed(windowsOf(seizure(30)));
  engine.acknowledge(only().alarmId, 'nurse-1', 40 * second);
  expect(only()).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'nurse-1' });
  expect(engine.tick(219 * second)).toEqual([]);
  expect(engine.tick(220 * second)).toMatchObject([{ transition: 're-alarmed', state: 'active' }]);
  engine.acknowledge(only().alarmId, 'nurse-2', 230 * second);
  feed(windowsOf(quiet(5), { fromS: 30, recording: 'next' }));
  expect(engine.now().alarms).toEqual([]);
});

test('a clock set back does not keep an acknowledged alarm silent', () => {
  const { engine, feed, only } = newEngine();
  feed(windowsOf(seizure(30)));
  engine.acknowledge(only().alarmId, 'nurse-1', 5_000 * second);
  expect(engine.tick(100 * second)).toMatchObject([{ transition: 're-alarmed' }]);
});

test('an acknowledgement of nothing, and of what has ended, is refused', () => {
  const { engine } = newEngine();
  expect(engine.acknowledge('0000000000000000', 'nurse-1', 0)).toEqual({ ok: false, reason: 'unknown-alarm' });
});

test('after a restart the same windows read again say nothing new: what was answered and is over stays so, and what goes on goes on', () => {
  const windows = windowsOf([...quiet(20), ...seizure(20), ...quiet(20)]);
  const before = newEngine();
  before.feed(windows);
  const asked = before.engine.acknowledge(before.only().alarmId, 'nurse-1', 100 * second);
  if (!asked.ok) throw new Error(asked.reason);
  const after = newEngine();
  after.engine.replay([...before.log, ...asked.records]);
  after.feed(windows, 200 * second);
  expect(after.said()).toEqual([]);
  after.feed(windowsOf(seizure(20), { fromS: 60, recording: 'next' }), 300 * second);
  expect(after.said()).toEqual(['condition-returned:active']); // evidence beyond its end

  const latched = newEngine();
  latched.engine.replay(before.log);
  latched.feed(windows, 200 * second);
  expect(latched.said()).toEqual([]);
  expect(latched.only().state).toBe('latched');
});

test('an acknowledged seizure that returns within the refractory time signals again under its own id', () => {
  const { engine, feed, only, said } = newEngine();
  feed(windowsOf([...seizure(20), ...quiet(10)]));
  const { alarmId } = only();
  engine.acknowledge(alarmId, 'nurse-1', 40 * second);
  expect(engine.now().alarms).toEqual([]);
  feed(windowsOf([...quiet(40), ...seizure(10)], { fromS: 30, recording: 'next' }));
  expect(only()).toMatchObject({ alarmId, state: 'active', acknowledgedBy: null });
  expect(said().at(-1)).toBe('condition-returned:active');
});

test('a seizure found in late data is raised once, latched and said to be late', () => {
  const { feed, only, said } = newEngine();
  feed(windowsOf(quiet(60), { fromS: 1_000, recording: 'live' }));
  feed(windowsOf([...quiet(20), ...seizure(20), ...quiet(20)], { recording: 'backlog' }), 1_100 * second);
  expect(only()).toMatchObject({ state: 'latched', onsetUs: 20 * second, endedUs: 43 * second });
  expect(said()[0]).toBe('raised:latched');
  expect(said().filter((one) => one.startsWith('raised'))).toHaveLength(1);
});

test('two alarms that late data shows to be one are merged, and nobody has to acknowledge twice', () => {
  const { engine, feed, only, log } = newEngine();
  feed(windowsOf([...seizure(20), ...quiet(5)], { recording: 'a' }));
  feed(windowsOf([...seizure(20), ...quiet(5)], { recording: 'c', fromS: 200 }));
  expect(engine.now().alarms).toHaveLength(2);
  const [first, second_] = engine.now().alarms;
  feed(windowsOf(seizure(60), { recording: 'b', fromS: 80 }), 300 * second);
  expect(only()).toMatchObject({ alarmId: first?.alarmId, onsetUs: 0, endedUs: 223 * second });
  expect(log.find(({ transition }) => transition === 'merged')).toMatchObject({ alarmId: second_?.alarmId, mergedInto: first?.alarmId });
  expect(engine.acknowledge(second_?.alarmId ?? '', 'nurse-1', 301 * second).ok).toBe(true); // by the id a screen still shows
  expect(engine.now().alarms).toEqual([]);
});

test('a seizure across two recordings gives one alarm', () => {
  const midnightS = 86_400;
  const { feed, said } = newEngine();
  feed(windowsOf([...quiet(10), ...seizure(20)], { recording: 'before', fromS: midnightS - 30 }));
  // No window crosses the end of a recording: the first whole one begins with the new recording.
  feed(windowsOf([...seizure(20), ...quiet(10)], { recording: 'after', fromS: midnightS }));
  expect(said()).toEqual(['raised:active', 'condition-ended:latched']);
});

test('a seizure across an agent restart of half a minute gives one alarm', () => {
  const { feed, said } = newEngine();
  feed(windowsOf([...quiet(10), ...seizure(20)], { recording: 'before' }));
  feed(windowsOf([...seizure(20), ...quiet(10)], { recording: 'after', fromS: 63 }));
  expect(said()).toEqual(['raised:active', 'updated:active', 'condition-ended:latched']); // a minute more of it
});

test('a seizure across a restart of the engine gives one alarm, that ends when the windows say so', () => {
  const before = newEngine();
  before.feed(windowsOf([...quiet(10), ...seizure(20)], { recording: 'r' }));
  const after = newEngine();
  after.engine.replay(before.log);
  expect(after.only()).toEqual(before.only());
  // The new engine has none of the windows before, and sees the seizure five minutes later only.
  after.feed(windowsOf([...seizure(20), ...quiet(10)], { recording: 'r2', fromS: 330 }));
  expect(after.said()).toEqual(['updated:active', 'condition-ended:latched']);
  expect(after.only()).toMatchObject({ alarmId: before.only().alarmId, onsetUs: 10 * second, endedUs: 353 * second });
  expect(after.only().episodes).toMatchObject([
    { onsetUs: 10 * second, end: 'not-known', endUs: 330 * second },
    { onsetUs: 330 * second, seenUntilUs: 353 * second, end: 'over' },
  ]);
  expect(after.only().text).toContain('not known between');
});

test('seizures a minute apart are told one by one, and the quiet between is no seizure', () => {
  const { feed, only } = newEngine();
  feed(windowsOf([...seizure(21), ...quiet(60), ...seizure(24), ...quiet(60), ...seizure(18), ...quiet(10)]));
  expect(only()).toMatchObject({ state: 'latched', onsetUs: 0, endedUs: 186 * second });
  expect(only().episodes?.map(({ onsetUs, seenUntilUs, end }) => [onsetUs / second, seenUntilUs / second, end])).toEqual([
    [0, 24, 'over'],
    [81, 108, 'over'],
    [165, 186, 'over'],
  ]);
  expect(only().text).toBe('3 seizures since 00:00:00 UTC, longest 27 s: the last over, 21 s');
});

test('what late data says of an earlier seizure does not end one that goes on', () => {
  const { feed, only } = newEngine();
  feed(windowsOf([...seizure(20), ...quiet(30), ...seizure(20)]));
  feed(windowsOf(seizure(3), { fromS: 20, recording: 'late' }), 80 * second);
  expect(only()).toMatchObject({ state: 'active', endedUs: null });
  expect(only().episodes?.map(({ end }) => end)).toEqual(['over', 'goes-on']);
});

test('late quiet that moves the end of one seizure away does not take the next out of their alarm', () => {
  const { feed, only } = newEngine();
  feed(windowsOf([...seizure(3), ...lasting(12, null), ...seizure(1)]));
  feed(windowsOf(seizure(3), { fromS: 96, recording: 'next' }));
  feed(windowsOf(quiet(12), { fromS: 3, recording: 'late' }), 110 * second);
  expect(only()).toMatchObject({ state: 'active', onsetUs: 0, endedUs: null });
  expect(only().episodes?.map(({ end }) => end)).toEqual(['over', 'goes-on']);
});

test('a recording that ends during a seizure stops it, whether its end or its last windows come first', () => {
  const windows = windowsOf([...quiet(10), ...seizure(20)]);
  const orders = [
    (one: ReturnType<typeof newEngine>) => {
      one.feed(windows);
      one.keep(one.engine.recordingEnded({ device: 'eeg-1', atUs: 33.5 * second }, 40 * second));
    },
    (one: ReturnType<typeof newEngine>) => {
      one.keep(one.engine.recordingEnded({ device: 'eeg-1', atUs: 33.5 * second }, 40 * second));
      one.feed(windows);
    },
  ];
  for (const order of orders) {
    const one = newEngine();
    order(one);
    expect(one.only()).toMatchObject({ state: 'latched', onsetUs: 10 * second, endedUs: 33 * second });
    expect(one.only().text).toContain('recording ended 00:00:33 UTC during a seizure pattern, 23 s after its onset');
    one.feed(windowsOf(seizure(10), { fromS: 60, recording: 'next' }));
    expect(one.only()).toMatchObject({ state: 'active' });
    expect(one.only().episodes?.map(({ end }) => end)).toEqual(['recording-ended', 'goes-on']);
  }
});

test('what was not seen is not over: a lead that comes off hides the rest of a seizure', () => {
  const { feed, engine } = newEngine();
  const alarm = () => engine.now().alarms.find(({ condition }) => condition === 'seizure');
  feed(windowsOf([...seizure(9), ...lasting(30, null)], { reason: 'flat' }));
  expect(alarm()).toMatchObject({
    state: 'active',
    text: 'seizure pattern last seen 00:00:12 UTC, 12 s after its onset; not observable since',
  });
  feed(windowsOf([...lasting(21, null), ...quiet(10)], { fromS: 39, recording: 'next', reason: 'flat' }));
  expect(alarm()).toMatchObject({ state: 'latched' });
  expect(alarm()?.text).toBe('seizure pattern last seen 00:00:12 UTC, 12 s after its onset, then not observable for 48 s');
  expect(alarm()?.episodes).toMatchObject([{ seenUntilUs: 12 * second, end: 'not-known', endUs: 60 * second }]);
});

test('a hole of more than 90 s gives two episodes, and nobody says what was between', () => {
  const { feed, engine } = newEngine();
  feed(windowsOf(seizure(20)));
  feed(windowsOf(seizure(20), { fromS: 150, recording: 'later' }));
  const [before, after] = engine.now().alarms;
  expect(before?.episodes).toMatchObject([{ onsetUs: 0, seenUntilUs: 23 * second, end: 'not-known', endUs: 150 * second }]);
  expect(after?.episodes).toMatchObject([{ onsetUs: 150 * second, end: 'goes-on' }]);
});

test('EEG that falls silent during a seizure leaves an alarm that says since when nobody sees it, also after a restart', () => {
  const before = newEngine();
  before.feed(windowsOf(seizure(20)));
  const after = newEngine();
  after.engine.replay(before.log);
  for (const { engine } of [before, after]) {
    const said = engine.statement('eeg-1', noData('eeg'), 40 * second).filter(({ condition }) => condition === 'seizure');
    expect(said).toMatchObject([{ transition: 'updated', state: 'active', endedUs: null }]);
    expect(said[0]?.text).toContain('not observable since');
    expect(engine.statement('eeg-1', noData('eeg', 'high'), 90 * second).filter(({ condition }) => condition === 'seizure')).toEqual([]);
  }
});

test('a second replay of a file has its own seizures, also where their times cross', () => {
  const { engine, feed } = newEngine();
  const replay = { speed: 60, source: 'file' };
  const take = (name: string, fromS: number) =>
    windowsOf([...quiet(5), ...seizure(20), ...quiet(10)], { fromS, recording: name }).map((one) => ({ ...one, replay, take: name }));
  feed(take('first', 0), 1 * second);
  feed(take('second', 10), 11 * second);
  expect(engine.now().alarms.map(({ onsetUs, state }) => [onsetUs / second, state])).toEqual([
    [5, 'latched'],
    [15, 'latched'],
  ]);
});

test('a replay that was broken off in a seizure does not go on when another begins', () => {
  const { engine, feed } = newEngine();
  feed(windowsOf([...quiet(5), ...seizure(20)], { fromS: 5_000, recording: 'first' }).map((one) => ({ ...one, take: 'first' })));
  expect(engine.now().alarms).toMatchObject([{ state: 'active' }]);
  feed(windowsOf(quiet(5), { fromS: 60, recording: 'second' }).map((one) => ({ ...one, take: 'second' })));
  expect(engine.now().alarms).toMatchObject([{ state: 'latched', episodes: [{ end: 'not-known' }] }]);
});

test('an alarm names only so many seizures, and never leaves out the longest', () => {
  const { feed, only } = newEngine();
  const short = [...quiet(40), ...seizure(8)];
  feed(windowsOf([...seizure(60), ...Array.from({ length: 70 }, () => short).flat(), ...quiet(10)]));
  expect(only().episodes).toHaveLength(limits.maxEpisodesPerAlarm);
  expect(only().text).toContain('at least 64 seizures since 00:00:00 UTC, longest 63 s');
});

test('a seizure that was over before the engine came back ends without a new one', () => {
  const before = newEngine();
  before.feed(windowsOf(seizure(20)));
  const after = newEngine();
  after.engine.replay(before.log);
  after.feed(windowsOf(quiet(5), { fromS: 100, recording: 'r2' }));
  expect(after.only()).toMatchObject({ state: 'latched', endedUs: 100 * second });
});

test('lead off for ten seconds is a technical alarm, ends by itself, and never raises a seizure', () => {
  const { engine, feed, said, log } = newEngine();
  feed(windowsOf([...quiet(10), ...lasting(90, null), ...quiet(5)], { reason: 'flat' }));
  expect(said()).toEqual(['raised:active', 'escalated:active', 'ended:ended']);
  expect(log.map(({ condition, priority }) => `${condition} ${priority}`)).toEqual(['lead-off medium', 'lead-off high', 'lead-off high']);
  expect(engine.now().alarms).toEqual([]);
});

test('hum is a poor signal; a few bad seconds are nothing', () => {
  const { feed, only } = newEngine();
  feed(windowsOf([...quiet(10), ...lasting(20, null)], { reason: 'mains-hum' }));
  expect(only()).toMatchObject({ condition: 'poor-signal', priority: 'medium', category: 'technical', state: 'active' });
  const short = newEngine();
  short.feed(windowsOf([...quiet(10), ...lasting(5, null), ...quiet(10)]));
  expect(short.said()).toEqual([]);
});

test('lead off during a seizure neither ends nor hides it', () => {
  const { engine, feed } = newEngine();
  feed(windowsOf([...seizure(20), ...lasting(60, null)], { reason: 'flat' }));
  expect(engine.now().alarms.map(({ condition, state }) => `${condition} ${state}`)).toEqual(['seizure active', 'lead-off active']);
});

test('no data escalates, and holds while one of its streams is silent', () => {
  const { engine, only, keep } = newEngine();
  keep(engine.statement('d', noData('eeg'), 15 * second));
  keep(engine.statement('d', noData('eeg', 'high'), 65 * second));
  expect(only()).toMatchObject({ condition: 'no-data', priority: 'high' });
  keep(engine.statement('d', noData('heart-rate'), 70 * second));
  keep(engine.statement('d', dataAgain('eeg'), 75 * second));
  expect(only().state).toBe('active');
  keep(engine.statement('d', dataAgain('heart-rate'), 80 * second));
  expect(engine.now().alarms).toEqual([]); // technical alarms never latch
});

test('escalation signals again although the lower priority was acknowledged', () => {
  const { engine, only } = newEngine();
  engine.statement('d', noData('eeg'), 15 * second);
  engine.acknowledge(only().alarmId, 'nurse-1', 20 * second);
  expect(engine.statement('d', noData('eeg', 'high'), 65 * second)).toMatchObject([{ transition: 'escalated', state: 'active' }]);
});

test('a pause silences what is there, never something more urgent, and ends by itself', () => {
  const { engine, feed } = newEngine();
  engine.statement('eeg-1', noData('heart-rate'), 0);
  const asked = engine.pause('eeg-1', 120, 'nurse-1', 10 * second);
  expect(asked.ok && asked.records).toMatchObject([{ transition: 'paused', untilUs: 130 * second, priority: 'medium' }]);
  const audible = (nowUs: number) =>
    engine
      .now()
      .alarms.filter((alarm) => isAudible(alarm, engine.now().pauses[0] ?? null, nowUs))
      .map(({ condition }) => condition);
  expect(audible(20 * second)).toEqual([]);
  feed(windowsOf(seizure(20)));
  expect(audible(30 * second)).toEqual(['seizure']);
  expect(audible(130 * second)).toEqual(['no-data', 'seizure']); // with no tick at all: the end is in the state
  expect(audible(-60 * second)).toEqual(['no-data', 'seizure']); // the wall clock was set back: nobody asked for so long a pause
  expect(engine.tick(130 * second)).toMatchObject([{ transition: 'resumed' }]);
  expect(engine.now().pauses).toEqual([]);
});

test('more than 120 s of pause is refused; 0 s ends one', () => {
  const { engine } = newEngine();
  expect(engine.pause('d', 121, 'nurse-1', 0)).toEqual({ ok: false, reason: 'pause-too-long' });
  expect(engine.pause('d', Number.NaN, 'nurse-1', 0)).toEqual({ ok: false, reason: 'pause-too-long' });
  engine.pause('d', 60, 'nurse-1', 0);
  const asked = engine.pause('d', 0, 'nurse-2', second);
  expect(asked.ok && asked.records).toMatchObject([{ transition: 'resumed', by: 'nurse-2' }]);
});
