import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seizureRule } from './rules.ts';
import { SeizureTimeline, type VotingWindow } from './seizure-timeline.ts';
import { lasting, windowsOf } from './test-windows.ts';

function episodesOf(windows: readonly VotingWindow[]) {
  const timeline = new SeizureTimeline(seizureRule);
  for (const window of windows) timeline.add(window);
  return timeline.episodes;
}

function voting(probabilities: readonly (number | null)[], options: Parameters<typeof windowsOf>[1] = {}): VotingWindow[] {
  return windowsOf(probabilities, options).flatMap((one) => (one.probability === null ? [] : [{ ...one, probability: one.probability }]));
}

const quiet = (seconds: number) => lasting(seconds, 0.1);
const seizure = (seconds: number) => lasting(seconds, 0.95);

const s = 1_000_000;

test('a seizure is one episode from its first window to its last', () => {
  const [episode, ...others] = episodesOf(voting([...quiet(30), ...seizure(20), ...quiet(30)]));
  expect(others).toEqual([]);
  expect(episode).toMatchObject({ onsetUs: 30_000_000, endUs: 53_000_000, holds: false, peak: 0.95 });
});

test('it is found three windows after its onset, six seconds in', () => {
  expect(episodesOf(voting([...quiet(30), ...seizure(2)]))).toEqual([]);
  expect(episodesOf(voting([...quiet(30), ...seizure(3)]))).toMatchObject([{ onsetUs: 30_000_000, holds: true }]);
});

test('single windows above the threshold make none', () => {
  const lone = Array.from({ length: 200 }, (_, index) => (index % 4 === 0 ? 0.99 : 0.1));
  expect(episodesOf(voting(lone))).toEqual([]);
});

test('between the thresholds it goes on, below the lower one it ends', () => {
  expect(episodesOf(voting([...seizure(10), ...lasting(60, 0.6)]))).toMatchObject([{ holds: true }]);
  expect(episodesOf(voting([...seizure(10), ...lasting(60, 0.6), ...quiet(3)]))).toMatchObject([{ holds: false, endUs: 73_000_000 }]);
});

test('windows without a vote neither begin nor end one', () => {
  expect(episodesOf(voting([...seizure(10), ...lasting(80, null)]))).toMatchObject([{ holds: true }]);
  expect(episodesOf(voting([...seizure(2), ...lasting(80, null)]))).toEqual([]);
});

test('quiet that was seen parts two seizures, and is part of neither; a moment of it is hesitation', () => {
  const episodes = episodesOf(voting([...seizure(10), ...quiet(80), ...seizure(12), ...quiet(9)]));
  expect(episodes).toMatchObject([
    { onsetUs: 0, endUs: 13 * s, end: 'over', knownUs: 13 * s },
    { onsetUs: 90 * s, endUs: 105 * s, end: 'over', knownUs: 105 * s },
  ]);
  expect(episodesOf(voting([...seizure(10), ...quiet(8), ...seizure(10), ...quiet(9)]))).toMatchObject([{ onsetUs: 0, endUs: 31 * s }]);
});

test('the end of a seizure that nobody saw is not known, however quiet it is when the signal can be judged again', () => {
  const flat = voting([...quiet(5), ...seizure(12), ...lasting(48, null), ...quiet(10)]);
  expect(episodesOf(flat)).toMatchObject([{ onsetUs: 5 * s, endUs: 20 * s, holds: false, end: 'not-known', knownUs: 65 * s }]);
  const unsure = flat.concat(
    windowsOf(lasting(48, null), { fromS: 17, recording: 'u' }).map((one) => ({ ...one, probability: null })), // judged all the while
  );
  expect(episodesOf(unsure)).toMatchObject([{ endUs: 20 * s, end: 'over' }]);
});

test('while the signal cannot be judged, whether it goes on is not known', () => {
  const timeline = new SeizureTimeline(seizureRule);
  for (const window of voting(seizure(12))) timeline.add(window);
  expect(timeline.episodes).toMatchObject([{ holds: true, end: 'goes-on' }]);
  expect(timeline.unseen(20 * s)).toBe(false); // a moment
  expect(timeline.unseen(25 * s)).toBe(true);
  expect(timeline.episodes).toMatchObject([{ holds: true, end: 'not-known', knownUs: null, endUs: 15 * s }]);
  for (const window of voting(seizure(5), { fromS: 30, recording: 'later' })) timeline.add(window);
  expect(timeline.episodes).toMatchObject([{ holds: true, end: 'goes-on', endUs: 38 * s }]);
});

test('the end of its recording stops a seizure, and what follows in the next is another', () => {
  const timeline = new SeizureTimeline(seizureRule);
  expect(timeline.ended(13.4 * s)).toBe(true); // heard before the windows were scored
  for (const window of voting(seizure(10))) timeline.add(window);
  expect(timeline.episodes).toMatchObject([{ endUs: 13 * s, holds: false, end: 'recording-ended', knownUs: 13.4 * s }]);
  for (const window of voting(seizure(10), { fromS: 40, recording: 'next' })) timeline.add(window);
  expect(timeline.episodes).toMatchObject([{ end: 'recording-ended' }, { onsetUs: 40 * s, holds: true, end: 'goes-on' }]);
});

test('a time line that was left goes on nowhere, until a newer window of it comes', () => {
  const timeline = new SeizureTimeline(seizureRule);
  for (const window of voting(seizure(10))) timeline.add(window);
  expect(timeline.leave()).toBe(true);
  expect(timeline.episodes).toMatchObject([{ holds: false, end: 'not-known', knownUs: null }]);
  for (const window of voting(seizure(1), { fromS: 10, recording: 'next' })) timeline.add(window);
  expect(timeline.episodes).toMatchObject([{ holds: true, end: 'goes-on' }]);
});

test('evidence on both sides of a long hole is two episodes', () => {
  const before = voting(seizure(10), { recording: 'a' });
  const after = voting(seizure(10), { recording: 'b', fromS: 1_000 });
  expect(episodesOf([...before, ...after])).toMatchObject([
    { holds: false, endUs: 13_000_000, end: 'not-known', knownUs: 1_000_000_000 },
    { holds: true, end: 'goes-on' },
  ]);
});

test('windows of 1.025 s without overlap work as well', () => {
  const windows = voting([...quiet(30), ...seizure(12), ...quiet(30)]).map((window, index) => ({
    ...window,
    fromUs: index * 1_025_000,
    toUs: (index + 1) * 1_025_000,
    hopUs: 1_025_000,
  }));
  expect(episodesOf(windows)).toMatchObject([{ onsetUs: 30 * 1_025_000, endUs: 42 * 1_025_000, holds: false }]);
});

/** One window in every so many, as under overload. */
function thinned(probabilities: readonly (number | null)[], everyS: number): VotingWindow[] {
  return voting(probabilities)
    .filter(({ fromUs }) => (fromUs / 1_000_000) % everyS === 0)
    .map((window) => ({ ...window, hopUs: everyS * 1_000_000 }));
}

test.each([2, 4, 8, 16])('judged every %i s, three of the last five that were judged make one, and as few low ones end it', (everyS) => {
  const windows = thinned([...quiet(160), ...seizure(8 * everyS), ...quiet(160)], everyS);
  expect(episodesOf(windows)).toMatchObject([{ onsetUs: 160_000_000, holds: false }]);
  expect(episodesOf(windows.filter(({ fromUs }) => fromUs < (160 + 2 * everyS) * 1_000_000))).toEqual([]);
  expect(episodesOf(windows.filter(({ fromUs }) => fromUs < (160 + 3 * everyS) * 1_000_000))).toMatchObject([{ holds: true }]);
});

test('where windows become rarer, high ones of one position count once: two moments are no pattern', () => {
  const before = voting([...quiet(20), 0.9, 0.9, ...quiet(2)]);
  const after = thinned([...quiet(24), 0.9, ...quiet(20)], 4).filter(({ fromUs }) => fromUs >= 24_000_000);
  expect(episodesOf([...before, ...after])).toEqual([]);
});

test('what was left out and is judged later changes nothing for a seizure that was seen', () => {
  const probabilities = [...quiet(40), ...seizure(40), ...quiet(40)];
  const seen = thinned(probabilities, 4);
  const later = voting(probabilities).filter(({ fromUs }) => (fromUs / 1_000_000) % 4 !== 0);
  expect(episodesOf([...seen, ...later])).toMatchObject([{ onsetUs: 40_000_000, holds: false }]);
  expect(episodesOf([...seen, ...later])).toEqual(episodesOf([...later, ...seen]));
});

// Stretches of high, middling, low and refused windows, so that episodes begin, end, merge and touch.
const stretches = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.constantFrom(0.05, 0.3, 0.6, 0.79, 0.85, 0.99, null)), {
    minLength: 1,
    maxLength: 8,
  })
  .map((parts) => parts.flatMap(([seconds, probability]) => lasting(seconds, probability)));

test('the order and the repeats of windows change nothing', () => {
  fc.assert(
    fc.property(stretches, fc.infiniteStream(fc.nat()), (probabilities, numbers) => {
      const windows = voting(probabilities);
      const rank = new Map(windows.map((window) => [window, numbers.next().value ?? 0]));
      const shuffled = [...windows].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
      const repeated = [...shuffled, ...windows.filter((window) => (rank.get(window) ?? 0) % 3 === 0)];
      expect(episodesOf(repeated)).toEqual(episodesOf(windows));
    }),
    { numRuns: 40 },
  );
});

test('nor does the order of unsure windows and of ends of recordings among them', () => {
  fc.assert(
    fc.property(stretches, fc.array(fc.nat(400), { maxLength: 3 }), fc.infiniteStream(fc.nat()), (probabilities, ends, numbers) => {
      const windows = windowsOf(probabilities).map((one): VotingWindow => one); // null = judged, and unsure
      const facts = [...windows, ...ends.map((second) => second * s)];
      const rank = new Map(facts.map((fact) => [fact, numbers.next().value ?? 0]));
      const shuffled = [...facts].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
      const episodesFrom = (all: typeof facts) => {
        const timeline = new SeizureTimeline(seizureRule);
        for (const fact of all) {
          if (typeof fact === 'number') timeline.ended(fact);
          else timeline.add(fact);
        }
        return timeline.episodes;
      };
      expect(episodesFrom(shuffled)).toEqual(episodesFrom(facts));
    }),
    { numRuns: 40 },
  );
});

test('episodes never overlap, and are seen in windows only', () => {
  fc.assert(
    fc.property(stretches, (probabilities) => {
      const windows = voting(probabilities);
      const high = windows.filter(({ probability }) => probability !== null && probability >= seizureRule.off);
      let beforeUs = Number.NEGATIVE_INFINITY;
      for (const { onsetUs, endUs } of episodesOf(windows)) {
        expect(onsetUs).toBeGreaterThan(beforeUs);
        expect(high.some(({ fromUs }) => fromUs === onsetUs)).toBe(true);
        expect(high.some(({ toUs }) => toUs === endUs)).toBe(true);
        beforeUs = endUs;
      }
    }),
    { numRuns: 40 },
  );
});

test('a provisional version of a window, before or behind the stored one, changes nothing either', () => {
  fc.assert(
    fc.property(stretches, fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), (probabilities, choices) => {
      const stored = voting(probabilities);
      const provisional = stored.map((window, index) => ({
        ...window,
        probability: Math.max(0, (window.probability ?? 0) - (index % 2) / 100),
      }));
      const mixed = stored.flatMap((window, index) => {
        const other = provisional[index] ?? window;
        return choices[index % choices.length] === true ? [window, other] : [other, window];
      });
      expect(episodesOf(mixed)).toEqual(episodesOf(stored));
    }),
    { numRuns: 40 },
  );
});

test('what an appended window changes is what looking at everything again would', () => {
  fc.assert(
    fc.property(stretches, (probabilities) => {
      for (const windows of [voting(probabilities), thinned(probabilities, 4)])
        expect(episodesOf(windows)).toEqual(episodesOf([...windows].reverse()));
    }),
    { numRuns: 40 },
  );
});
