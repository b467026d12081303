import type { Verdict } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recentProbability, recentRule, recentVerdict, type ScoredWindow } from './recent-verdict.ts';

const scored = (...probabilities: readonly (number | Verdict)[]): ScoredWindow[] =>
  probabilities.map((item, window) => {
    if (typeof item !== 'number') return { window, probability: null, verdict: item };
    return { window, probability: item, verdict: item >= 0.8 ? 'seizure' : item < 0.2 ? 'quiet' : 'unsure' };
  });

test.each<[string, Verdict | null, ScoredWindow[]]>([
  ['nothing yet', null, []],
  ['too few windows', 'calibrating', scored(0.01, 0.02)],
  ['three quiet of five', 'quiet', scored(0.9, 0.4, 0.01, 0.01, 0.01)],
  ['two high windows alone', 'unsure', scored(0.01, 0.01, 0.5, 0.9, 0.9)],
  ['three high of five', 'seizure', scored(0.01, 0.9, 0.01, 0.9, 0.9)],
  ['high windows that are long ago', 'quiet', scored(0.9, 0.9, 0.9, 0.01, 0.01, 0.01, 0.01)],
  ['no signal worth scoring', 'not-scorable', scored(0.01, 'not-scorable', 'not-scorable', 'not-scorable')],
  ['nothing scorable from the first window on', 'not-scorable', scored('not-scorable')],
  ['windows the detector would not judge', 'unsure', scored('unsure', 'unsure', 'unsure', 'unsure')],
])('%s', (_, expected, windows) => {
  expect(recentVerdict(windows)).toBe(expected);
});

test('a pattern once shown stays until the windows fall below the lower threshold', () => {
  expect(recentVerdict(scored(0.6, 0.6, 0.6, 0.6, 0.6), 'seizure')).toBe('seizure');
  expect(recentVerdict(scored(0.6, 0.6, 0.6, 0.6, 0.6), 'quiet')).toBe('unsure');
  expect(recentVerdict(scored(0.4, 0.4, 0.4, 0.6, 0.6), 'seizure')).toBe('unsure');
});

test('a pattern that stays in one channel is focal; one here and one there among many channels is not; it continues a seizure', () => {
  const focal = (...channels: readonly number[][]): ScoredWindow[] =>
    channels.map((list, window) => ({ window, probability: 0.99, verdict: 'focal', channels: list }));
  expect(recentVerdict(focal([3], [3], [2, 3]))).toBe('focal');
  expect(recentProbability(focal([3], [3], [2, 3]), 'focal')).toBe(0.99);
  expect(recentVerdict(focal([1], [2], [3], [4]))).toBe('unsure');
  expect(recentProbability(focal([1], [2], [3], [4]), 'unsure')).toBe(null);
  expect(recentVerdict(focal([3], [3], [3]), 'seizure')).toBe('seizure');
});

test('judged every few seconds, the last five that were judged decide, whatever was judged more often before', () => {
  const every = (everyS: number, ...windows: ScoredWindow[]) => windows.map((one) => ({ ...one, window: one.window * everyS, everyS }));
  expect(recentVerdict(every(4, ...scored(0.01, 0.01, 0.9, 0.9, 0.9)))).toBe('seizure');
  expect(recentVerdict(every(8, ...scored(0.01, 0.01, 0.01)))).toBe('quiet');
  expect(recentVerdict(every(4, ...scored(0.01, 0.01)))).toBe('calibrating');
  // Seconds 0 to 12 were judged one by one and were quiet; three windows four seconds apart are a pattern beside them.
  const before = Array.from({ length: 13 }, (_, window): ScoredWindow => ({ window, probability: 0.01, verdict: 'quiet' }));
  const since = [16, 20, 24].map((window): ScoredWindow => ({ window, probability: 0.9, verdict: 'seizure', everyS: 4 }));
  expect(recentVerdict([...before, ...since])).toBe('seizure');
  // High windows of one place are one.
  expect(recentVerdict([...before, ...since.slice(0, 2), { window: 18, probability: 0.9, verdict: 'seizure' }])).not.toBe('seizure');
});

test('order and repeats of windows make no difference', () => {
  const windows = fc.uniqueArray(fc.record({ window: fc.nat(12), probability: fc.option(fc.double({ min: 0, max: 1, noNaN: true })) }), {
    selector: ({ window }) => window,
  });
  fc.assert(
    fc.property(windows, (drawn) => {
      const recent = drawn.map((item) => ({
        ...item,
        verdict: item.probability === null ? ('not-scorable' as const) : ('unsure' as const),
      }));
      expect(recentVerdict([...recent, ...recent].reverse())).toBe(recentVerdict(recent));
    }),
  );
});

test('the number beside the word is of the same vote: no "quiet 99 %", no "seizure pattern 4 %", whatever the newest window says', () => {
  expect(recentProbability(scored(0.04, 0.03, 0.02, 0.01, 0.99), 'quiet')).toBe(0.04);
  expect(recentProbability(scored(0.97, 0.95, 0.9, 0.04, 0.02), 'seizure')).toBe(0.9);
  expect(recentProbability(scored(0.01, 0.01, 'unsure', 0.99, 0.99), 'unsure')).toBe(null);
  expect(recentProbability(scored(0.9), 'calibrating')).toBe(null);
  const windows = fc.array(fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom<Verdict>('not-scorable', 'unsure')), {
    minLength: 1,
    maxLength: 9,
  });
  fc.assert(
    fc.property(windows, fc.constantFrom<Verdict | null>(null, 'seizure', 'quiet'), (drawn, before) => {
      const recent = scored(...drawn);
      const word = recentVerdict(recent, before);
      const number = word === null ? null : recentProbability(recent, word);
      if (word === 'quiet') expect(number).toBeLessThan(0.2);
      if (word === 'seizure') expect(number).toBeGreaterThanOrEqual(before === 'seizure' ? recentRule.off : recentRule.on);
      if (word === 'unsure' && number !== null) expect(number >= 0.2 && number < recentRule.on).toBe(true);
    }),
  );
});
