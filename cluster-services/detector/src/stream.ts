import type { Baseline, ChannelScale, Rate } from '@vitalwire/contract';
import {
  BASELINE_CLOSED_HOPS,
  BASELINE_MEMORY_HOPS,
  type BaselineLevel,
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
import { sigmoid } from './calibration.ts';
import { channelsThatSpeak } from './channels-that-speak.ts';
import { distanceFrom } from './distance.ts';
import { extract } from './extract.ts';
import { amplitudeFeature, withGain } from './features.ts';
import { plainLogit } from './plain-network.ts';
import { clipped, standardise } from './standardise.ts';
import { looksCalm, type StreamModel } from './stream-model.ts';

/** Why a channel's window has no probability. */
export type RefusalReason = QualityReason | 'warm-up' | 'unlike-training' | 'rate' | 'unit' | 'clipped';

/** One channel's window on its way to the network: what the network is to see, or why it is to see nothing. */
export type PreparedChannel =
  | {
      readonly input: Float64Array;
      readonly baseline: Baseline;
      readonly clipped: boolean; // cut off at the converter's ends: it may show a pattern, but never that there is none
      readonly jumped: boolean; // calm in shape, and much larger than its own baseline: a gain that changed, or a seizure that looks calm
    }
  | { readonly input: null; readonly reason: RefusalReason };

/** A window that is ready to be scored. Holds plain values and typed arrays only, so that it can be sent between threads. */
export type PreparedWindow = {
  readonly window: number; // firstSample / hop; negative in what precedes the recording
  readonly firstSample: number;
  readonly samples: number; // per channel, at the recording's own rate
  /** Everything its score depends on was pushed: only such a score is the one that a later computation gives again. */
  readonly complete: boolean;
  readonly channels: readonly PreparedChannel[]; // one per channel of the montage
  readonly baselines: readonly BaselineLevel[]; // what each channel was compared with; null = the population's
};

/** What the record of a window says that its channels were compared with. */
export type RecalledBaselines = { readonly window: number; readonly levels: readonly BaselineLevel[] };

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

/** From this logarithm of amplitude over baseline on, a window that is calm in shape has jumped: a factor of two. */
const JUMP_LOG = Math.LN2;

type UsableChannel = { readonly index: number; readonly gain: Gain; readonly rails: Rails; baseline: RunningBaseline };

/** The rates a stream takes; others are refused, window by window. Below, 40 Hz EEG does not fit; above, nothing is gained. */
const streamRatesHz = { min: 100, max: 2048 } as const;

/**
 * Hops of samples that a window looks back before its first: where a baseline is still sought, that memory and the filter's start before
 * its oldest window. A baseline that is known is older than that: it is in the records of the windows before (`RECALL_HOPS` of them).
 */
export const LOOKBACK_HOPS = BASELINE_MEMORY_HOPS + WARM_UP_HOPS + 1;

/** Windows whose records tell all that the next one depends on besides samples: what was like a seizure in them still closes baselines. */
export const RECALL_HOPS = BASELINE_CLOSED_HOPS;

/** The same in samples: who computes window w alone pushes samples from w × hop - lookback (or the start) on, and recalls what was recorded. */
export function lookbackSamples(rate: Rate): number {
  return LOOKBACK_HOPS * windowShapeFor(rate).hopSamples;
}

/**
 * One recording's way from samples to windows ready to be scored: gate, resampler, filters, features, baseline, likeness to the training
 * data. No tfjs and no I/O in it: it can live in any thread. Samples of one recording must be pushed in order; what was seen before is dropped.
 *
 * What a window is compared with is part of its record. A window that has a record is judged against what it says, one that has none goes on
 * from the records before it: so a score is a function of bounded samples and bounded records, whoever computes it again.
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
  readonly #recalled: readonly RecalledBaselines[]; // in the order of their windows
  #nextRecalled = 0;
  #lastPrepared: number | null = null;
  #chain: SignalChain;
  #unseenBefore = Number.NEGATIVE_INFINITY;

  constructor(model: StreamModel, rate: Rate, montage: readonly ChannelScale[], recalled: readonly RecalledBaselines[] = []) {
    this.#model = model;
    this.#recalled = recalled.toSorted((one, other) => one.window - other.window);
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
    const copy = new EegStream(this.#model, this.#rate, this.#montage, this.#recalled);
    copy.#nextRecalled = this.#nextRecalled;
    copy.#lastPrepared = this.#lastPrepared;
    copy.#chain = this.#chain.clone();
    copy.#unseenBefore = this.#unseenBefore;
    for (const [index, channel] of copy.#usable.entries()) channel.baseline = this.#usable[index]?.baseline.clone() ?? channel.baseline;
    return copy;
  }

  /** The sample that would join what was pushed. */
  get nextSample(): number {
    return this.#chain.nextSample;
  }

  /** Adds samples and returns the windows they complete, of which `isWanted` may leave some out: they are neither judged nor join a baseline. */
  push(
    { firstSample, samplesPerChannel, samples }: StreamSamples,
    before: Before = 'nothing',
    isWanted: (window: number) => boolean = () => true,
  ): PreparedWindow[] {
    const isNew = this.#chain.startedAt === null || firstSample > this.#chain.nextSample;
    if (isNew && before === 'unseen') this.#unseenBefore = firstSample;
    const microvolts = this.#usable.map(({ index, gain }) =>
      toPhysical(samples.subarray(index * samplesPerChannel, (index + 1) * samplesPerChannel), gain),
    );
    return this.#chain
      .push(firstSample, microvolts.length > 0 ? microvolts : [new Float64Array(samplesPerChannel)])
      .flatMap((window) => (isWanted(window.window) ? [this.#prepare(window)] : []));
  }

  #prepare({ window, firstSample, masked, channels }: ChainWindow): PreparedWindow {
    const { windowSamples, hopSamples } = this.shape;
    this.#recall(window);
    const everyHops = Math.max(1, window - (this.#lastPrepared ?? window - 1));
    this.#lastPrepared = window;
    const judged = this.#channels.map((channel): JudgedChannel => {
      if (channel === null) return refused(this.#rateFits ? 'unit' : 'rate');
      if (masked) return refused('warm-up');
      const signal = channels[this.#usable.indexOf(channel)];
      if (signal === undefined) return refused('missing');
      const { rails, baseline } = channel;
      const { quality, features } = extract(signal, this.#rateHz, { rails, maxSdUv: highestSdUv(this.#model, baseline) });
      if (!quality.scorable) return refused(quality.reason);
      return prepareFeatures(this.#model, { features, window, clipped: quality.clipped === true, everyHops }, baseline);
    });
    const baselines = this.#channels.map((channel) => channel?.baseline.level ?? null);
    this.#settle(window, judged);
    return {
      window,
      firstSample,
      samples: windowSamples,
      complete: firstSample - LOOKBACK_HOPS * hopSamples >= this.#unseenBefore,
      channels: judged.map(({ prepared }) => prepared),
      baselines,
    };
  }

  /** The newest record at or before this window says what its channels are compared with. */
  #recall(window: number): void {
    let newest: RecalledBaselines | undefined;
    for (; (this.#recalled[this.#nextRecalled]?.window ?? Number.POSITIVE_INFINITY) <= window; this.#nextRecalled++)
      newest = this.#recalled[this.#nextRecalled];
    if (newest === undefined) return;
    for (const { index, baseline } of this.#usable) baseline.recall(newest.levels[index] ?? null);
  }

  /** What this window changes for the next: like a seizure it closes baselines, quiet it moves them. */
  #settle(window: number, judged: readonly JudgedChannel[]): void {
    const { seizureAt, quietBelow } = this.#model.file;
    const own = judged.flatMap(({ own: one }) => one ?? []).sort((a, b) => b - a);
    const speaking = own.slice(0, channelsThatSpeak(own.length));
    const isSeizure = speaking.length > 0 && speaking.reduce((sum, one) => sum + one, 0) >= seizureAt * speaking.length;
    for (const { index, baseline } of this.#usable) {
      const { own: probability = null, evidence = null } = judged[index] ?? {};
      if (isSeizure || (probability !== null && probability >= seizureAt)) baseline.close(window);
      else if (probability !== null && evidence !== null) baseline.settle(window, { ...evidence, isQuiet: probability < quietBelow });
    }
  }
}

/** A channel's window as it is told, and what its baseline has to know of it. */
type JudgedChannel = {
  readonly prepared: PreparedChannel;
  readonly own: number | null; // its probability, compared with its own baseline
  readonly evidence: { readonly logUv: number; readonly isCalm: boolean } | null;
};

/** A channel whose calm signal is large has large seizures: the gate's highest SD grows with its own baseline, up to `MAX_GAIN` times. */
function highestSdUv({ file }: StreamModel, running: RunningBaseline): number {
  const baseline = running.now();
  if (baseline.kind === 'population') return qualityLimits.maxSdUv;
  return qualityLimits.maxSdUv * Math.min(MAX_GAIN, Math.exp(baseline.logUv - file.populationLogUv));
}

/** What was extracted of a window; `everyHops`: hops since the window that was judged before it. */
type Extracted = { readonly features: Float64Array; readonly clipped: boolean; readonly everyHops: number };

/** Features as the network is to see them, by the channel's baseline; where that is sought, a calm window joins it first. */
function prepareFeatures(
  model: StreamModel,
  { features, window, clipped: isClipped, everyHops }: Extracted & { readonly window: number },
  running: RunningBaseline,
): JudgedChannel {
  const { file, reference } = model;
  const evidence = { logUv: features[amplitudeFeature] ?? Number.NaN, isCalm: !isClipped && looksCalm(file, features) };
  if (evidence.isCalm) running.seek(window, evidence.logUv, everyHops);
  const baseline = running.now();
  const shifted = baseline.kind === 'own' ? withGain(features, file.populationLogUv - baseline.logUv) : features;
  const { mean, sd, clip } = file.standard;
  if (distanceFrom(reference, standardise(shifted, mean.slice(0, shifted.length), sd)) > reference.limit)
    return { ...refused('unlike-training'), evidence };
  const input = Float64Array.of(...shifted, baseline.kind === 'own' ? 1 : 0);
  if (baseline.kind === 'population')
    return { prepared: { input, baseline: 'population', clipped: isClipped, jumped: false }, own: null, evidence };
  const own = sigmoid(plainLogit(model.members, clipped(standardise(input, mean, sd), clip)) / file.temperature);
  const jumped = evidence.isCalm && evidence.logUv - baseline.logUv >= JUMP_LOG;
  return { prepared: { input, baseline: 'own', clipped: isClipped, jumped }, own, evidence };
}

function refused(reason: RefusalReason): JudgedChannel {
  return { prepared: { input: null, reason }, own: null, evidence: null };
}

function railsOf(scale: ChannelScale, { gain, offset }: Gain): Rails {
  const ends = [scale.digitalMin * gain + offset, scale.digitalMax * gain + offset];
  return { min: Math.min(...ends), max: Math.max(...ends) };
}
