import { expect, test } from 'vitest';
import { MAX_HOP, Thinning } from './thinning.ts';

/** So many seconds of the same load, told every second; the hop after each. */
function run(thinning: Thinning, fromS: number, seconds: number, oldestMs: number, share: number): number[] {
  return Array.from({ length: seconds }, (_, second) => thinning.step({ oldestMs, share }, 1000 * (fromS + second)));
}

test('a moment of waiting changes nothing, a second of it or twice as much does', () => {
  const thinning = new Thinning();
  expect(run(thinning, 0, 1, 1_500, 1)).toEqual([1]);
  expect(run(thinning, 1, 1, 300, 1)).toEqual([1]);
  expect(run(thinning, 2, 3, 1_500, 1)).toEqual([1, 2, 2]);
  expect(run(new Thinning(), 0, 1, 2_001, 1)).toEqual([2]);
});

test('the hop doubles for as long as windows wait for longer than it, each time it has shown what it does, up to its limit', () => {
  const thinning = new Thinning();
  const hops = run(thinning, 0, 200, 100_000, 1);
  expect([...new Set(hops)]).toEqual([2, 4, 8, 16, 32]);
  expect(hops.indexOf(4)).toBe(2);
  expect(hops.indexOf(8)).toBe(2 + 4);
  expect(hops.at(-1)).toBe(MAX_HOP);
});

test('it grows shorter when there has been room for it for a while, not before, and not while work would not fit', () => {
  const thinning = new Thinning();
  run(thinning, 0, 3, 5_000, 1);
  expect(thinning.hop).toBe(4);
  expect(new Set(run(thinning, 10, 100, 300, 0.5))).toEqual(new Set([4])); // twice the windows would not fit
  const shorter = run(thinning, 200, 45, 300, 0.3);
  expect(shorter.indexOf(2)).toBe(20);
  expect(shorter.indexOf(1)).toBe(41);
});

test('a hop that does not hold is tried more and more seldom', () => {
  const thinning = new Thinning();
  const changes: number[] = [];
  let hop = 1;
  // Judging every second is too much, every second one is not.
  for (let second = 0; second < 3_000; second++) {
    const next = thinning.step(hop === 1 ? { oldestMs: 3_000, share: 1 } : { oldestMs: 100, share: 0.4 }, 1000 * second);
    if (next === 1 && hop === 2) changes.push(second);
    hop = next;
  }
  expect(changes.length).toBeGreaterThan(4);
  expect(changes.length).toBeLessThan(16);
  expect((changes.at(-1) ?? 0) - (changes.at(-2) ?? 0)).toBeGreaterThan(300);
});
