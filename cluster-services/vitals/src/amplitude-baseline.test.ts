import { expect, test } from 'vitest';
import { BASELINE_CLOSED_HOPS, BASELINE_MEMORY_HOPS, BASELINE_NEEDED, RunningBaseline } from './amplitude-baseline.ts';

const known = (logUv = 3) => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < BASELINE_NEEDED; window++) baseline.seek(window, logUv);
  return baseline;
};
const quiet = (logUv: number) => ({ logUv, isCalm: true, isQuiet: true });

test('the population stands until a minute of calm windows is known, then their median', () => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < BASELINE_NEEDED - 1; window++) baseline.seek(window, window % 2 === 0 ? 3 : 4);
  expect(baseline.now()).toEqual({ kind: 'population' });
  baseline.seek(BASELINE_NEEDED - 1, 3);
  expect(baseline.now()).toEqual({ kind: 'own', logUv: 3 });
});

test.each([2, 4, 8, 16])('a baseline is found as well when one window in %i is judged', (every) => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < BASELINE_MEMORY_HOPS; window += every) baseline.seek(window, 3, every);
  expect(baseline.level).toBe(3000);
});

test('calm windows too far apart make no baseline', () => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < 10 * BASELINE_MEMORY_HOPS; window += BASELINE_MEMORY_HOPS / (BASELINE_NEEDED - 1) + 1)
    baseline.seek(window, 3);
  expect(baseline.level).toBeNull();
});

test('a known baseline does not age', () => {
  const baseline = known();
  baseline.settle(100 * BASELINE_MEMORY_HOPS, { ...quiet(3), isQuiet: false });
  expect(baseline.now()).toEqual({ kind: 'own', logUv: 3 });
});

test('windows that are not calm, or above the quiet bound, or near one like a seizure move nothing', () => {
  const baseline = known();
  for (let window = 100; window < 400; window++) {
    baseline.settle(window, { logUv: 6, isCalm: false, isQuiet: true });
    baseline.settle(window, { logUv: 6, isCalm: true, isQuiet: false });
  }
  baseline.close(400);
  for (let window = 400; window <= 400 + BASELINE_CLOSED_HOPS; window++) baseline.settle(window, quiet(6));
  expect(baseline.level).toBe(3000);
  baseline.settle(401 + BASELINE_CLOSED_HOPS, quiet(6));
  expect(baseline.level).toBeGreaterThan(3000);
});

test.each([
  ['rises', 6, 3.7],
  ['falls', 0, 2.3],
])('it %s slowly: six minutes at most double or halve it, and it gets there in the end', (_, logUv, after) => {
  const baseline = known();
  for (let window = 100; window < 450; window++) baseline.settle(window, quiet(logUv));
  expect((baseline.level ?? 0) / 1000).toBeCloseTo(after, 6);
  for (let window = 450; window < 4000; window++) baseline.settle(window, quiet(logUv));
  expect((baseline.level ?? 0) / 1000).toBeCloseTo(logUv, 0);
});

test('what a record says is what windows are compared with, to the last bit, and it goes on from there', () => {
  const baseline = known();
  for (let window = 100; window < 200; window++) baseline.settle(window, quiet(3.1));
  const recalled = new RunningBaseline();
  recalled.recall(baseline.level);
  for (let window = 200; window < 300; window++) {
    baseline.settle(window, quiet(2.9));
    recalled.settle(window, quiet(2.9));
    expect(recalled.now()).toEqual(baseline.now());
  }
});
