import { expect, test } from 'vitest';
import { LaneSwitch } from './lane-switch.ts';

test('the live lane goes on when the oldest chunk is older than 2 s, and off after 3 s of being young', () => {
  const lane = new LaneSwitch();
  expect(lane.update(2_000, 0)).toBe(false);
  expect(lane.update(2_001, 500)).toBe(true);
  expect(lane.update(1_500, 1_000)).toBe(true); // between the two bounds nothing changes
  expect(lane.update(900, 1_500)).toBe(true);
  expect(lane.update(null, 4_499)).toBe(true);
  expect(lane.update(null, 4_500)).toBe(false);
});

test('an age that swings does not make the lane swing', () => {
  const lane = new LaneSwitch();
  lane.update(5_000, 0);
  for (let second = 1; second < 20; second += 1) expect(lane.update(second % 2 === 0 ? 500 : 1_800, second * 1_000)).toBe(true);
});
