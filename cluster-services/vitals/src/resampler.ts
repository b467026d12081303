import type { Rate } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/contract';

/** Samples at one rate, numbered as if they had always come: sample k of the output lies at k / rate seconds from the recording's sample 0. */
export type Resampled = { readonly first: number; readonly samples: Float64Array };

/** Half the length of the impulse response in samples of the slower of the two rates. */
const HALF_SPAN = 24;
/** The middle of the transition band as a share of the slower rate: with this span flat below .40 and 75 dB down from .50 on. */
const CUTOFF = 0.45;
const KAISER_BETA = 7.5;
/** Points of the impulse response per sample of the slower rate; between them it is taken as straight, an error 100 dB down. */
const POINTS = 512;

/**
 * One channel from any rate to another by a windowed-sinc filter (Kaiser window) whose every output instant is an exact rational: nothing drifts, however long
 * it runs. The filter's memory is finite and an output depends only on the input around its own instant, so the outputs are the same
 * bits however the input is cut, and wherever one joins it. Before the first sample after a hole the signal is taken to have stood still.
 */
export class Resampler {
  readonly #step: { readonly whole: number; readonly rest: number };
  readonly #bigStep: bigint;
  readonly #parts: number; // an output instant is a whole number of 1/parts input samples
  readonly #reach: number; // input samples needed on either side
  readonly #same: boolean;
  readonly #weights: Weights;
  readonly #rates: readonly [Rate, Rate];
  #held = new Float64Array(0); // room; what is held are its first #count samples
  #count = 0;
  #heldFrom = 0;
  #next = 0; // the next output's number
  #base = 0; // floor of its instant, in input samples
  #rest = 0; // and what is left, in parts

  constructor(from: Rate, to: Rate) {
    this.#rates = [from, to];
    const [step, parts] = lowestTerms(BigInt(from.num) * BigInt(to.den), BigInt(to.num) * BigInt(from.den));
    this.#parts = parts;
    this.#bigStep = BigInt(step);
    this.#step = { whole: Math.floor(step / parts), rest: step % parts };
    this.#same = step === parts;
    const scale = Math.min(1, parts / step);
    this.#reach = this.#same ? 0 : Math.ceil(HALF_SPAN / scale);
    this.#weights = weightsFor(parts, scale, this.#reach);
    this.restart(0);
  }

  clone(): Resampler {
    const copy = new Resampler(...this.#rates);
    copy.#held = this.#held.slice();
    copy.#count = this.#count;
    copy.#heldFrom = this.#heldFrom;
    copy.#next = this.#next;
    copy.#base = this.#base;
    copy.#rest = this.#rest;
    return copy;
  }

  /** Input samples that must follow an instant before its output is known. */
  get reach(): number {
    return this.#reach;
  }

  /** The number of the output that comes next. */
  get nextOutput(): number {
    return this.#next;
  }

  /** Forgets everything: the next sample is number `sample`, and nothing is known before it. */
  restart(sample: number): void {
    this.#count = 0;
    this.#heldFrom = sample;
    const next = this.#outputsBefore(BigInt(sample));
    const instant = next * this.#bigStep;
    const base = floorOf(instant, BigInt(this.#parts));
    this.#next = Number(next);
    this.#base = Number(base);
    this.#rest = Number(instant - base * BigInt(this.#parts));
  }

  /** The number of the first output that needs input from `sample` on. */
  firstNeeding(sample: number): number {
    return Number(this.#outputsBefore(BigInt(sample - this.#reach)));
  }

  /** The first output at or after the instant of an input sample. */
  #outputsBefore(sample: bigint): bigint {
    return -floorOf(-sample * BigInt(this.#parts), this.#bigStep);
  }

  /** Adds input that joins what came before, and returns the outputs that are now known. */
  push(samples: Float64Array): Resampled {
    const first = this.#next;
    if (this.#same) {
      this.#next += samples.length;
      return { first, samples: samples.slice() };
    }
    this.#hold(samples);
    const end = this.#heldFrom + this.#count;
    const perOutput = this.#step.whole + this.#step.rest / this.#parts;
    const known = new Float64Array(Math.max(0, Math.ceil((end - this.#reach - this.#base) / perOutput) + 1)); // never too few
    let count = 0;
    while (this.#base + this.#reach < end) {
      known[count++] = this.#output();
      this.#advance();
    }
    this.#forget();
    return { first, samples: known.subarray(0, count) };
  }

  #output(): number {
    const { values, sums, firstTaps, endTaps, span } = this.#weights;
    const slot = slotOf(this.#weights, this.#rest);
    const held = this.#held;
    const from = this.#base - this.#reach + 1 - this.#heldFrom;
    const endTap = endTaps[slot] as number; // its input is held: outputs wait for it
    const weightsAt = slot * span;
    let tap = firstTaps[slot] as number;
    let sum = 0;
    for (; tap < endTap && from + tap < 0; tap++) sum += (values[weightsAt + tap] as number) * (held[0] as number);
    for (; tap < endTap; tap++) sum += (values[weightsAt + tap] as number) * (held[from + tap] as number);
    // Divided by the sum of the weights, so that a constant stays exactly what it is.
    return sum / (sums[slot] as number);
  }

  #advance(): void {
    this.#next++;
    this.#base += this.#step.whole;
    this.#rest += this.#step.rest;
    if (this.#rest >= this.#parts) {
      this.#rest -= this.#parts;
      this.#base++;
    }
  }

  #hold(samples: Float64Array): void {
    const count = this.#count + samples.length;
    if (count > this.#held.length) {
      const grown = new Float64Array(2 * count);
      grown.set(this.#held.subarray(0, this.#count));
      this.#held = grown;
    }
    this.#held.set(samples, this.#count);
    this.#count = count;
  }

  /** Keeps the first sample after a start for as long as outputs may reach before it. */
  #forget(): void {
    const drop = Math.min(this.#base - this.#reach + 1 - this.#heldFrom, this.#count - 1);
    if (drop <= 0) return;
    this.#held.copyWithin(0, drop, this.#count);
    this.#count -= drop;
    this.#heldFrom += drop;
  }
}

/**
 * The weights of output instants, by what is left of the instant in parts. All channels of a recording, and all recordings of a rate, ask for the
 * same ones one after the other: the latest are kept.
 */
type Weights = {
  readonly parts: number;
  readonly scale: number; // samples of the slower rate per input sample
  readonly reach: number;
  readonly span: number; // taps of an output
  readonly rests: Float64Array; // of each slot; -1 = empty
  readonly values: Float64Array; // slot after slot
  readonly sums: Float64Array; // of each slot's weights, in their order
  readonly firstTaps: Int32Array; // taps outside the impulse response have no weight
  readonly endTaps: Int32Array;
};

/** Instants kept per pair of rates: a push of a second at any rate asks for fewer. */
const SLOTS = 512;
/** Pairs of rates in use at once; with more the oldest are computed anew. */
const MAX_WEIGHTS = 16;
const weightsInUse = new RecentMap<string, Weights>(MAX_WEIGHTS);

function weightsFor(parts: number, scale: number, reach: number): Weights {
  const key = `${parts}/${scale}`;
  const known = weightsInUse.get(key);
  if (known !== undefined) return known;
  const span = 2 * reach;
  const weights: Weights = {
    parts,
    scale,
    reach,
    span,
    rests: new Float64Array(SLOTS).fill(-1),
    values: new Float64Array(SLOTS * span),
    sums: new Float64Array(SLOTS),
    firstTaps: new Int32Array(SLOTS),
    endTaps: new Int32Array(SLOTS),
  };
  weightsInUse.set(key, weights);
  return weights;
}

/** Where the weights of an instant are, computed if they are not kept. */
function slotOf(weights: Weights, rest: number): number {
  const slot = rest % SLOTS;
  if (weights.rests[slot] === rest) return slot;
  const { parts, scale, reach, span, rests, values, sums, firstTaps, endTaps } = weights;
  const fraction = rest / parts;
  const perSample = scale * POINTS;
  let sum = 0;
  let firstTap = span;
  let endTap = 0;
  for (let tap = 0; tap < span; tap++) {
    const distance = Math.abs(tap - reach + 1 - fraction) * perSample;
    const point = Math.floor(distance);
    if (point >= impulse.length - 1) continue;
    const low = impulse[point] as number;
    const weight = low + ((impulse[point + 1] as number) - low) * (distance - point);
    values[slot * span + tap] = weight;
    sum += weight;
    firstTap = Math.min(firstTap, tap);
    endTap = tap + 1;
  }
  rests[slot] = rest;
  sums[slot] = sum;
  firstTaps[slot] = firstTap;
  endTaps[slot] = endTap;
  return slot;
}

const impulse = impulseResponse();

/** The right half of a Kaiser-windowed sinc, POINTS values per sample of the slower rate. */
function impulseResponse(): Float64Array {
  return Float64Array.from({ length: HALF_SPAN * POINTS + 1 }, (_, point) => {
    const x = point / POINTS;
    const angle = 2 * Math.PI * CUTOFF * x;
    const sinc = x === 0 ? 1 : Math.sin(angle) / angle;
    return (sinc * bessel0(KAISER_BETA * Math.sqrt(1 - (x / HALF_SPAN) ** 2))) / bessel0(KAISER_BETA);
  });
}

/** The modified Bessel function of order 0, by its power series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function floorOf(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return quotient * divisor > dividend ? quotient - 1n : quotient;
}

function lowestTerms(a: bigint, b: bigint): [number, number] {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return [Number(a / x), Number(b / x)];
}
