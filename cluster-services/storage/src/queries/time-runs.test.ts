import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spansOf } from './ledger.ts';
import { clockSteps, closedUp, mergeRuns, type TimedChunk, timeRunLimits, timeRuns } from './time-runs.ts';

const spanUs = 250_000;

/** Chunks of one recording: each says how its device's clock moved against the count before it, and whether seqs or samples were left out. */
const chunks = fc
  .array(
    fc.record({
      stepUs: fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: -30_000, max: 30_000 }) }, // jitter
        { weight: 1, arbitrary: fc.integer({ min: -4_000_000_000, max: 4_000_000_000 }) }, // set
        { weight: 1, arbitrary: fc.constantFrom(-spanUs, 2_000_000, -2_000_000, 315_000_000_000_000) }, // said again, an NTP step, another decade
      ),
      missing: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) }),
      samplesMissing: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 500 }) }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((moves): TimedChunk[] => {
    const made: TimedChunk[] = [];
    let [seq, firstSample, atUs] = [-1, 0, 1_000_000_000_000];
    for (const { stepUs, missing, samplesMissing } of moves) {
      seq += 1 + missing;
      firstSample += missing * 50 + samplesMissing;
      atUs += stepUs + missing * spanUs + samplesMissing * 5_000;
      made.push({ seq, measuredAtUs: atUs, spanUs, firstSample, samples: 50 });
      firstSample += 50;
      atUs += spanUs;
    }
    return made;
  });

const lengthOf = (stretches: readonly { fromUs: number; toUs: number }[]) => stretches.reduce((sum, one) => sum + one.toUs - one.fromUs, 0);

test('what is called recorded is never more than what is stored, whatever the clock, the holes and the repeats', () => {
  fc.assert(
    fc.property(fc.array(chunks, { minLength: 1, maxLength: 3 }), (recordings) => {
      const stored = recordings.reduce((sum, one) => sum + one.length * spanUs, 0);
      const runs = recordings.map((one) => timeRuns(one));
      for (const [index, one] of runs.entries()) expect(lengthOf(one)).toBe((recordings[index]?.length ?? 0) * spanUs);
      const recorded = closedUp(runs.flat(), 50_000);
      const from = Math.min(...recorded.map(({ fromUs }) => fromUs)) - 1;
      const to = Math.max(...recorded.map(({ toUs }) => toUs)) + 1;
      const spans = spansOf({ recorded, lost: [] }, from, to);
      expect(lengthOf(spans.filter(({ state }) => state === 'recorded'))).toBeLessThanOrEqual(stored);
      expect(lengthOf(spans)).toBe(to - from);
      // And every chunk lies in a recorded span, near where its device says it was.
      for (const chunk of recordings.flat()) {
        const middleUs = chunk.measuredAtUs + spanUs / 2;
        const near = recorded.some(
          (one) => one.fromUs - 2 * timeRunLimits.stepUs <= middleUs && middleUs <= one.toUs + 2 * timeRunLimits.stepUs,
        );
        expect(near).toBe(true);
      }
    }),
  );
});

test('in whatever order and pieces chunks become known, each is counted once', () => {
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(3), { minLength: 60, maxLength: 60 }), (all, parts) => {
      let runs = timeRuns([]);
      for (let part = 0; part <= 3; part += 1) runs = mergeRuns(runs, timeRuns(all.filter((_chunk, index) => parts[index] === part)));
      expect(lengthOf(runs)).toBe(all.length * spanUs);
      expect(runs.map(({ fromSeq }) => fromSeq)).toEqual(runs.map(({ fromSeq }) => fromSeq).toSorted((a, b) => a - b));
      expect(runs.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0)).toBe(all.length);
    }),
  );
});

test('a clock that is set while no sample is missing is a step; jitter, a hole and drift that is followed are none', () => {
  const at = (seq: number, measuredAtUs: number, firstSample = seq * 50): TimedChunk => ({
    seq,
    measuredAtUs,
    spanUs,
    firstSample,
    samples: 50,
  });
  const decadeUs = 315_000_000_000_000;
  const stepped = timeRuns([at(0, 0), at(1, 270_000), at(2, 500_000 + decadeUs), at(3, 750_000 + decadeUs), at(4, 1_000_000)]);
  expect(stepped.map(({ fromUs, toUs }) => [fromUs, toUs])).toEqual([
    [0, 500_000],
    [500_000 + decadeUs, 1_000_000 + decadeUs],
    [1_000_000, 1_250_000],
  ]);
  expect(clockSteps(stepped)).toEqual([
    { seq: 2, fromUs: 500_000, toUs: 500_000 + decadeUs },
    { seq: 4, fromUs: 1_000_000 + decadeUs, toUs: 1_000_000 },
  ]);
  expect(clockSteps(timeRuns([at(0, 0), at(1, 10_250_000, 2_050)]))).toEqual([]); // samples are missing: a hole
  expect(clockSteps(timeRuns([at(0, 0), at(2, 10_000_000)]))).toEqual([]); // a chunk is missing
  const drifting = timeRuns(Array.from({ length: 40_000 }, (_item, seq) => at(seq, Math.round(seq * spanUs * 1.0001))));
  expect(drifting.length).toBeLessThanOrEqual(2); // 1 s in 10,000 s
});

test('of two stretches a moment apart the later one begins where the earlier ended, and none becomes longer', () => {
  const moved = closedUp(
    [
      { fromUs: 0, toUs: 100 },
      { fromUs: 103, toUs: 200 },
      { fromUs: 220, toUs: 300 },
      { fromUs: 150, toUs: 160 },
    ],
    10,
  );
  expect(moved).toEqual([
    { fromUs: 0, toUs: 100 },
    { fromUs: 100, toUs: 197 },
    { fromUs: 150, toUs: 160 },
    { fromUs: 220, toUs: 300 },
  ]);
});
