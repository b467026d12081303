/** One pass: every output is the sum of `radix` inputs, each turned by j × k parts of a full turn, and is then turned as a whole. */
type Pass = {
  readonly radix: number;
  readonly parts: number;
  readonly stride: number;
  readonly unit: Complex; // a full turn in `radix` parts
  readonly rows: Complex; // of output k its inputs' turns, row after row; of a large radix only the two rows in use
  readonly turns: Complex; // of the outputs, part after part
};
type Plan = {
  readonly passes: readonly Pass[];
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly room: readonly [Complex, Complex, Complex]; // of two passes, and of what goes into the first
};
type Complex = { readonly re: Float64Array; readonly im: Float64Array };
const plans = new Map<number, Plan>();

/** The lengths in use are few (one or two per window length); more than this many means a bug in the caller. */
const MAX_PLANS = 32;
/** A prime up to this has all its rows as a table (a quarter of a MB); a larger one gets them as they are needed. */
const MAX_TABLE_RADIX = 128;

/**
 * The discrete Fourier transform of a complex signal of any length, by mixed-radix Stockham steps (one per prime factor): windows of
 * 178 = 2 × 89 or 696 = 8 × 3 × 29 samples need no padding, so that a bin stays where its frequency is. The result is valid until the next call.
 */
function fourier(signal: Complex): Complex {
  const { passes, room } = planFor(signal.re.length);
  let from = signal;
  let [to, other] = room;
  for (const pass of passes) {
    transform(pass, from, to);
    from = to;
    [to, other] = [other, to];
  }
  return from;
}

function transform(pass: Pass, from: Complex, to: Complex): void {
  const { radix, parts } = pass;
  for (let part = 0; part < parts; part++) {
    let k = 0;
    // Two outputs at a time: their sums do not wait for each other.
    for (; k + 1 < radix; k += 2) twoOutputs(pass, from, to, k, part);
    if (k < radix) oneOutput(pass, from, to, k, part);
  }
}

function oneOutput(pass: Pass, from: Complex, to: Complex, k: number, part: number): void {
  const { radix, parts, stride, rows, turns } = pass;
  const row = rowAt(pass, k);
  const apart = stride * parts;
  const out = stride * (radix * part + k);
  const turnRe = turns.re[part * radix + k] as number;
  const turnIm = turns.im[part * radix + k] as number;
  for (let q = 0; q < stride; q++) {
    let re = 0;
    let im = 0;
    for (let j = 0, at = q + stride * part; j < radix; j++, at += apart) {
      const c = rows.re[row + j] as number;
      const s = rows.im[row + j] as number;
      const x = from.re[at] as number;
      const y = from.im[at] as number;
      re += x * c + y * s;
      im += y * c - x * s;
    }
    to.re[out + q] = re * turnRe - im * turnIm;
    to.im[out + q] = re * turnIm + im * turnRe;
  }
}

/** The same for outputs k and k + 1. */
function twoOutputs(pass: Pass, from: Complex, to: Complex, k: number, part: number): void {
  const { radix, parts, stride, rows, turns } = pass;
  const row = rowAt(pass, k);
  const next = row + radix;
  const apart = stride * parts;
  const out = stride * (radix * part + k);
  const turn = part * radix + k;
  for (let q = 0; q < stride; q++) {
    let re = 0;
    let im = 0;
    let nextRe = 0;
    let nextIm = 0;
    for (let j = 0, at = q + stride * part; j < radix; j++, at += apart) {
      const x = from.re[at] as number;
      const y = from.im[at] as number;
      const c = rows.re[row + j] as number;
      const s = rows.im[row + j] as number;
      const nextC = rows.re[next + j] as number;
      const nextS = rows.im[next + j] as number;
      re += x * c + y * s;
      im += y * c - x * s;
      nextRe += x * nextC + y * nextS;
      nextIm += y * nextC - x * nextS;
    }
    to.re[out + q] = re * (turns.re[turn] as number) - im * (turns.im[turn] as number);
    to.im[out + q] = re * (turns.im[turn] as number) + im * (turns.re[turn] as number);
    to.re[out + stride + q] = nextRe * (turns.re[turn + 1] as number) - nextIm * (turns.im[turn + 1] as number);
    to.im[out + stride + q] = nextRe * (turns.im[turn + 1] as number) + nextIm * (turns.re[turn + 1] as number);
  }
}

/** Where the turns of output k lie, and behind them those of k + 1. */
function rowAt({ radix, unit, rows }: Pass, k: number): number {
  if (radix <= MAX_TABLE_RADIX) return k * radix;
  fillRows(unit, rows, radix, k);
  return 0;
}

/** Rows from that of output `firstK` on, as many as there is room for. */
function fillRows(unit: Complex, rows: Complex, radix: number, firstK: number): void {
  for (let at = 0; at < rows.re.length; at++) {
    const parts = ((at % radix) * (firstK + Math.floor(at / radix))) % radix;
    rows.re[at] = unit.re[parts] as number;
    rows.im[at] = unit.im[parts] as number;
  }
}

/** Bins 0 to half the length (both included for an even length) of a real signal's transform, as squared magnitudes. */
export function squaredMagnitudes(signal: Float64Array): Float64Array {
  const length = signal.length;
  const power = new Float64Array(Math.floor(length / 2) + 1);
  if (length % 2 === 1) {
    const { re, im } = fourier({ re: signal, im: planFor(length).room[2].im.fill(0) });
    for (let bin = 0; bin < power.length; bin++) power[bin] = (re[bin] as number) ** 2 + (im[bin] as number) ** 2;
    return power;
  }
  // Two real samples as one complex one halve the length; the even and odd halves are taken apart again afterwards.
  const half = length / 2;
  const pairs = planFor(half).room[2];
  for (let index = 0; index < half; index++) {
    pairs.re[index] = signal[2 * index] as number;
    pairs.im[index] = signal[2 * index + 1] as number;
  }
  const { re, im } = fourier(pairs);
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
  const cos = Float64Array.from({ length }, (_, index) => Math.cos(angle(index)));
  const sin = Float64Array.from({ length }, (_, index) => Math.sin(angle(index)));
  const plan = { passes: passesOf(length, cos, sin), cos, sin, room: [roomFor(length), roomFor(length), roomFor(length)] as const };
  plans.set(length, plan);
  return plan;
}

function passesOf(length: number, cos: Float64Array, sin: Float64Array): Pass[] {
  let left = length;
  let stride = 1;
  return factorsOf(length).map((radix) => {
    const parts = left / radix;
    const unit = {
      re: Float64Array.from({ length: radix }, (_, part) => cos[part * (length / radix)] as number),
      im: Float64Array.from({ length: radix }, (_, part) => sin[part * (length / radix)] as number),
    };
    const rows = roomFor(radix * (radix <= MAX_TABLE_RADIX ? radix : 2));
    fillRows(unit, rows, radix, 0);
    const angles = Array.from({ length: left }, (_, at) => ((Math.floor(at / radix) * (at % radix)) % left) * stride);
    const turns = {
      re: Float64Array.from(angles, (index) => cos[index] as number),
      im: Float64Array.from(angles, (index) => -(sin[index] as number)),
    };
    const pass: Pass = { radix, parts, stride, unit, rows, turns };
    left = parts;
    stride *= radix;
    return pass;
  });
}

function roomFor(length: number): Complex {
  return { re: new Float64Array(length), im: new Float64Array(length) };
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
