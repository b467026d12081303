import { type ChainChannel, chainWindowSamples, MASKED_HOPS, type Quality, type QualityReason, WARM_UP_HOPS } from '@vitalwire/vitals';
import { extract } from '../extract.ts';
import type { LabelledSegment } from './segments.ts';

/** Which windows of a segment are judged and which ones a network learns from; all at the chain's rate. */
export type Geometry = {
  readonly name: '4 s' | '1 s';
  readonly windowSamples: number;
  readonly firstSample: number; // of the first window
  readonly judgedEvery: number;
  readonly conditioned: boolean; // high-passed with a warm-up before, as the running detector does; otherwise as it is, the mean removed
  readonly learntEvery: number; // a divisor of `judgedEvery`: windows between the judged ones keep a network from learning the grid
};

const HOP_SAMPLES = chainWindowSamples / 4;
const WARM_UP_SAMPLES = WARM_UP_HOPS * HOP_SAMPLES;

/** The windows the detector scores: 4 s every second, the first 2 s masked. */
export const fourSeconds: Geometry = {
  name: '4 s',
  windowSamples: chainWindowSamples,
  firstSample: MASKED_HOPS * HOP_SAMPLES,
  judgedEvery: HOP_SAMPLES,
  conditioned: true,
  learntEvery: HOP_SAMPLES,
};

/** The windows of the literature, 178 samples without overlap: for comparison alone. */
export const oneSecond: Geometry = {
  name: '1 s',
  windowSamples: 178,
  firstSample: 0,
  judgedEvery: 178,
  learntEvery: 89,
  conditioned: false,
};

/** One window of a labelled segment, as far as it came: features, or the gate's reason. */
export type Example = {
  readonly segment: LabelledSegment;
  readonly judged: boolean;
  readonly refused: QualityReason | null;
  readonly features: Float64Array; // taken even when the gate refuses, unless a number is missing
};

/** Every window of a segment, at the chain's rate already. `disturb` changes the signal before anything else sees it. */
export function examplesOf(
  segment: LabelledSegment,
  geometry: Geometry,
  disturb: (signal: Float64Array) => Float64Array = (signal) => signal,
): Example[] {
  const signal = disturb(Float64Array.from(segment.samples));
  const examples: Example[] = [];
  for (let at = geometry.firstSample; at + geometry.windowSamples <= signal.length; at += geometry.learntEvery) {
    const end = at + geometry.windowSamples;
    const channel: ChainChannel = { raw: signal.slice(at, end), recent: signal.slice(Math.max(0, at - WARM_UP_SAMPLES), end) };
    const { quality, features } = extract(channel, segment.rate.num / segment.rate.den, {
      rails: segmentRails,
      windowSamples: geometry.windowSamples,
      conditioned: geometry.conditioned,
      evenIfRefused: true,
    });
    const judged = (at - geometry.firstSample) % geometry.judgedEvery === 0;
    examples.push({ segment, judged, refused: reasonOf(quality), features });
  }
  return examples;
}

/** What is cut off is judged, but nothing is learnt from it. */
function reasonOf(quality: Quality): QualityReason | null {
  if (!quality.scorable) return quality.reason;
  return quality.clipped === true ? 'railed' : null;
}

/** The ends of the 12-bit converter of the Bonn recordings, in microvolts. */
export const segmentRails = { min: -2048, max: 2047 };
