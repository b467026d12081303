import { bandPower, powerSpectrum, type Spectrum } from '@vitalwire/vitals';

/** The bands of clinical EEG, in Hz; the upper end belongs to the next band. */
export const bands = [
  ['delta', 0.5, 4],
  ['theta', 4, 8],
  ['alpha', 8, 13],
  ['beta', 13, 30],
  ['gamma', 30, 45],
] as const;

/** What the network sees of a window, in this order. The first twelve do not depend on the amplitude. */
export const featureNames = [
  'log mobility', // Hjorth: SD of the change over SD of the signal
  'complexity', // Hjorth: mobility of the change over mobility
  'log line length, scaled', // mean absolute change of the window divided by its SD
  'log kurtosis',
  'absolute skewness', // absolute: a swapped electrode pair must not change the score
  'zero-crossing rate',
  'spectral entropy', // of 0.5-45 Hz, 0 to 1
  ...bands.map(([name]) => `log relative power, ${name}`),
  'log SD', // from here on in µV
  'log line length',
  'log peak to peak',
  ...bands.map(([name]) => `log power, ${name}`),
] as const;

export const featureCount = featureNames.length;

/** The first so many do not depend on the amplitude; of the others a gain moves those of power twice as far. */
export const shapeFeatures = 12;

/** The same features as if the signal had been `logGain` (natural logarithm) larger. */
export function withGain(features: ArrayLike<number>, logGain: number): Float64Array {
  return Float64Array.from({ length: featureCount }, (_, index) => {
    const value = features[index] ?? Number.NaN;
    return index < shapeFeatures ? value : value + (featureNames[index]?.startsWith('log power') === true ? 2 : 1) * logGain;
  });
}

/** The feature that says how large a signal is: the log of its SD in µV. */
export const amplitudeFeature = featureNames.indexOf('log SD');

// A flat line has no logarithm; the gate refuses it, and these floors keep every number finite all the same.
const FLOOR_UV = 1e-3;
const FLOOR_RATIO = 1e-6;

/** The 20 numbers of one window in microvolts. Any finite window gives finite numbers. */
export function featuresOf(windowUv: ArrayLike<number>, rateHz: number, spectrum?: Spectrum): Float64Array {
  const { sd, skewness, kurtosis, crossings, peakToPeak, lineLength, mobility, complexity } = shapeOf(windowUv);
  const { entropy, powers, total } = bandsOf(spectrum ?? powerSpectrum(windowUv, rateHz), windowUv.length);
  return Float64Array.of(
    Math.log(Math.max(mobility, FLOOR_RATIO)),
    complexity,
    Math.log(Math.max(lineLength / Math.max(sd, FLOOR_UV), FLOOR_RATIO)),
    Math.log(Math.max(kurtosis, FLOOR_RATIO)),
    Math.abs(skewness),
    crossings,
    entropy,
    ...powers.map((power) => Math.log(Math.max(power / total, FLOOR_RATIO))),
    Math.log(Math.max(sd, FLOOR_UV)),
    Math.log(Math.max(lineLength, FLOOR_UV)),
    Math.log(Math.max(peakToPeak, FLOOR_UV)),
    ...powers.map((power) => Math.log(Math.max(power, FLOOR_UV ** 2))),
  );
}

type Shape = {
  readonly sd: number;
  readonly skewness: number;
  readonly kurtosis: number;
  readonly crossings: number; // sign changes around the mean per sample
  readonly peakToPeak: number;
  readonly lineLength: number; // mean absolute change
  readonly mobility: number;
  readonly complexity: number;
};

function shapeOf(window: ArrayLike<number>): Shape {
  const length = window.length;
  const at = (index: number) => window[index] ?? Number.NaN;
  let sum = 0;
  for (let index = 0; index < length; index++) sum += at(index);
  const mean = sum / length;

  let second = 0;
  let third = 0;
  let fourth = 0;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  let crossings = 0;
  let changes = 0;
  let changeSum = 0;
  let changeSquares = 0;
  let curveSum = 0;
  let curveSquares = 0;
  for (let index = 0; index < length; index++) {
    const value = at(index) - mean;
    const square = value * value;
    second += square;
    third += square * value;
    fourth += square * square;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
    if (index === 0) continue;
    const before = at(index - 1) - mean;
    const change = value - before;
    if (value < 0 !== before < 0) crossings++;
    changes += Math.abs(change);
    changeSum += change;
    changeSquares += change * change;
    if (index === 1) continue;
    const curve = change - (before - (at(index - 2) - mean));
    curveSum += curve;
    curveSquares += curve * curve;
  }

  const variance = second / length;
  const changeVariance = spread(changeSquares, changeSum, length - 1);
  const curveVariance = spread(curveSquares, curveSum, length - 2);
  const mobility = Math.sqrt(changeVariance / Math.max(variance, FLOOR_UV ** 2));
  const changeMobility = Math.sqrt(curveVariance / Math.max(changeVariance, FLOOR_UV ** 2));
  const safeVariance = Math.max(variance, FLOOR_UV ** 2);
  return {
    sd: Math.sqrt(variance),
    skewness: third / length / safeVariance ** 1.5,
    kurtosis: fourth / length / safeVariance ** 2,
    crossings: crossings / (length - 1),
    peakToPeak: highest - lowest,
    lineLength: changes / (length - 1),
    mobility,
    complexity: changeMobility / Math.max(mobility, FLOOR_RATIO),
  };
}

function spread(squares: number, sum: number, count: number): number {
  return Math.max(0, squares / count - (sum / count) ** 2);
}

/** Band powers in µV²: a sine of amplitude A has power near A²/2 whatever the window's length. */
function bandsOf(spectrum: Spectrum, length: number): { entropy: number; powers: number[]; total: number } {
  // One-sided, and divided by the Hann window's own energy (3/8 per sample).
  const scale = 2 / (length * length * 0.375);
  const powers = bands.map(([, fromHz, toHz]) => bandPower(spectrum, fromHz, toHz) * scale);
  const total = Math.max(
    powers.reduce((sum, power) => sum + power, 0),
    FLOOR_UV ** 2,
  );
  return { entropy: entropyOf(spectrum), powers, total };
}

function entropyOf({ power, binHz }: Spectrum): number {
  const first = Math.ceil(0.5 / binHz);
  const last = Math.min(power.length, Math.ceil(45 / binHz));
  let total = 0;
  for (let bin = first; bin < last; bin++) total += power[bin] ?? 0;
  if (total <= 0) return 0;
  let entropy = 0;
  for (let bin = first; bin < last; bin++) {
    const share = (power[bin] ?? 0) / total;
    if (share > 0) entropy -= share * Math.log(share);
  }
  return entropy / Math.log(last - first);
}
