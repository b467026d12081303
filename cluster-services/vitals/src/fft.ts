type Plan = { readonly factors: readonly number[]; readonly cos: Float64Array; readonly sin: Float64Array };
const plans = new Map<number, Plan>();

/** The lengths in use are few (one or two per window length); more than this many means a bug in the caller. */
const MAX_PLANS = 32;

/**
 * The discrete Fourier transform of a complex signal of any length, by mixed-radix Stockham steps (one per prime factor): windows of
 * 178 = 2 × 89 or 696 = 8 × 3 × 29 samples need no padding, so that a bin stays where its frequency is.
 */
export function fourier(re: Float64Array, im: Float64Array): { readonly re: Float64Array; readonly im: Float64Array } {
  const length = re.length;
  const { factors, cos, sin } = planFor(length);
  let from = { re: Float64Array.from(re), im: Float64Array.from(im) };
  let to = { re: new Float64Array(length), im: new Float64Array(length) };
  let left = length;
  let stride = 1;
  for (const radix of factors) {
    const parts = left / radix;
    for (let part = 0; part < parts; part++) {
      for (let k = 0; k < radix; k++) {
        const turn = ((part * k) % left) * stride;
        const turnRe = cos[turn] as number;
        const turnIm = -(sin[turn] as number);
        for (let q = 0; q < stride; q++) {
          let sumRe = 0;
          let sumIm = 0;
          for (let j = 0; j < radix; j++) {
            const at = q + stride * (part + parts * j);
            const angle = ((j * k) % radix) * (length / radix);
            const c = cos[angle] as number;
            const s = sin[angle] as number;
            const x = from.re[at] as number;
            const y = from.im[at] as number;
            sumRe += x * c + y * s;
            sumIm += y * c - x * s;
          }
          const out = q + stride * (radix * part + k);
          to.re[out] = sumRe * turnRe - sumIm * turnIm;
          to.im[out] = sumRe * turnIm + sumIm * turnRe;
        }
      }
    }
    left = parts;
    stride *= radix;
    [from, to] = [to, from];
  }
  return from;
}

/** Bins 0 to half the length (both included for an even length) of a real signal's transform, as squared magnitudes. */
export function squaredMagnitudes(signal: Float64Array): Float64Array {
  const length = signal.length;
  const power = new Float64Array(Math.floor(length / 2) + 1);
  if (length % 2 === 1) {
    const { re, im } = fourier(signal, new Float64Array(length));
    for (let bin = 0; bin < power.length; bin++) power[bin] = (re[bin] as number) ** 2 + (im[bin] as number) ** 2;
    return power;
  }
  // Two real samples as one complex one halve the length; the even and odd halves are taken apart again afterwards.
  const half = length / 2;
  const evens = new Float64Array(half);
  const odds = new Float64Array(half);
  for (let index = 0; index < half; index++) {
    evens[index] = signal[2 * index] as number;
    odds[index] = signal[2 * index + 1] as number;
  }
  const { re, im } = fourier(evens, odds);
  const { cos, sin } = planFor(length);
  for (let bin = 0; bin <= half; bin++) {
    const here = bin % half;
    const there = (half - bin) % half;
    const evenRe = ((re[here] as number) + (re[there] as number)) / 2;
    const evenIm = ((im[here] as number) - (im[there] as number)) / 2;
    const oddRe = ((im[here] as number) + (im[there] as number)) / 2;
    const oddIm = ((re[there] as number) - (re[here] as number)) / 2;
    const c = bin === half ? -1 : (cos[bin] as number);
    const s = bin === half ? 0 : -(sin[bin] as number);
    power[bin] = (evenRe + c * oddRe - s * oddIm) ** 2 + (evenIm + c * oddIm + s * oddRe) ** 2;
  }
  return power;
}

function planFor(length: number): Plan {
  const known = plans.get(length);
  if (known !== undefined) return known;
  if (plans.size >= MAX_PLANS) plans.clear();
  const angle = (index: number) => (2 * Math.PI * index) / length;
  const plan = {
    factors: factorsOf(length),
    cos: Float64Array.from({ length }, (_, index) => Math.cos(angle(index))),
    sin: Float64Array.from({ length }, (_, index) => Math.sin(angle(index))),
  };
  plans.set(length, plan);
  return plan;
}

/** Prime factors, 4 taken as one: fewer passes over the data. */
function factorsOf(length: number): number[] {
  const factors: number[] = [];
  let rest = length;
  for (let factor = 4; rest > 1; factor = factor === 4 ? 2 : factor === 2 ? 3 : factor + 2) {
    if (factor > 4 && factor * factor > rest) factor = rest;
    while (rest % factor === 0) {
      factors.push(factor);
      rest /= factor;
    }
  }
  return factors;
}
