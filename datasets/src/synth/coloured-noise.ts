import { cosine } from './exact-math.ts';
import { fillWhite, noiseWord } from './white-noise.ts';

/**
 * Time is cut into cells of `samples`; each cell of white noise has its own word. A block of output starts its filters one cell early, from
 * rest, so that it comes out the same whether or not the block before it was ever made. One cell is long enough for every filter here.
 */
export type Cells = { readonly samples: number; readonly rateHz: number };

/** A filter fed with white noise; what comes out has variance 1. */
export type Colour = (white: Float32Array, out: Float32Array, warmUp: number) => void;

/** `out` becomes the noise of this word and colour from cell `firstCell` on; `scratch` is one cell longer than `out`. */
export function fillColoured(
  out: Float32Array,
  scratch: Float32Array,
  cells: Cells,
  firstCell: number,
  word: number,
  colour: Colour,
): void {
  const total = out.length + cells.samples;
  for (let start = 0, cell = firstCell - 1; start < total; start += cells.samples, cell++) {
    fillWhite(scratch, start, Math.min(cells.samples, total - start), noiseWord(word, cell));
  }
  colour(scratch, out, cells.samples);
}

/** The spectrum of a quiet EEG: power falling like 1/f^1.5 from half a hertz up, behind an amplifier that ends at 50 Hz. */
export function pink(rateHz: number): Colour {
  // One-pole low-passes a factor four apart; their sum falls like the wanted slope.
  const corners = [0.5, 2, 8, 32].map((corner) => 1 / (1 + (2 * Math.PI * corner) / rateHz));
  const [a1 = 0, a2 = 0, a3 = 0, a4 = 0] = corners;
  const [b1 = 0, b2 = 0, b3 = 0, b4 = 0] = pinkShares.map((share, index) => share * (1 - (corners[index] ?? 0)));
  const keep = 1 / (1 + (2 * Math.PI * 50) / rateHz);
  const pass = 1 - keep;
  const make = (gain: number): Colour => {
    const [g1, g2, g3, g4] = [b1 * gain, b2 * gain, b3 * gain, b4 * gain] as const;
    return (white, out, warmUp) => {
      let [x1, x2, x3, x4, last] = [0, 0, 0, 0, 0];
      for (let index = 0; index < warmUp; index++) {
        const w = white[index] ?? 0;
        x1 = x1 * a1 + w * g1;
        x2 = x2 * a2 + w * g2;
        x3 = x3 * a3 + w * g3;
        x4 = x4 * a4 + w * g4;
        last = last * keep + (x1 + x2 + x3 + x4) * pass;
      }
      for (let index = 0; index < out.length; index++) {
        const w = white[index + warmUp] ?? 0;
        x1 = x1 * a1 + w * g1;
        x2 = x2 * a2 + w * g2;
        x3 = x3 * a3 + w * g3;
        x4 = x4 * a4 + w * g4;
        last = last * keep + (x1 + x2 + x3 + x4) * pass;
        out[index] = last;
      }
    };
  };
  return toUnitVariance(make, rateHz);
}

/** A band round `hz`, as wide as `widthHz`: it waxes and wanes like a rhythm of the brain. Silent where the rate cannot carry it. */
export function rhythm(rateHz: number, hz: number, widthHz: number): Colour {
  if (hz > 0.45 * rateHz) return (_white, out) => out.fill(0);
  const radius = 1 / (1 + (Math.PI * widthHz) / rateHz);
  const [a1, a2] = [2 * radius * cosine(hz / rateHz), -radius * radius];
  const make =
    (gain: number): Colour =>
    (white, out, warmUp) => {
      let [before, last] = [0, 0];
      for (let index = 0; index < warmUp + out.length; index++) {
        const next = a1 * last + a2 * before + (white[index] ?? 0) * gain;
        before = last;
        last = next;
        if (index >= warmUp) out[index - warmUp] = next;
      }
    };
  return toUnitVariance(make, rateHz);
}

/** Muscle: everything from about 25 Hz up. */
export function muscleNoise(rateHz: number): Colour {
  const low = 1 / (1 + (2 * Math.PI * 25) / rateHz);
  const high = 1 / (1 + (2 * Math.PI * 90) / rateHz);
  const make =
    (gain: number): Colour =>
    (white, out, warmUp) => {
      let [slow, slower, smooth] = [0, 0, 0];
      for (let index = 0; index < warmUp + out.length; index++) {
        const w = (white[index] ?? 0) * gain;
        slow = slow * low + w * (1 - low);
        slower = slower * low + (w - slow) * (1 - low);
        smooth = smooth * high + (w - slow - slower) * (1 - high);
        if (index >= warmUp) out[index - warmUp] = smooth;
      }
    };
  return toUnitVariance(make, rateHz);
}

// 4 ** (-0.75 * n), written out because the language's power function may differ in its last bit.
const pinkShares = [1, 0.3536, 0.125, 0.0442] as const;

/** The variance of filtered white noise is the energy of the filter's answer to one impulse. */
function toUnitVariance(make: (gain: number) => Colour, rateHz: number): Colour {
  const impulse = new Float32Array(Math.ceil(8 * rateHz) + 16);
  impulse[0] = 1;
  const answer = new Float32Array(impulse.length);
  make(1)(impulse, answer, 0);
  let energy = 0;
  for (const value of answer) energy += value * value;
  return make(1 / Math.sqrt(energy));
}
