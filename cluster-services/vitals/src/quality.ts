import { bandPower, powerSpectrum, type Spectrum } from './spectrum.ts';

/** Why a window cannot be scored. "Not scorable" never means "no seizure". */
export type QualityReason =
  | 'missing'
  | 'flat'
  | 'low-amplitude'
  | 'high-amplitude'
  | 'railed'
  | 'drop-outs'
  | 'mains-hum'
  | 'broadband-noise'
  | 'steps';

/** `clipped`: more was cut off at the converter's ends than a trace: what is seen may show a pattern, but never that there is none. */
export type Quality = { readonly scorable: true; readonly clipped?: true } | { readonly scorable: false; readonly reason: QualityReason };

/** The converter's ends in the window's unit, where known: samples on them are clipped. */
export type Rails = { readonly min: number; readonly max: number };

/**
 * The limits of the first gate. Sources: (n) notes of the detector's recipe; (t) set so that at most 1 % of any set of Bonn segments
 * 001-064 is refused, and every artificial non-EEG signal of the test is.
 */
export const qualityLimits = {
  equalSamples: 8, // in a row at 173.61 Hz, and the same time at any higher rate, (n): a converter's noise alone breaks such runs
  minSdUv: 5, // (n)
  maxSdUv: 1000, // (n)
  clippedShare: 0.02, // (t) samples on a rail; true seizures clip a few
  stuckShare: 0.75, // (t) of them: with more, what is left between the rails shows no waveform; fewer are masked and the rest is judged
  stuckS: 0.4, // (t) on one rail without a break: an amplifier that is blocked or a lead that is off; a clipped wave of 2 Hz and more leaves it sooner
  dropOuts: 3, // (t) excursions to exactly zero and back, as a lost packet or a bad contact leaves them
  dropOutStep: 3, // (t) an excursion's edges are this many times the window's mean change
  mainsShare: 0.1, // (n) power in 48-52 or 58-62 Hz over all power
  highFrequencyShare: 0.15, // (t) power above 45 Hz over all power: muscle or noise, no EEG of a 40 Hz amplifier
  stepShare: 0.2, // (t) change made by lone steps over all change: a square wave or a loose electrode
  loneStep: 3, // (t) a step this many times larger than both its neighbours is one no 40 Hz amplifier lets through
} as const;

export type QualityOptions = {
  readonly rails?: Rails | undefined;
  /** A higher limit than `maxSdUv`, where a channel's own baseline tells that its gain is high. */
  readonly maxSdUv?: number;
  /** If you have it: of this window, or of the same seconds at a lower rate (at least 125 Hz). */
  readonly spectrum?: Spectrum;
};

/** The rate the limits that count samples were set at. */
const LIMITS_RATE_HZ = 173.61;

/** The first gate in front of the detector: one channel, one window, in microvolts, at the recording's own rate. */
export function checkQuality(windowUv: ArrayLike<number>, rateHz: number, { rails, spectrum, maxSdUv }: QualityOptions = {}): Quality {
  const limits = qualityLimits;
  const finer = Math.max(1, rateHz / LIMITS_RATE_HZ);
  const shape = describe(windowUv, rails);
  if (!shape.complete) return refused('missing');
  if (shape.onRails > limits.stuckShare || shape.longestOnRail >= limits.stuckS * rateHz) return refused('railed');
  if (shape.longestRun >= Math.round(limits.equalSamples * finer)) return refused('flat');
  if (shape.sd < limits.minSdUv) return refused('low-amplitude');
  if (shape.sd > Math.max(maxSdUv ?? 0, limits.maxSdUv)) return refused('high-amplitude');
  if (dropOutsIn(windowUv) >= limits.dropOuts) return refused('drop-outs');

  const seen = spectrum ?? powerSpectrum(windowUv, rateHz);
  const all = bandPower(seen, Math.min(0.5, seen.binHz / 2), rateHz);
  if (Math.max(...humShares(seen)) > limits.mainsShare) return refused('mains-hum');
  if (bandPower(seen, 45, rateHz) > limits.highFrequencyShare * all) return refused('broadband-noise');
  if (shareOfLoneSteps(windowUv, Math.max(1, Math.round(finer))) > limits.stepShare) return refused('steps');
  const isClipped = shape.onRails > limits.clippedShare || shape.longestOnRail >= Math.round(limits.equalSamples * finer);
  return isClipped ? { scorable: true, clipped: true } : { scorable: true };
}

/** The shares of power around 50 and around 60 Hz. */
export function humShares(spectrum: Spectrum): [number, number] {
  const all = Math.max(bandPower(spectrum, Math.min(0.5, spectrum.binHz / 2), Number.POSITIVE_INFINITY), Number.MIN_VALUE);
  return [bandPower(spectrum, 48, 52) / all, bandPower(spectrum, 58, 62) / all];
}

type Shape = {
  readonly complete: boolean;
  readonly sd: number;
  readonly longestRun: number; // equal samples in a row, clipped ones left out
  readonly longestOnRail: number; // clipped samples in a row
  readonly onRails: number; // share of samples
};

function describe(window: ArrayLike<number>, rails: Rails | undefined): Shape {
  const length = window.length;
  let sum = 0;
  let squares = 0;
  let run = 0;
  let longestRun = 0;
  let onRail = 0;
  let longestOnRail = 0;
  let clipped = 0;
  let complete = length > 1;
  for (let index = 0; index < length; index++) {
    const value = window[index] ?? Number.NaN;
    if (!Number.isFinite(value)) complete = false;
    sum += value;
    if (rails !== undefined && (value <= rails.min || value >= rails.max)) {
      clipped++;
      onRail++;
      longestOnRail = Math.max(longestOnRail, onRail);
      run = 0;
      continue;
    }
    onRail = 0;
    run = index > 0 && value === window[index - 1] ? run + 1 : 1;
    longestRun = Math.max(longestRun, run);
  }
  const mean = sum / length;
  for (let index = 0; index < length; index++) squares += ((window[index] ?? Number.NaN) - mean) ** 2;
  return { complete, sd: Math.sqrt(squares / length), longestRun, longestOnRail, onRails: clipped / length };
}

/** Runs of exact zeros that the signal leaves to the side it came from, with edges far steeper than it has elsewhere. */
function dropOutsIn(window: ArrayLike<number>): number {
  const length = window.length;
  const at = (index: number) => window[index] ?? 0;
  let changes = 0;
  let steps = 0;
  for (let index = 1; index < length; index++) {
    if (at(index) === 0 || at(index - 1) === 0) continue;
    changes += Math.abs(at(index) - at(index - 1));
    steps++;
  }
  const steep = (qualityLimits.dropOutStep * changes) / Math.max(1, steps);
  let found = 0;
  for (let index = 1; index < length; ) {
    if (at(index) !== 0) {
      index++;
      continue;
    }
    const before = at(index - 1);
    while (index < length && at(index) === 0) index++;
    const after = at(index); // 0 past the end: an excursion that is not over is none yet
    if (before * after > 0 && Math.min(Math.abs(before), Math.abs(after)) > steep) found++;
  }
  return found;
}

/** Every `stride`-th sample: at a high rate a converter's single counts would all be lone steps. */
function shareOfLoneSteps(window: ArrayLike<number>, stride: number): number {
  const count = Math.max(0, Math.floor((window.length - 1) / stride));
  const stepAt = (index: number) =>
    index < 0 || index >= count ? 0 : Math.abs((window[(index + 1) * stride] ?? Number.NaN) - (window[index * stride] ?? Number.NaN));
  let all = 0;
  let lone = 0;
  let before = 0;
  let step = stepAt(0);
  for (let index = 0; index < count; index++) {
    const after = stepAt(index + 1);
    all += step;
    if (step > qualityLimits.loneStep * Math.max(before, after)) lone += step;
    before = step;
    step = after;
  }
  return all === 0 ? 0 : lone / all;
}

function refused(reason: QualityReason): Quality {
  return { scorable: false, reason };
}
