import type { Baseline, ChannelScale, Rate } from '@vitalwire/contract';
import {
  BASELINE_MEMORY_HOPS,
  type ChainWindow,
  type Gain,
  microvoltGainOf,
  type QualityReason,
  qualityLimits,
  type Rails,
  RunningBaseline,
  SignalChain,
  toPhysical,
  WARM_UP_HOPS,
  type WindowShape,
  windowShapeFor,
} from '@vitalwire/vitals';
import { distanceFrom } from './distance.ts';
import { extract } from './extract.ts';
import { amplitudeFeature, withGain } from './features.ts';
import { standardise } from './standardise.ts';
import { looksCalm, type StreamModel } from './stream-model.ts';

/** Why a channel's window has no probability. */
export type RefusalReason = QualityReason | 'warm-up' | 'unlike-training' | 'rate' | 'unit';

/** One channel's window on its way to the network: what the network is to see, or why it is to see nothing. */
export type PreparedChannel =
  | { readonly input: Float64Array; readonly baseline: Baseline }
  | { readonly input: null; readonly reason: RefusalReason };

/** A window that is ready to be scored. Holds plain values and typed arrays only, so that it can be sent between threads. */
export type PreparedWindow = {
  readonly window: number; // firstSample / hop; negative in what precedes the recording
  readonly firstSample: number;
  readonly samples: number; // per channel, at the recording's own rate
  /** Everything its score depends on was pushed: only such a score is the one that a later computation gives again. */
  readonly complete: boolean;
  readonly channels: readonly PreparedChannel[]; // one per channel of the montage
};

/** Samples of one recording as they arrive; an EEG chunk fits. */
export type StreamSamples = {
  readonly firstSample: number; // negative for what precedes the recording without a gap (the end of its predecessor)
  readonly samplesPerChannel: number;
  readonly samples: Int16Array | Int32Array | Float32Array | Float64Array; // digital values, channel after channel in montage order
};

/**
 * What lies before samples that do not join the ones pushed last. `nothing`: the recording starts here, or a hole that stays one.
 * `unseen`: there are (or may be) samples that were not pushed.
 */
export type Before = 'nothing' | 'unseen';

/** The largest gain, against what is usual, that an own baseline excuses; twice the wrong gain the evaluation tries. */
const MAX_GAIN = 10;

type UsableChannel = { readonly index: number; readonly gain: Gain; readonly rails: Rails; baseline: RunningBaseline };

/** The rates a stream takes; others are refused, window by window. Below, 40 Hz EEG does not fit; above, nothing is gained. */
export const streamRatesHz = { min: 100, max: 2048 } as const;

/** Hops that a window's score looks back before its first sample: the baseline's memory, and the filter's start before the oldest window in it. */
export const LOOKBACK_HOPS = BASELINE_MEMORY_HOPS + WARM_UP_HOPS + 1;

/** The same in samples: who computes window w alone pushes samples from w × hop - lookback (or the start) on. */
export function lookbackSamples(rate: Rate): number {
  return LOOKBACK_HOPS * windowShapeFor(rate).hopSamples;
}

/**
 * One recording's way from samples to windows ready to be scored: gate, resampler, filters, features, baseline, likeness to the training
 * data. No tfjs and no I/O in it: it can live in any thread. Samples of one recording must be pushed in order; what was seen before is dropped.
 */
export class EegStream {
  readonly shape: WindowShape;
  readonly #model: StreamModel;
  readonly #rateHz: number;
  readonly #rateFits: boolean;
  readonly #rate: Rate;
  readonly #montage: readonly ChannelScale[];
  readonly #channels: readonly (UsableChannel | null)[]; // null: not in volts, or the rate is none of ours
  readonly #usable: readonly UsableChannel[]; // in the order the chain has them
  #chain: SignalChain;
  #unseenBefore = Number.NEGATIVE_INFINITY;

  constructor(model: StreamModel, rate: Rate, montage: readonly ChannelScale[]) {
    this.#model = model;
    this.#rate = rate;
    this.#montage = montage;
    this.#rateHz = rate.num / rate.den;
    this.#rateFits = this.#rateHz >= streamRatesHz.min && this.#rateHz <= streamRatesHz.max;
    this.shape = windowShapeFor(rate);
    this.#channels = montage.map((scale, index) => {
      const gain = this.#rateFits ? microvoltGainOf(scale) : null;
      return gain === null ? null : { index, gain, rails: railsOf(scale, gain), baseline: new RunningBaseline() };
    });
    this.#usable = this.#channels.filter((channel) => channel !== null);
    // Without a usable channel windows are still cut, from silence, so that each gets its reason.
    this.#chain = new SignalChain(this.#rateFits ? rate : { num: this.shape.hopSamples, den: 1 }, Math.max(1, this.#usable.length));
  }

  /** Another stream that goes on from here: what is pushed to one is not seen by the other. */
  clone(): EegStream {
    const copy = new EegStream(this.#model, this.#rate, this.#montage);
    copy.#chain = this.#chain.clone();
    copy.#unseenBefore = this.#unseenBefore;
    for (const [index, channel] of copy.#usable.entries()) channel.baseline = this.#usable[index]?.baseline.clone() ?? channel.baseline;
    return copy;
  }

  /** The sample that would join what was pushed. */
  get nextSample(): number {
    return this.#chain.nextSample;
  }

  /** Adds samples and returns the windows they complete. */
  push({ firstSample, samplesPerChannel, samples }: StreamSamples, before: Before = 'nothing'): PreparedWindow[] {
    const isNew = this.#chain.startedAt === null || firstSample > this.#chain.nextSample;
    if (isNew && before === 'unseen') this.#unseenBefore = firstSample;
    const microvolts = this.#usable.map(({ index, gain }) =>
      toPhysical(samples.subarray(index * samplesPerChannel, (index + 1) * samplesPerChannel), gain),
    );
    return this.#chain
      .push(firstSample, microvolts.length > 0 ? microvolts : [new Float64Array(samplesPerChannel)])
      .map((window) => this.#prepare(window));
  }

  #prepare({ window, firstSample, masked, channels }: ChainWindow): PreparedWindow {
    const { windowSamples, hopSamples } = this.shape;
    return {
      window,
      firstSample,
      samples: windowSamples,
      complete: firstSample - LOOKBACK_HOPS * hopSamples >= this.#unseenBefore,
      channels: this.#channels.map((channel): PreparedChannel => {
        if (channel === null) return { input: null, reason: this.#rateFits ? 'unit' : 'rate' };
        if (masked) return { input: null, reason: 'warm-up' };
        const signal = channels[this.#usable.indexOf(channel)];
        if (signal === undefined) return { input: null, reason: 'missing' };
        const maxSdUv = highestSdUv(this.#model, channel.baseline, window);
        const { quality, features } = extract(signal, this.#rateHz, { rails: channel.rails, maxSdUv });
        if (!quality.scorable) return { input: null, reason: quality.reason };
        return prepareFeatures(this.#model, features, window, channel.baseline);
      }),
    };
  }
}

/** A channel whose calm signal is large has large seizures: the gate's highest SD grows with its own baseline, up to `MAX_GAIN` times. */
function highestSdUv({ file }: StreamModel, running: RunningBaseline, window: number): number {
  const baseline = running.at(window);
  if (baseline.kind === 'population') return qualityLimits.maxSdUv;
  return qualityLimits.maxSdUv * Math.min(MAX_GAIN, Math.exp(baseline.logUv - file.populationLogUv));
}

/** Features as the network is to see them, by the channel's baseline so far; the window joins the baseline first. */
export function prepareFeatures(model: StreamModel, features: Float64Array, window: number, running: RunningBaseline): PreparedChannel {
  const { file, reference } = model;
  if (looksCalm(file, features)) running.add(window, features[amplitudeFeature] ?? Number.NaN);
  const baseline = running.at(window);
  const shifted = baseline.kind === 'own' ? withGain(features, file.populationLogUv - baseline.logUv) : features;
  if (distanceFrom(reference, standardise(shifted, file.standard.mean.slice(0, shifted.length), file.standard.sd)) > reference.limit)
    return { input: null, reason: 'unlike-training' };
  return { input: Float64Array.of(...shifted, baseline.kind === 'own' ? 1 : 0), baseline: baseline.kind };
}

function railsOf(scale: ChannelScale, { gain, offset }: Gain): Rails {
  const ends = [scale.digitalMin * gain + offset, scale.digitalMax * gain + offset];
  return { min: Math.min(...ends), max: Math.max(...ends) };
}
