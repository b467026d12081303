import type { Rate } from '@vitalwire/contract';
import { filterInPlace, highPass, notch, type Section } from './filters.ts';
import { Resampler } from './resampler.ts';
import { SampleTail } from './sample-tail.ts';
import { type WindowShape, windowShapeFor } from './windows.ts';

/** The rate every signal is brought to before its features are taken: that of the training data. */
export const chainRate: Rate = { num: 17361, den: 100 };
export const chainRateHz = chainRate.num / chainRate.den;

/** Samples of a window after resampling: 4 × 174, 4.009 s. */
export const chainWindowSamples = 696;

/**
 * How far back a window looks, in hops (1 s each). The filter starts anew for every window, this long before it, so that a
 * window's samples are a function of a bounded stretch of its recording: the same bits live and after an outage.
 */
export const WARM_UP_HOPS = 6;

/** Windows that begin less than this many hops after a start or a hole are masked: filters and electrodes settle. */
export const MASKED_HOPS = 2;

/** Samples at the chain's rate of one hop. */
const HOP_SAMPLES = chainWindowSamples / 4;

/** One channel's part of a window: views of what the chain holds, valid until the next push. */
export type ChainChannel = {
  readonly raw: Float64Array; // as pushed, in microvolts, at the recording's own rate: what the quality gate looks at
  readonly recent: Float64Array; // at the chain's rate, unfiltered; the window is its last 696 samples, before them the warm-up
};

export type ChainWindow = {
  readonly window: number; // firstSample / hop; negative in what precedes the recording
  readonly firstSample: number;
  readonly masked: boolean; // too soon after a start or a hole
  readonly channels: readonly ChainChannel[];
};

/**
 * Cuts the joined samples of one recording, any number of channels, into windows of 4 s every second and brings them to the chain's rate. Samples already
 * seen are dropped; samples that do not join begin anew, and no window bridges the hole. What precedes the recording
 * without a gap may be pushed under negative numbers.
 */
export class SignalChain {
  readonly shape: WindowShape;
  readonly #rate: Rate;
  #resamplers: readonly Resampler[];
  #raw: readonly SampleTail[];
  #resampled: readonly SampleTail[];
  #started = false;
  #startedAt = 0;
  #neededFrom = { raw: 0, resampled: 0 }; // what lies before is of windows that were handed out

  constructor(rate: Rate, channels: number) {
    this.#rate = rate;
    this.shape = windowShapeFor(rate);
    this.#resamplers = Array.from({ length: channels }, () => new Resampler(rate, chainRate));
    this.#raw = this.#resamplers.map(() => new SampleTail());
    this.#resampled = this.#resamplers.map(() => new SampleTail());
  }

  /** Another chain that goes on from here. */
  clone(): SignalChain {
    const copy = new SignalChain(this.#rate, 0);
    copy.#resamplers = this.#resamplers.map((resampler) => resampler.clone());
    copy.#raw = this.#raw.map((tail) => tail.clone());
    copy.#resampled = this.#resampled.map((tail) => tail.clone());
    copy.#started = this.#started;
    copy.#startedAt = this.#startedAt;
    copy.#neededFrom = this.#neededFrom;
    return copy;
  }

  /** The sample that would join what was pushed. */
  get nextSample(): number {
    return this.#raw[0]?.end ?? 0;
  }

  /** Where the stretch that is being pushed began; null before the first. */
  get startedAt(): number | null {
    return this.#started ? this.#startedAt : null;
  }

  /** Adds samples in microvolts, one array of equal length per channel, and returns the windows they complete. */
  push(firstSample: number, channels: readonly Float64Array[]): ChainWindow[] {
    if (channels.length !== this.#raw.length) throw new RangeError(`${channels.length} channels pushed, the chain has ${this.#raw.length}`);
    const count = channels[0]?.length ?? 0;
    if (channels.some(({ length }) => length !== count)) throw new RangeError('channels of different lengths');
    const seen = this.#started ? Math.min(count, Math.max(0, this.nextSample - firstSample)) : 0;
    if (seen === count) return [];
    if (!this.#started || firstSample > this.nextSample) this.#restart(firstSample);
    else this.#forget();
    const cutFrom = this.nextSample;
    for (const [index, samples] of channels.entries()) {
      const fresh = seen === 0 ? samples : samples.subarray(seen);
      this.#raw[index]?.push(fresh);
      this.#resampled[index]?.push(this.#resamplers[index]?.push(fresh).samples ?? new Float64Array(0));
    }
    return this.#cut(cutFrom);
  }

  #restart(firstSample: number): void {
    this.#started = true;
    this.#startedAt = firstSample;
    for (const [index, resampler] of this.#resamplers.entries()) {
      resampler.restart(firstSample);
      this.#raw[index]?.restart(firstSample);
      this.#resampled[index]?.restart(resampler.nextOutput);
    }
  }

  /** The windows that became complete by the samples from `cutFrom` on. */
  #cut(cutFrom: number): ChainWindow[] {
    const { windowSamples, hopSamples } = this.shape;
    const lastBefore = (sample: number) => Math.floor((sample - windowSamples) / hopSamples);
    const first = Math.max(Math.ceil(this.#startedAt / hopSamples), lastBefore(cutFrom) + 1);
    const windows: ChainWindow[] = [];
    for (let window = first; window <= lastBefore(this.nextSample); window++) windows.push(this.#windowAt(window));
    const next = (first + windows.length) * hopSamples;
    const recentFrom = (this.#resamplers[0]?.firstNeeding(next + windowSamples) ?? 0) - chainWindowSamples - WARM_UP_HOPS * HOP_SAMPLES;
    this.#neededFrom = { raw: next, resampled: recentFrom };
    return windows;
  }

  #forget(): void {
    for (const tail of this.#raw) tail.forgetBefore(this.#neededFrom.raw);
    for (const tail of this.#resampled) tail.forgetBefore(this.#neededFrom.resampled);
  }

  #windowAt(window: number): ChainWindow {
    const { windowSamples, hopSamples } = this.shape;
    const firstSample = window * hopSamples;
    const end = this.#resamplers[0]?.firstNeeding(firstSample + windowSamples) ?? 0;
    return {
      window,
      firstSample,
      masked: firstSample < this.#startedAt + MASKED_HOPS * hopSamples,
      channels: this.#raw.map((raw, index) => {
        const resampled = this.#resampled[index] as SampleTail;
        const from = Math.max(resampled.from, end - chainWindowSamples - WARM_UP_HOPS * HOP_SAMPLES);
        return { raw: raw.view(firstSample, firstSample + windowSamples), recent: resampled.view(from, end) };
      }),
    };
  }
}

const conditioning: readonly Section[] = highPass(2, 0.5, chainRateHz);
const notches = new Map<number, readonly Section[]>([50, 60].map((hertz) => [hertz, notch(hertz, 10, chainRateHz)]));

/**
 * The last `length` samples of `recent` after a causal high-pass at 0.5 Hz, and a notch where hum was found. There is no low-pass at 40 Hz:
 * the training data's amplifier has one already, and a second one costs sensitivity (4 s windows, F+N: .92 to .88 at specificity .99).
 */
export function conditioned(recent: Float64Array, length: number, humHz: 50 | 60 | null = null): Float64Array {
  const sections = humHz === null ? conditioning : [...conditioning, ...(notches.get(humHz) ?? [])];
  const filtered = filterInPlace(sections, recent.slice());
  return filtered.subarray(Math.max(0, filtered.length - length));
}
