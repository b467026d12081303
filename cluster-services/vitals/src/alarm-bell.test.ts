import { expect, test } from 'vitest';
import { BELL_AGAIN_MS, Bell } from './alarm-bell.ts';

test('it rings at once for a new alarm, again every 10 s while it goes on, and never without one', () => {
  const bell = new Bell();
  const rings: number[] = [];
  const at = (ms: number, ...ids: string[]) => {
    if (bell.shouldRing(ids, ms)) rings.push(ms);
  };
  at(0);
  at(1_000, 'a');
  at(2_000, 'a');
  at(3_000, 'a', 'b');
  at(3_000 + BELL_AGAIN_MS - 1, 'a', 'b');
  at(3_000 + BELL_AGAIN_MS, 'a', 'b');
  at(14_000, 'b'); // one was acknowledged
  at(15_000);
  at(40_000);
  at(41_000, 'b'); // and came back
  expect(rings).toEqual([1_000, 3_000, 13_000, 41_000]);
});
