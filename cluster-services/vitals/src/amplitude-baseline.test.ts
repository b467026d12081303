import { expect, test } from 'vitest';
import { BASELINE_MEMORY_HOPS, BASELINE_NEEDED, RunningBaseline } from './amplitude-baseline.ts';

test('the population stands until a minute of calm windows is known, then their median', () => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < BASELINE_NEEDED - 1; window++) baseline.add(window, window % 2 === 0 ? 3 : 4);
  expect(baseline.at(BASELINE_NEEDED - 2)).toEqual({ kind: 'population' });
  baseline.add(BASELINE_NEEDED - 1, 3);
  expect(baseline.at(BASELINE_NEEDED - 1)).toEqual({ kind: 'own', logUv: 3 });
});

test('what is older than the memory is forgotten, and the population stands again', () => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < BASELINE_NEEDED; window++) baseline.add(window, 3);
  expect(baseline.at(BASELINE_MEMORY_HOPS - 1).kind).toBe('own');
  expect(baseline.at(BASELINE_MEMORY_HOPS).kind).toBe('population');
});

test('an outburst shorter than the calm before it moves nothing', () => {
  const baseline = new RunningBaseline();
  for (let window = 0; window < 120; window++) baseline.add(window, 3 + (window % 3) / 10);
  for (let window = 120; window < 180; window++) baseline.add(window, 6);
  const known = baseline.at(179);
  expect(known.kind === 'own' && known.logUv).toBeLessThan(3.3);
});
