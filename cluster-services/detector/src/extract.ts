import {
  type ChainChannel,
  chainRateHz,
  chainWindowSamples,
  checkQuality,
  conditioned,
  humShares,
  powerSpectrum,
  type Quality,
  type Rails,
} from '@vitalwire/vitals';
import { featuresOf } from './features.ts';

/** From this share of power on a window is notched before its features are taken; the gate refuses it from ten times as much. */
const NOTCH_SHARE = 0.01;

export type Extracted = { readonly quality: Quality; readonly features: Float64Array };

export type ExtractOptions = {
  readonly rails?: Rails | undefined;
  readonly maxSdUv?: number; // of the gate, where it is to be higher
  readonly windowSamples?: number; // at the chain's rate
  readonly conditioned?: boolean; // false: no filter, as in the literature's 1 s windows
  readonly evenIfRefused?: boolean; // features all the same: to measure what a network would say without the gate
};

/** Gate and features of one channel's window; no features when the gate refuses it. A pure function of the window's samples. */
export function extract(channel: ChainChannel, rateHz: number, options: ExtractOptions = {}): Extracted {
  const { rails, maxSdUv = 0, windowSamples = chainWindowSamples, evenIfRefused = false, conditioned: isConditioned = true } = options;
  const unfiltered = channel.recent.subarray(Math.max(0, channel.recent.length - windowSamples));
  const spectrum = powerSpectrum(unfiltered, chainRateHz);
  const quality = checkQuality(channel.raw, rateHz, { rails, spectrum, maxSdUv });
  if (!quality.scorable && !evenIfRefused) return { quality, features: none };
  if (!isConditioned) return { quality, features: featuresOf(unfiltered, chainRateHz, spectrum) };
  const [at50, at60] = humShares(spectrum);
  const hum = Math.max(at50, at60) < NOTCH_SHARE ? null : at50 > at60 ? 50 : 60;
  return { quality, features: featuresOf(conditioned(channel.recent, windowSamples, hum), chainRateHz) };
}

const none = new Float64Array(0);
