import type { SignalGroup } from '@vitalwire/datasets';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PlayLine, periodOf } from './play-line.ts';

const whole = groupOf({ num: 256, den: 1 }, [[0, 0, 2_560]]);
const interrupted = groupOf({ num: 100, den: 1 }, [
  [0, 0, 300],
  [10_000_000, 300, 200],
]);

test('positions are the samples of an unbroken source, and each has its moment', () => {
  const line = lineOf(whole, 0, 10_000_000, false);
  expect(line.runAt(0)).toEqual({ from: 0, to: 2_560, sample: 0 });
  expect(line.runAt(2_559)).toEqual({ from: 2_559, to: 2_560, sample: 2_559 });
  expect(line.runAt(2_560)).toBe(null);
  expect(line.timeUs(256)).toBe(1_000_000);
  expect(line.completeBy(1_000_000)).toBe(256);
  expect(line.completeBy(1_003_000)).toBe(256);
  expect(line.firstAt(1_003_000)).toBe(257);
});

test('an interrupted source stays interrupted: positions jump by the length of the hole', () => {
  const line = lineOf(interrupted, 0, 12_000_000, false);
  expect(line.runAt(299)).toEqual({ from: 299, to: 300, sample: 299 });
  expect(line.runAt(300)).toEqual({ from: 1_000, to: 1_200, sample: 300 });
  expect(line.timeUs(1_000)).toBe(10_000_000);
});

test('a window begins with the first sample at or after its start, and shows nothing beyond its end', () => {
  const line = lineOf(interrupted, 2_500_000, 8_000_000, false);
  expect(line.runAt(0)).toEqual({ from: 0, to: 50, sample: 250 });
  expect(line.runAt(50)).toEqual({ from: 750, to: 800, sample: 300 });
  expect(line.runAt(800)).toBe(null);
});

test('the next round begins where the last one ended, without an hour of rounds moving a sample', () => {
  const rate = { num: 17_361, den: 100 };
  const group = groupOf(rate, [[0, 0, 4_097]]);
  const line = lineOf(group, 0, (4_097 * 100 * 1e6) / 17_361, true);
  for (const round of [1, 2, 153, 100_000]) {
    expect(line.runAt(round * 4_097)).toEqual({ from: round * 4_097, to: (round + 1) * 4_097, sample: 0 });
    expect(line.timeUs(round * 4_097)).toBeCloseTo((round * 4_097 * 100 * 1e6) / 17_361, 0);
  }
});

test('what is absent is passed over, and a seam ends a run without a hole', () => {
  const window = { startUs: 0, durationUs: 10_000_000, loop: false };
  const line = new PlayLine(whole, window, {
    periodUs: 10_000_000,
    absences: [{ fromUs: 2_000_000, toUs: 3_000_000 }],
    seamsUs: [5_000_000],
  });
  expect(line.runAt(0)).toEqual({ from: 0, to: 512, sample: 0 });
  expect(line.runAt(512)).toEqual({ from: 768, to: 1_280, sample: 768 });
  expect(line.runAt(1_280)).toEqual({ from: 1_280, to: 2_560, sample: 1_280 });
});

test('the time of a position and the position of a time agree, for any rate, window and round', () => {
  fc.assert(
    fc.property(
      fc.record({ num: fc.integer({ min: 1, max: 20_000 }), den: fc.integer({ min: 1, max: 100 }) }),
      fc.integer({ min: 0, max: 5_000_000 }),
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.boolean(),
      (rate, startUs, asked, loop) => {
        const group = groupOf(rate, [[0, 0, Math.ceil((10 * rate.num) / rate.den) + 1]]);
        const line = lineOf(group, startUs, 5_000_000, loop);
        const run = line.runAt(loop ? asked : asked % Math.max(1, Math.floor((5 * rate.num) / rate.den)));
        if (run === null) return;
        const position = run.from;
        expect(line.firstAt(line.timeUs(position))).toBe(position);
        expect(line.completeBy(line.timeUs(position))).toBe(position);
        expect(line.runAt(position)).toEqual(run);
        expect(line.timeUs(position)).toBeGreaterThanOrEqual(-1 - line.sampleUs / 1_000);
      },
    ),
  );
});

function groupOf(rate: SignalGroup['rate'], stretches: readonly (readonly [number, number, number])[]): SignalGroup {
  return {
    rate,
    sampleBits: 16,
    channels: [],
    stretches: stretches.map(([onsetUs, firstSample, samples]) => ({ onsetUs, firstSample, samples })),
  };
}

function lineOf(group: SignalGroup, startUs: number, durationUs: number, loop: boolean): PlayLine {
  return new PlayLine(group, { startUs, durationUs, loop }, { periodUs: periodOf([group], durationUs) });
}
