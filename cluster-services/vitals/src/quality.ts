import { bandPower, powerSpectrum, type Spectrum } from './spectrum.ts';

/** Why a window cannot be scored. "Not scorable" never means "no seizure". */
export type QualityReason = 'missing' | 'flat' | 'low-amplitude' | 'high-amplitude' | 'railed' | 'mains-hum' | 'broadband-noise' | 'steps';

export type Quality = { readonly scorable: true } | { readonly scorable: false; readonly reason: QualityReason };

/** The converter's ends in the window's unit, where known: samples on them are clipped. */
export type Rails = { readonly min: number; readonly max: number };

/**
 * The limits of the first gate. Sources: (n) notes of the detector's recipe; (t) set so that at most 1 % of any set of Bonn segments
 * 001-064 is refused, and every artificial non-EEG signal of the test is.
 */
export const qualityLimits = {
  equalSamples: 8, // in a row, (n): a converter's noise alone breaks such runs
  minSdUv: 5, // (n)
  maxSdUv: 1000, // (n)
  railShare: 0.02, // (t) clipped samples; true seizures clip a few
  mainsShare: 0.1, // (n) power in 48-52 or 58-62 Hz over all power
  highFrequencyShare: 0.15, // (t) power above 45 Hz over all power: muscle or noise, no EEG of a 40 Hz amplifier
  stepShare: 0.2, // (t) change made by lone steps over all change: a square wave or a loose electrode
  loneStep: 3, // (t) a step this many times larger than both its neighbours is one no 40 Hz amplifier lets through
} as const;

/** The first gate in front of the detector: one channel, one window, in microvolts. Hand in the spectrum if you have it. */
export function checkQuality(windowUv: ArrayLike<number>, rateHz: number, rails?: Rails, spectrum?: Spectrum): Quality {
  const limits = qualityLimits;
  const shape = describe(windowUv, rails);
  if (!shape.complete) return refused('missing');
  if (shape.longestRun >= limits.equalSamples) return refused(shape.onRails > limits.railShare ? 'railed' : 'flat');
  if (shape.sd < limits.minSdUv) return refused('low-amplitude');
  if (shape.sd > limits.maxSdUv) return refused('high-amplitude');
  if (shape.onRails > limits.railShare) return refused('railed');

  const seen = spectrum ?? powerSpectrum(windowUv, rateHz);
  const all = bandPower(seen, seen.binHz / 2, rateHz);
  if (bandPower(seen, 48, 52) > limits.mainsShare * all || bandPower(seen, 58, 62) > limits.mainsShare * all) return refused('mains-hum');
  if (bandPower(seen, 45, rateHz) > limits.highFrequencyShare * all) return refused('broadband-noise');
  if (shape.loneSteps > limits.stepShare) return refused('steps');
  return { scorable: true };
}

type Shape = {
  readonly complete: boolean;
  readonly sd: number;
  readonly longestRun: number; // equal samples in a row
  readonly onRails: number; // share of samples
  readonly loneSteps: number; // share of all change made by steps that stand alone
};

function describe(window: ArrayLike<number>, rails: Rails | undefined): Shape {
  const length = window.length;
  const steps = new Float64Array(Math.max(0, length - 1));
  let sum = 0;
  let squares = 0;
  let run = 1;
  let longestRun = 1;
  let clipped = 0;
  let complete = length > 1;
  for (let index = 0; index < length; index++) {
    const value = window[index] ?? Number.NaN;
    if (!Number.isFinite(value)) complete = false;
    sum += value;
    if (rails !== undefined && (value <= rails.min || value >= rails.max)) clipped++;
    if (index === 0) continue;
    const step = Math.abs(value - (window[index - 1] ?? Number.NaN));
    steps[index - 1] = step;
    run = step === 0 ? run + 1 : 1;
    longestRun = Math.max(longestRun, run);
  }
  const mean = sum / length;
  for (let index = 0; index < length; index++) squares += ((window[index] ?? Number.NaN) - mean) ** 2;
  return { complete, sd: Math.sqrt(squares / length), longestRun, onRails: clipped / length, loneSteps: shareOfLoneSteps(steps) };
}

function shareOfLoneSteps(steps: Float64Array): number {
  let all = 0;
  let lone = 0;
  for (let index = 0; index < steps.length; index++) {
    const step = steps[index] ?? 0;
    all += step;
    if (step > qualityLimits.loneStep * Math.max(steps[index - 1] ?? 0, steps[index + 1] ?? 0)) lone += step;
  }
  return all === 0 ? 0 : lone / all;
}

function refused(reason: QualityReason): Quality {
  return { scorable: false, reason };
}
