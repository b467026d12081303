import { expect, test } from 'vitest';
import { newEngine, quiet, second, seizure } from './test-engine.ts';
import { windowsOf } from './test-windows.ts';

test("a gateway's alarm of the same seizure is merged, whichever comes first", () => {
  const windows = windowsOf([...quiet(10), ...seizure(20), ...quiet(10)]);
  const gateway = newEngine('gw-1');
  gateway.feed(windows.slice(3)); // it saw a little less, or later
  const told = gateway.log.map((record) => ({ ...record, onsetUs: (record.onsetUs ?? 0) + second, alarmId: 'aaaaaaaaaaaaaaaa' }));

  const after = newEngine();
  after.feed(windows);
  const { alarmId } = after.only();
  for (const record of told) after.keep(after.engine.foreign(record, 60 * second));
  expect(after.only()).toMatchObject({ alarmId, senders: ['alarms', 'gw-1'], state: 'latched' });
  expect(after.log.filter(({ transition }) => transition === 'merged')).toMatchObject([
    { alarmId: 'aaaaaaaaaaaaaaaa', mergedInto: alarmId },
  ]);

  const before = newEngine();
  for (const record of told) before.keep(before.engine.foreign(record, 60 * second));
  expect(before.only()).toMatchObject({ alarmId: 'aaaaaaaaaaaaaaaa', state: 'latched' });
  before.feed(windows, 70 * second);
  expect(before.only()).toMatchObject({ alarmId: 'aaaaaaaaaaaaaaaa', senders: ['alarms', 'gw-1'], onsetUs: 10 * second, state: 'latched' });
});

test('an alarm that goes on and was acknowledged stays so when it is joined to one that has ended', () => {
  const { engine, feed, keep, log, only } = newEngine();
  feed(windowsOf([...quiet(20), ...seizure(20), ...quiet(20)]));
  const first = only();
  engine.acknowledge(first.alarmId, 'nurse-1', 100 * second);
  feed(windowsOf([...quiet(300), ...seizure(20)]).slice(61));
  const other = only();
  engine.acknowledge(other.alarmId, 'nurse-2', 320 * second);
  expect(only()).toMatchObject({ state: 'acknowledged', endedUs: null });
  const line = log.find(({ alarmId }) => alarmId === other.alarmId);
  if (line === undefined) throw new Error('the second alarm was raised');
  keep(engine.foreign({ ...line, sender: 'gateway-1', transition: 'merged', mergedInto: first.alarmId }, 321 * second));
  expect(only()).toMatchObject({ alarmId: first.alarmId, state: 'acknowledged', endedUs: null });
});

test('the same alarm from a gateway needs no merge, and its acknowledgement counts', () => {
  const gateway = newEngine('gw-1');
  const cluster = newEngine();
  const windows = windowsOf(seizure(20));
  gateway.feed(windows);
  cluster.feed(windows);
  const asked = gateway.engine.acknowledge(gateway.only().alarmId, 'bedside', 30 * second);
  if (asked.ok) gateway.keep(asked.records);
  for (const record of gateway.log) cluster.keep(cluster.engine.foreign(record, 40 * second));
  expect(cluster.only()).toMatchObject({ senders: ['alarms', 'gw-1'], state: 'acknowledged', acknowledgedBy: 'bedside' });
});

test('a limits change is written once for each device', () => {
  const { engine } = newEngine();
  expect(engine.limitsChanged('d', 'dr-1', 'heart rate 45 to 130', 0)).toMatchObject([{ transition: 'limits-changed', by: 'dr-1' }]);
  expect(engine.limitsChanged('d', 'dr-1', 'heart rate 45 to 130', second)).toEqual([]);
});

test("a line changes no other device's alarm by naming it: not its state, not its acknowledgement, and it hides nothing", () => {
  const gateway = newEngine('gw-2');
  const cluster = newEngine();
  cluster.feed(windowsOf(seizure(20)));
  const { alarmId, state } = cluster.only();
  gateway.feed(windowsOf(seizure(20)));
  const [raised] = gateway.log;
  if (raised === undefined) throw new Error('there is no line');
  const lines = [
    { transition: 'acknowledged', state: 'acknowledged', by: 'nobody' },
    { transition: 'ended', state: 'ended', endedUs: 20 * second },
    { transition: 'merged', state: 'ended', mergedInto: alarmId, alarmId: 'bbbbbbbbbbbbbbbb' },
    { transition: 'merged', state: 'ended', mergedInto: 'bbbbbbbbbbbbbbbb' },
  ] as const;
  for (const line of lines) cluster.keep(cluster.engine.foreign({ ...raised, alarmId, device: 'another', ...line }, 40 * second));
  expect(cluster.engine.alarm(alarmId)).toMatchObject({ state, acknowledgedBy: null, senders: ['alarms'] });
});
