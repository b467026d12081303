import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseHalfRange, Sweep } from './sweep.ts';

const second = 1_000_000;
const rateHz = 100;
const interval = second / rateHz;

function signal(fromSample: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.sin((fromSample + index) / 7) * 50);
}

function picture(sweep: Sweep): string {
  return Array.from({ length: sweep.columns }, (_, slot) => (sweep.column(slot) === null ? '.' : '#')).join('');
}

test('a gap is an empty stretch, and the trace goes on at its right place after it', () => {
  const sweep = new Sweep(100, 10);
  sweep.push(0, interval, signal(0, 200)); // 0 to 2 s
  sweep.push(5 * second, interval, signal(500, 200)); // 5 to 7 s
  expect(picture(sweep)).toBe(`${'#'.repeat(20)}${'.'.repeat(30)}${'#'.repeat(20)}${'.'.repeat(30)}`);
});

test('an erase bar runs ahead of the newest column and the old page stands behind it', () => {
  const sweep = new Sweep(80, 10);
  sweep.push(0, interval, signal(0, 1_500)); // one page and a half
  expect(sweep.head()).toBe(39);
  expect(picture(sweep)).toBe(`${'#'.repeat(40)}..${'#'.repeat(38)}`);
});

test('while nothing arrives the erase bar moves on by the clock: the picture does not freeze', () => {
  const sweep = new Sweep(100, 10);
  sweep.push(0, interval, signal(0, 1_000));
  sweep.advanceTo(14 * second);
  expect(picture(sweep).indexOf('#')).toBeGreaterThanOrEqual(40);
  sweep.advanceTo(25 * second);
  expect(picture(sweep)).toBe('.'.repeat(100));
});

test('late chunks fill the place they belong to, in any order, and older ones than the page are not drawn', () => {
  const chunks = Array.from({ length: 12 }, (_, index) => index);
  const whole = new Sweep(60, 10);
  for (const chunk of chunks) whole.push(chunk * second, interval, signal(chunk * rateHz, rateHz));
  fc.assert(
    fc.property(fc.shuffledSubarray(chunks, { minLength: 12, maxLength: 12 }), (order) => {
      const sweep = new Sweep(60, 10);
      for (const chunk of order) sweep.push(chunk * second, interval, signal(chunk * rateHz, rateHz));
      expect(picture(sweep)).toBe(picture(whole));
      expect(sweep.peak()).toBeCloseTo(whole.peak(), 5);
    }),
  );
});

test('a spike of one sample survives any width', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 400 }), fc.integer({ min: 200, max: 990 }), (columns, at) => {
      const sweep = new Sweep(columns, 10);
      const samples = signal(0, 1_000);
      samples[at] = 900;
      sweep.push(0, interval, samples);
      const visible = Math.floor((at / 1_000) * columns) > Math.floor((999 / 1_000) * columns) - columns + sweep.eraseColumns;
      if (visible) expect(sweep.peak()).toBe(900);
    }),
  );
});

test('repeating a chunk changes nothing', () => {
  const once = new Sweep(50, 10);
  const twice = new Sweep(50, 10);
  once.push(0, interval, signal(0, 700));
  for (let repeat = 0; repeat < 2; repeat++) twice.push(0, interval, signal(0, 700));
  expect(Array.from({ length: 50 }, (_, slot) => twice.column(slot))).toEqual(Array.from({ length: 50 }, (_, slot) => once.column(slot)));
});

test('values that are no numbers leave a hole instead of a line', () => {
  const sweep = new Sweep(10, 10);
  sweep.push(0, second, [1, Number.NaN, 3, Number.POSITIVE_INFINITY, 5]);
  expect(picture(sweep)).toBe('#.#.#.....');
});

test('the range grows at once and shrinks only when the strip is mostly empty', () => {
  expect(chooseHalfRange(null, 80)).toBe(100);
  expect(chooseHalfRange(100, 101)).toBe(150);
  expect(chooseHalfRange(150, 60)).toBe(150);
  expect(chooseHalfRange(150, 40)).toBe(50);
  expect(chooseHalfRange(150, 0)).toBe(150);
});
