import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Resampler } from './resampler.ts';

const chain = { num: 17361, den: 100 };
const hertzOf = ({ num, den }: { num: number; den: number }) => num / den;
const rates = [
  { num: 100, den: 1 },
  { num: 128, den: 1 },
  { num: 17361, den: 100 },
  { num: 200, den: 1 },
  { num: 256, den: 1 },
  { num: 30000, den: 117 },
  { num: 512, den: 1 },
  { num: 2048, den: 1 },
];

test.each(rates.map((rate) => [hertzOf(rate).toFixed(2), rate] as const))(
  'from %s Hz a sum of sines is what it would have been at 173.61 Hz',
  (_, rate) => {
    const at = (seconds: number) =>
      80 * Math.sin(2 * Math.PI * 3.3 * seconds) +
      20 * Math.cos(2 * Math.PI * 11.7 * seconds) +
      10 * Math.sin(2 * Math.PI * 36 * seconds) +
      500;
    const input = Float64Array.from({ length: Math.round(6 * hertzOf(rate)) }, (__, index) => at(index / hertzOf(rate)));
    const resampler = new Resampler(rate, chain);
    const { first, samples } = resampler.push(input);
    expect(first).toBe(0);
    expect(samples.length).toBeGreaterThan(5.5 * 173.61);
    for (let index = 100; index < samples.length; index++) expect(Math.abs((samples[index] ?? 0) - at(index / 173.61))).toBeLessThan(0.06);
  },
);

test('what lies above half the slower rate is gone by a factor of a thousand', () => {
  const input = Float64Array.from({ length: 2048 * 3 }, (_, index) => 100 * Math.sin((2 * Math.PI * 130 * index) / 1024));
  const { samples } = new Resampler({ num: 1024, den: 1 }, chain).push(input);
  expect(Math.max(...samples.slice(100).map(Math.abs))).toBeLessThan(0.1);
});

test('a constant stays exactly what it is', () => {
  const { samples } = new Resampler({ num: 250, den: 1 }, chain).push(new Float64Array(2000).fill(-37.25));
  expect(samples.every((value) => Math.abs(value + 37.25) < 1e-11)).toBe(true);
});

test('the outputs are the same bits however the input is cut and wherever one joins it', () => {
  const input = Float64Array.from({ length: 4000 }, (_, index) => ((index * 7919) % 401) - 200);
  const rate = { num: 500, den: 1 };
  const whole = new Resampler(rate, chain).push(input).samples;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 9 }),
      fc.integer({ min: 0, max: 2000 }),
      (lengths, join) => {
        const resampler = new Resampler(rate, chain);
        resampler.restart(join);
        const first = resampler.nextOutput;
        const outputs: number[] = [];
        for (let from = join, next = 0; from < input.length; next++) {
          const to = Math.min(input.length, from + (lengths[next % lengths.length] ?? 1));
          const pushed = resampler.push(input.slice(from, to));
          expect(pushed.first).toBe(first + outputs.length);
          outputs.push(...pushed.samples);
          from = to;
        }
        const settled = Math.ceil((2 * resampler.reach * 173.61) / 500);
        expect(Float64Array.from(outputs.slice(settled))).toEqual(whole.slice(first + settled));
      },
    ),
    { numRuns: 30 },
  );
});

test('output instants do not drift: the last one of a month lies where its number says', () => {
  const resampler = new Resampler({ num: 256, den: 1 }, chain);
  const month = 30 * 86_400;
  resampler.restart(month * 256 + 13);
  // The first output at or after that input sample: ceil((month + 13/256) × 173.61), which is a whole number of the rational's parts.
  expect(resampler.nextOutput).toBe((month * 17361) / 100 + Math.ceil((13 * 173.61) / 256));
  resampler.restart(-256 * 100);
  expect(resampler.nextOutput).toBe(-17361);
});

test('channels that share their weights give the same bits as each alone, at whatever rates they take turns', () => {
  const input = Float64Array.from({ length: 3000 }, (_, index) => ((index * 7919) % 401) - 200);
  const alone = rates.map((rate) => new Resampler(rate, chain).push(input).samples);
  const together = rates.map((rate) => ({ resampler: new Resampler(rate, chain), outputs: [] as number[] }));
  for (let from = 0; from < input.length; from += 50)
    for (const one of together) {
      if (from === 1500) one.resampler = one.resampler.clone();
      one.outputs.push(...one.resampler.push(input.slice(from, from + 50)).samples);
    }
  for (const [index, { outputs }] of together.entries()) expect(Float64Array.from(outputs)).toEqual(alone[index]);
});
