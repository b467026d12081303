import { expect, test } from 'vitest';
import { AlarmEngine } from './alarm-engine.ts';
import { ConflictWatch, conflictLimits } from './conflict-watch.ts';

const s = 1_000;

test('a second gateway of a device is named with the first, until it falls silent or the device is moved to it', () => {
  const watch = new ConflictWatch(0);
  let owner = 'gateway-1';
  const said = (nowMs: number, open: string[] = []) =>
    watch
      .check(nowMs, () => owner, open)
      .map(({ device, statement }) => `${device} ${statement.condition} ${statement.holds} ${statement.text}`);
  expect(said(0)).toEqual([]);
  watch.heard('eeg-1', 'gateway-2', 1 * s);
  expect(said(2 * s)).toEqual([expect.stringMatching(/^eeg-1 device-conflict true gateway-2 sends as eeg-1, which is gateway-1's/)]);
  expect(said(60 * s)).toHaveLength(1);
  expect(said(61 * s)).toEqual(['eeg-1 device-conflict false gateway-2 no longer sends as eeg-1']);
  expect(said(62 * s)).toEqual([]);
  watch.heard('eeg-1', 'gateway-2', 70 * s);
  expect(said(71 * s)).toHaveLength(1);
  owner = 'gateway-2';
  expect(said(72 * s)).toEqual(["eeg-1 device-conflict false eeg-1 is gateway-2's now"]);
});

test('after a restart a conflict that the log calls open ends once nobody has been heard for long enough', () => {
  const watch = new ConflictWatch(0);
  const before = new AlarmEngine({ sender: 'alarms' });
  watch.heard('eeg-1', 'gateway-2', 0);
  const [raised] = watch.check(0, () => 'gateway-1', []).flatMap(({ device, statement }) => before.statement(device, statement, 1));
  if (raised === undefined) throw new Error('no alarm was raised');
  expect(raised).toMatchObject({ condition: 'device-conflict', priority: 'medium', state: 'active', device: 'eeg-1' });

  const restarted = new ConflictWatch(0);
  const engine = new AlarmEngine({ sender: 'alarms' });
  engine.replay([raised]);
  const step = (nowMs: number) => {
    const open = engine.now().alarms.filter(({ condition }) => condition === 'device-conflict');
    for (const { device, statement } of restarted.check(
      nowMs,
      () => 'gateway-1',
      open.map((alarm) => alarm.device),
    ))
      engine.statement(device, statement, nowMs * 1_000);
    return engine.now().alarms.length;
  };
  expect(step(conflictLimits.goneMs - 1)).toBe(1);
  expect(step(conflictLimits.goneMs)).toBe(0);
});

test('one gateway cannot fill the watch beyond its bound', () => {
  const watch = new ConflictWatch(0);
  for (let index = 0; index < conflictLimits.pairs + 5; index += 1) watch.heard(`d-${index}`, 'gateway-2', 0);
  expect(watch.check(1, () => 'gateway-1', [])).toHaveLength(conflictLimits.pairs);
  expect(watch.unwatched).toBe(5);
});
