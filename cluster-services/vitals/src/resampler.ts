import type { Rate } from '@vitalwire/contract';

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
  readonly #scale: number; // samples of the slower rate per input sample
  readonly #reach: number; // input samples needed on either side
  readonly #same: boolean;
  readonly #rates: readonly [Rate, Rate];
  #held: Float64Array = new Float64Array(0);
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
    this.#scale = Math.min(1, parts / step);
    this.#reach = this.#same ? 0 : Math.ceil(HALF_SPAN / this.#scale);
    this.restart(0);
  }

  clone(): Resampler {
    const copy = new Resampler(...this.#rates);
    copy.#held = this.#held; // never changed in place
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
    this.#held = new Float64Array(0);
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
      return { first, samples: Float64Array.from(samples) };
    }
    this.#hold(samples);
    const end = this.#heldFrom + this.#held.length;
    const known: number[] = [];
    while (this.#base + this.#reach < end) {
      known.push(this.#output());
      this.#advance();
    }
    this.#forget();
    return { first, samples: Float64Array.from(known) };
  }

  #output(): number {
    const fraction = this.#rest / this.#parts;
    const held = this.#held;
    const last = held.length - 1;
    const from = this.#base - this.#reach + 1 - this.#heldFrom;
    const span = 2 * this.#reach;
    const perSample = this.#scale * POINTS;
    let sum = 0;
    let weights = 0;
    for (let tap = 0; tap < span; tap++) {
      const at = from + tap;
      const distance = Math.abs(tap - this.#reach + 1 - fraction) * perSample;
      const point = Math.floor(distance);
      if (point >= impulse.length - 1) continue;
      const low = impulse[point] as number;
      const weight = low + ((impulse[point + 1] as number) - low) * (distance - point);
      weights += weight;
      sum += weight * (held[at < 0 ? 0 : at > last ? last : at] as number);
    }
    // Divided by the sum of the weights, so that a constant stays exactly what it is.
    return sum / weights;
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
    const both = new Float64Array(this.#held.length + samples.length);
    both.set(this.#held);
    both.set(samples, this.#held.length);
    this.#held = both;
  }

  /** Keeps the first sample after a start for as long as outputs may reach before it. */
  #forget(): void {
    const drop = Math.min(this.#base - this.#reach + 1 - this.#heldFrom, this.#held.length - 1);
    if (drop <= 0) return;
    this.#held = this.#held.slice(drop);
    this.#heldFrom += drop;
  }
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
