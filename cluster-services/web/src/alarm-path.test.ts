import { expect, test } from 'vitest';
import { AlarmPath, PULSE_LIMIT_MS } from './alarm-path.ts';

const startUs = 1_800_000_000_000_000;

test('unknown at first, ok with a pulse, down without one for 10 s, and ok again with the next', () => {
  const path = new AlarmPath(0, startUs);
  expect(path.state(PULSE_LIMIT_MS)).toBe('unknown');
  expect(path.state(PULSE_LIMIT_MS + 1)).toBe('down');
  expect(path.heard(20_000, startUs + 20_000_000)).toBe(true);
  expect(path.heard(22_000, startUs + 22_000_000)).toBe(false);
  expect(path.state(32_000)).toBe('ok');
  expect(path.state(32_001)).toBe('down');
  expect(path.heard(40_000, startUs + 40_000_000)).toBe(true);
  expect(path.state(40_000)).toBe('ok');
});

test('its silence is a high technical alarm, the same one for as long as it lasts, and gone with the next pulse', () => {
  const path = new AlarmPath(0, startUs);
  path.heard(1_000, startUs + 1_000_000);
  expect(path.alarm(5_000)).toBeNull();
  const alarm = path.alarm(12_000);
  expect(alarm).toMatchObject({
    condition: 'alarm-path',
    category: 'technical',
    priority: 'high',
    state: 'active',
    onsetUs: startUs + 1_000_000,
  });
  expect(path.alarm(60_000)).toEqual(alarm);
  path.heard(61_000, startUs + 61_000_000);
  expect(path.alarm(61_000)).toBeNull();
  expect(path.alarm(80_000)?.alarmId).not.toBe(alarm?.alarmId);
});
