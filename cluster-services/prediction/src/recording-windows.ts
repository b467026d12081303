import type { ChannelScale, ClockState, EegChunk } from '@vitalwire/contract';
import type { Detector } from '@vitalwire/detector';
import { type Gain, microvoltGainOf, type Rails, toPhysical, WindowCutter, type WindowShape } from '@vitalwire/vitals';
import type { WindowJob } from './score-queue.ts';

/** A complete window and the time of its first sample, as its chunk tells it. */
export type TimedWindow = {
  readonly window: number;
  readonly firstSample: number;
  readonly measuredAtUs: number;
  readonly clock: ClockState;
  readonly work: WindowWork;
};

/** What is to be scored, or why nothing can be: an unknown rate or unit is refused, never guessed. */
export type WindowWork =
  | {
      readonly kind: 'score';
      readonly job: WindowJob;
      readonly channels: readonly number[] /* the recording's channel behind each of the job's */;
    }
  | { readonly kind: 'refused'; readonly reason: 'rate' | 'unit' };

type Anchor = {
  readonly firstSample: number;
  readonly toSample: number;
  readonly measuredAtUs: number;
  readonly clock: ClockState;
  readonly usPerSample: number;
};
type Usable = { readonly channel: number; readonly gain: Gain; readonly rails: Rails };

/**
 * The windows of one recording, from its chunks in order. The same chunks give the same windows and times, however and whenever they
 * were read, so that a detection computed twice is the same bytes.
 */
export class RecordingWindows {
  readonly #shape: WindowShape;
  readonly #cutter: WindowCutter;
  readonly #usable: readonly Usable[];
  readonly #refusal: 'rate' | 'unit' | null;
  #anchors: Anchor[] = [];

  constructor(
    detector: Pick<Detector, 'windowSamples' | 'hopSamples' | 'refusal'>,
    rate: EegChunk['rate'],
    montage: readonly ChannelScale[],
  ) {
    this.#shape = { windowSamples: detector.windowSamples, hopSamples: detector.hopSamples };
    this.#cutter = new WindowCutter(this.#shape);
    const judged = montage.map((scale, channel) => ({ scale, channel, refusal: detector.refusal(rate, scale) }));
    this.#usable = judged.flatMap(({ scale, channel, refusal }) => {
      const gain = refusal === null ? microvoltGainOf(scale) : null;
      return gain === null ? [] : [{ channel, gain, rails: railsOf(scale, gain) }];
    });
    this.#refusal = this.#usable.length > 0 ? null : (judged[0]?.refusal ?? 'unit');
  }

  /** Adds one chunk of this recording and returns the windows it completes. A chunk that does not join the last begins anew. */
  push(chunk: EegChunk): TimedWindow[] {
    const { firstSample, samplesPerChannel, measuredAtUs, clock, rate } = chunk;
    const channels = this.#usable.map(({ channel, gain }) =>
      toPhysical(chunk.samples.subarray(channel * samplesPerChannel, (channel + 1) * samplesPerChannel), gain),
    );
    this.#anchors.push({
      firstSample,
      toSample: firstSample + samplesPerChannel,
      measuredAtUs,
      clock,
      usPerSample: (1e6 * rate.den) / rate.num,
    });
    // Without a usable channel the windows are still cut, from silence, so that each gets its reason.
    const windows = this.#cutter.push(firstSample, channels.length > 0 ? channels : [new Float64Array(samplesPerChannel)]);
    const timed = windows.map(({ window, firstSample: first, channels: cut }) => ({
      window,
      firstSample: first,
      ...this.#timeOf(first),
      work: this.#workOf(cut),
    }));
    this.#anchors = this.#anchors.filter(({ toSample }) => toSample > this.#cutter.nextSample - this.#shape.windowSamples);
    return timed;
  }

  #workOf(cut: readonly Float64Array[]): WindowWork {
    if (this.#refusal !== null) return { kind: 'refused', reason: this.#refusal };
    return {
      kind: 'score',
      job: { channels: cut, rails: this.#usable.map(({ rails }) => rails) },
      channels: this.#usable.map(({ channel }) => channel),
    };
  }

  #timeOf(sample: number): { measuredAtUs: number; clock: ClockState } {
    const anchor = this.#anchors.findLast(({ firstSample, toSample }) => sample >= firstSample && sample < toSample);
    if (anchor === undefined) throw new Error(`sample ${sample} was cut without a chunk that holds it`);
    return { measuredAtUs: Math.round(anchor.measuredAtUs + (sample - anchor.firstSample) * anchor.usPerSample), clock: anchor.clock };
  }
}

function railsOf(scale: ChannelScale, gain: Gain): Rails {
  const ends = [scale.digitalMin * gain.gain + gain.offset, scale.digitalMax * gain.gain + gain.offset];
  return { min: Math.min(...ends), max: Math.max(...ends) };
}
