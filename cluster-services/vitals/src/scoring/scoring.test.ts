import fc from 'fast-check';
import { expect, test } from 'vitest';
import { detectionLatencies } from './detection-latency.ts';
import { alarmEvents, rawThresholdAlarms } from './detections-to-events.ts';
import { mergeNeighbours, scoreEvents, splitLong } from './event-scoring.ts';
import { roundHalfEven } from './round-half-even.ts';
import { scoreSamples } from './sample-scoring.ts';
import { averageOverSubjects, scoresOf, summedCounts } from './scores.ts';
import { orderedEvents, type TimeEvent } from './time-event.ts';

const at = (startS: number, endS: number): TimeEvent => ({ startS, endS });

// Computed by hand from the rules, and run with timescoring 0.0.7.
test.each([
  ['nothing, nothing', [], [], [0, 0, 0], [Number.NaN, Number.NaN, Number.NaN, 0]],
  ['an alarm without a seizure', [], [at(10, 20)], [0, 1, 0], [Number.NaN, 0, 0, 24]],
  ['a seizure without an alarm: F1 is 0, not NaN', [at(100, 200)], [], [0, 0, 1], [0, Number.NaN, 0, 0]],
  ['two seizures 90 s apart', [at(100, 200), at(290, 300)], [at(150, 160)], [1, 0, 2], [0.5, 1, 2 / 3, 0]],
  ['two seizures 89.9 s apart are one', [at(100, 200), at(289.9, 300)], [at(150, 160)], [1, 0, 1], [1, 1, 1, 0]],
  ['a seizure of 300 s', [at(100, 400)], [at(150, 160)], [1, 0, 1], [1, 1, 1, 0]],
  ['a seizure of 1000 s is four', [at(100, 1100)], [at(150, 160)], [1, 0, 4], [0.25, 1, 0.4, 0]],
  ['one long alarm over a short seizure', [at(1000, 1010)], [at(500, 2000)], [1, 4, 1], [1, 0.2, 1 / 3, 96]],
  ['an alarm that ends 30 s before', [at(100, 200)], [at(60, 70)], [0, 1, 1], [0, 0, 0, 24]],
  ['an alarm that ends 29.9 s before', [at(100, 200)], [at(60, 70.1)], [1, 0, 1], [1, 1, 1, 0]],
  ['an alarm of no sample inside a seizure', [at(100, 200)], [at(150, 150.04)], [0, 1, 1], [0, 0, 0, 24]],
] as const)('%s', (_, reference, hypothesis, [tp, fp, refs], [sensitivity, precision, f1, fpPerDay]) => {
  const scoring = scoreEvents(reference, hypothesis, 3600);
  expect(scoring).toMatchObject({ tp, fp, refs, samples: 36_000, hz: 10 });
  const scores = scoresOf(scoring);
  for (const [score, expected] of [
    [scores.sensitivity, sensitivity],
    [scores.precision, precision],
    [scores.f1, f1],
    [scores.fpPerDay, fpPerDay],
  ] as const) {
    if (Number.isNaN(expected)) expect(score).toBeNaN();
    else expect(score).toBeCloseTo(expected, 12);
  }
});

test('a half is rounded to the even neighbour', () => {
  expect([0.5, 1.5, 2.5, 3.5, 2.4, 2.6, 0, -0.4, -1.5].map((value) => roundHalfEven(value) + 0)).toEqual([0, 2, 2, 4, 2, 3, 0, 0, -2]);
});

test('merging and splitting lose no second of a seizure, and make no piece longer than 300 s', () => {
  fc.assert(
    fc.property(eventLists, (events) => {
      const merged = mergeNeighbours(events);
      const parts = splitLong(merged);
      const total = (list: readonly TimeEvent[]): number => list.reduce((sum, { startS, endS }) => sum + endS - startS, 0);
      expect(total(parts)).toBeCloseTo(total(merged), 6);
      for (const { startS, endS } of parts) expect(endS - startS).toBeLessThanOrEqual(300 + 1e-9);
      for (const event of events) expect(merged.some(({ startS, endS }) => startS <= event.startS && endS >= event.endS)).toBe(true);
      for (const [index, { startS }] of merged.entries()) {
        const before = merged[index - 1];
        if (before !== undefined) expect(startS - before.endS).toBeGreaterThanOrEqual(90);
      }
    }),
  );
});

test('whoever answers with the reference itself misses nothing and raises no false alarm', () => {
  fc.assert(
    fc.property(eventLists, (events) => {
      const long = events.filter(({ startS, endS }) => endS - startS >= 0.2);
      // A rest of less than a sample, cut off an event of just over 300 s, counts as false for the reference implementation, too.
      fc.pre(splitLong(mergeNeighbours(long)).every(({ startS, endS }) => endS - startS >= 0.2));
      const { tp, fp, refs } = scoreEvents(long, long, DURATION_S);
      expect({ tp, fp }).toEqual({ tp: refs, fp: 0 });
      const samples = scoreSamples(long, long, DURATION_S);
      expect(samples).toMatchObject({ tp: samples.refs, fp: 0 });
    }),
    { examples: [[[at(100, 250), at(260, 400.02)]]] },
  );
});

test('whatever the lists, what is counted can be counted', () => {
  fc.assert(
    fc.property(eventLists, eventLists, (reference, hypothesis) => {
      for (const counts of [scoreEvents(reference, hypothesis, DURATION_S), scoreSamples(reference, hypothesis, DURATION_S)]) {
        expect(counts.tp).toBeLessThanOrEqual(counts.refs);
        expect(counts.tp + counts.fp === 0 && counts.refs === 0).toBe(Number.isNaN(scoresOf(counts).f1));
        if (hypothesis.length === 0) expect(counts).toMatchObject({ tp: 0, fp: 0 });
      }
    }),
  );
});

test('events are put in order, cut to the recording, and freed of those inside another', () => {
  expect(orderedEvents([at(50, 60), at(-5, 10), at(20, 40), at(25, 30), at(95, 120), at(100, 130), at(-9, -1)], 100)).toEqual([
    at(0, 10),
    at(20, 40),
    at(50, 60),
    at(95, 100),
  ]);
});

test('scores of subjects are averaged without those that have none, and the number of those is told', () => {
  const silent = scoresOf({ refs: 2, tp: 0, fp: 0, samples: 36_000, hz: 10 });
  const healthy = scoresOf({ refs: 0, tp: 0, fp: 1, samples: 36_000, hz: 10 });
  const found = scoresOf({ refs: 4, tp: 3, fp: 1, samples: 36_000, hz: 10 });
  const { sensitivity, precision, f1, fpPerDay } = averageOverSubjects([silent, healthy, found]);
  expect(sensitivity).toEqual({ mean: 0.375, sd: 0.375, subjects: 3, nanSubjects: 1 });
  expect(precision).toEqual({ mean: 0.375, sd: 0.375, subjects: 3, nanSubjects: 1 });
  expect(f1).toMatchObject({ mean: 0.25, nanSubjects: 0 }); // 0, 0 and .75: the new F1 forgets no silent subject
  expect(f1.sd).toBeCloseTo(Math.sqrt((0.25 ** 2 + 0.25 ** 2 + 0.5 ** 2) / 3), 12);
  expect(fpPerDay.mean).toBeCloseTo(16, 12);
  expect(averageOverSubjects([]).f1).toEqual({ mean: Number.NaN, sd: Number.NaN, subjects: 0, nanSubjects: 0 });
});

test('pooled counts are sums, of one rate only', () => {
  const one = { refs: 1, tp: 1, fp: 2, samples: 100, hz: 10 };
  expect(summedCounts([one, one])).toEqual({ refs: 2, tp: 2, fp: 4, samples: 200, hz: 10 });
  expect(summedCounts([])).toBeNull();
  expect(() => summedCounts([one, { ...one, hz: 1 }])).toThrow(RangeError);
});

test('every window above the threshold is an alarm of the raw threshold, and neighbours are one', () => {
  const windows = [
    { startS: 0, endS: 4, verdict: 'seizure' },
    { startS: 1, endS: 5, verdict: 'quiet' },
    { startS: 4.0005, endS: 8, verdict: 'seizure' },
    { startS: 20, endS: 24, verdict: 'seizure' },
    { startS: 24, endS: 28, verdict: 'not-scorable' },
  ];
  expect(rawThresholdAlarms(windows)).toEqual([
    { startS: 0, endS: 8, raisedS: 4 },
    { startS: 20, endS: 24, raisedS: 24 },
  ]);
});

test('an alarm that still holds lasts until the end of what is recorded', () => {
  expect(
    alarmEvents(
      [
        { startS: 30, endS: null, raisedS: 36 },
        { startS: 5, endS: 12, raisedS: 9 },
      ],
      60,
    ),
  ).toEqual([
    { startS: 5, endS: 12, raisedS: 9 },
    { startS: 30, endS: 60, raisedS: 36 },
  ]);
});

test('latency counts from the annotated onset to the first alarm raised; an alarm that already held measures nothing', () => {
  const alarm = (startS: number, raisedS: number, endS: number) => ({ startS, raisedS, endS });
  const reference = [at(100, 130), at(300, 330), at(500, 530), at(700, 730)];
  const alarms = [alarm(104, 108, 125), alarm(101, 106, 110), alarm(250, 255, 310), alarm(480, 484, 490), alarm(788, 791, 800)];
  expect(detectionLatencies(reference, alarms)).toEqual([
    { startS: 100, endS: 130, met: 'detected', latencyS: 6 },
    { startS: 300, endS: 330, met: 'already-alarming', latencyS: null },
    { startS: 500, endS: 530, met: 'missed', latencyS: null }, // an alarm that was over before
    { startS: 700, endS: 730, met: 'missed', latencyS: null }, // 61 s after its end
  ]);
  expect(detectionLatencies([at(700, 730)], [alarm(780, 790, 800)])[0]?.latencyS).toBe(90);
});

const DURATION_S = 7200;
/** Events in order, none inside another, on whole tenths of a second. */
const eventLists = fc
  .array(fc.tuple(fc.nat(4000), fc.nat(9000)), { maxLength: 12 })
  .map((steps) => {
    let [start, end] = [0, 0];
    return steps.map(([gap, length]) => {
      start += gap;
      end = Math.max(end, start + length);
      return at(start / 10, end / 10);
    });
  })
  .map((events) => orderedEvents(events, DURATION_S));
