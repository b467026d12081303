import { expect, test } from 'vitest';
import { ClockOffset } from './clock-offset.ts';

const epochUs = Date.UTC(2026, 0, 1) * 1000;

test('the offset is the middle of the round trip, with half of it as uncertainty', () => {
  const offset = new ClockOffset();
  offset.add({ sentUs: epochUs, receivedUs: epochUs + 20_000, clusterUs: epochUs + 310_000 }, 20);
  expect(offset.state(epochUs + 20_000, 20)).toEqual({ offsetUs: 300_000, uncertaintyUs: 10_000, source: 'front-door' });
});

test('the shortest round trip wins until its age has made it worse than a newer one', () => {
  const offset = new ClockOffset();
  const at = (ms: number): number => epochUs + ms * 1000;
  offset.add({ sentUs: at(0), receivedUs: at(2), clusterUs: at(1) + 500 }, 2);
  offset.add({ sentUs: at(60_000), receivedUs: at(60_400), clusterUs: at(60_200) + 9_000 }, 60_400);
  expect(offset.state(at(60_400), 60_400).offsetUs).toBe(500);
  offset.add({ sentUs: at(120_000), receivedUs: at(120_003), clusterUs: at(120_001.5) + 700 }, 120_003);
  expect(offset.state(at(120_003), 120_003).offsetUs).toBe(700);
});

test('a wall clock that was set makes all earlier measurements worthless', () => {
  const offset = new ClockOffset();
  offset.add({ sentUs: epochUs, receivedUs: epochUs + 2_000, clusterUs: epochUs + 1_000 }, 2);
  expect(offset.state(epochUs + 3_600_000_000, 1_002)).toEqual({ offsetUs: 0, uncertaintyUs: 0, source: 'none' });
});

test('an exchange across a backward step of the wall clock is not believed', () => {
  const offset = new ClockOffset();
  offset.add({ sentUs: epochUs, receivedUs: epochUs - 5, clusterUs: epochUs }, 1);
  expect(offset.state(epochUs, 1).source).toBe('none');
});
