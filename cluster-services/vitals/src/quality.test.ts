import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkQuality } from './quality.ts';

const rateHz = 173.61;
const rails = { min: -2048, max: 2047 };
const window = (at: (seconds: number, index: number) => number) => Array.from({ length: 178 }, (_, index) => at(index / rateHz, index));
const sine = (hertz: number, seconds: number) => Math.sin(2 * Math.PI * hertz * seconds);
/** Smooth, band-limited, some 40 µV: what a quiet EEG looks like to the gate. */
const calm = (seconds: number) => 40 * sine(2.3, seconds) + 25 * sine(9.7, seconds) + 8 * sine(17.1, seconds) + 5 * sine(27.7, seconds);
/** Repeatable noise around zero with SD 1. */
const noise = (index: number) => 1.7 * (2 * ((Math.sin(index * 12.9898) * 43758.5453) % 1) - Math.sign(Math.sin(index * 12.9898)));

const reasonOf = (values: readonly number[]) => {
  const quality = checkQuality(values, rateHz, { rails });
  return quality.scorable ? null : quality.reason;
};

test('a smooth signal of plausible size is scorable', () => {
  expect(reasonOf(window(calm))).toBeNull();
});

test.each([
  ['missing', window((seconds, index) => (index === 90 ? Number.NaN : calm(seconds)))],
  ['flat', window(() => 0)],
  ['flat', window((seconds, index) => (index > 60 && index < 69 ? 12 : calm(seconds)))],
  ['flat', window((seconds) => 200 * Math.sign(sine(3, seconds)))],
  ['low-amplitude', window((seconds) => calm(seconds) / 20)],
  ['high-amplitude', window((seconds) => calm(seconds) * 40)],
  ['railed', window(() => 2047)],
  ['railed', window((seconds, index) => (index > 60 && index < 131 ? -2048 : calm(seconds)))],
  ['railed', window((seconds) => Math.max(-2048, Math.min(2047, 600 * calm(seconds))))],
  ['drop-outs', window((seconds, index) => (index % 11 === 5 ? 0 : calm(seconds) + 90))],
  ['mains-hum', window((seconds) => calm(seconds) + 100 * sine(50, seconds))],
  ['mains-hum', window((seconds) => calm(seconds) + 100 * sine(60, seconds))],
  ['broadband-noise', window((seconds, index) => calm(seconds) + 60 * noise(index))],
  ['steps', window((seconds, index) => 200 * Math.sign(sine(3, seconds)) + 3 * noise(index))],
  ['steps', window((_, index) => (index % 58) * 10)],
])('%s is named', (reason, values) => {
  expect(reasonOf(values)).toBe(reason);
});

test.each([1.2, 1.5, 2, 2.5])('a wave %d times as large as its converter is clipped and judged all the same', (times) => {
  const wave = (seconds: number) => 2047 * times * (sine(3, seconds) + 0.2 * sine(11, seconds));
  const seen = window((seconds) => Math.max(-2048, Math.min(2047, Math.round(wave(seconds) / 4) * 4)));
  expect(checkQuality(seen, rateHz, { rails, maxSdUv: 2000 })).toEqual({ scorable: true, clipped: true });
});

test('a few clipped samples are no clipping', () => {
  expect(
    checkQuality(
      window((seconds, index) => (index === 50 ? 2047 : 20 * calm(seconds))),
      rateHz,
      { rails, maxSdUv: 2000 },
    ),
  ).toEqual({ scorable: true });
});

test('seven equal samples pass, eight do not', () => {
  const held = (count: number) => window((seconds, index) => (index >= 80 && index < 80 + count ? 33.3 : calm(seconds)));
  expect(reasonOf(held(7))).not.toBe('flat');
  expect(reasonOf(held(8))).toBe('flat');
});

test('nothing that is not a number passes, and nothing throws', () => {
  fc.assert(
    fc.property(fc.array(fc.double(), { maxLength: 200 }), (values) => {
      const quality = checkQuality(values, rateHz, { rails });
      if (quality.scorable) expect(values.every(Number.isFinite)).toBe(true);
    }),
  );
});

test('polarity makes no difference', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2000, max: 2000 }), { minLength: 178, maxLength: 178 }), (values) => {
      expect(
        checkQuality(
          values.map((value) => -value),
          rateHz,
        ),
      ).toEqual(checkQuality(values, rateHz));
    }),
  );
});

test('a signal that merely passes through zero has no drop-outs', () => {
  expect(reasonOf(window((seconds) => Math.round(calm(seconds))))).toBeNull();
});

test('the limits that count samples mean times: at 2048 Hz slow signals of whole counts are no flat lines and no steps', () => {
  const fast = Array.from({ length: 8192 }, (_, index) => Math.round(calm(index / 2048)));
  expect(checkQuality(fast, 2048, { rails })).toEqual({ scorable: true });
  const held = fast.map((value, index) => (index > 1000 && index < 1100 ? 12 : value));
  expect(checkQuality(held, 2048, { rails })).toEqual({ scorable: false, reason: 'flat' });
});
