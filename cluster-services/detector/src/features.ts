import { bandPower, powerSpectrum, type Spectrum } from '@vitalwire/vitals';

/** The bands of clinical EEG, in Hz; the upper end belongs to the next band. */
export const bands = [
  ['delta', 0.5, 4],
  ['theta', 4, 8],
  ['alpha', 8, 13],
  ['beta', 13, 30],
  ['gamma', 30, 45],
] as const;

/** The features that do not depend on the amplitude, in this order. */
const shapeNames = [
  'log mobility', // Hjorth 1970 (doi:10.1016/0013-4694(70)90143-4): SD of the change over SD of the signal
  'complexity', // Hjorth 1970: mobility of the change over mobility
  'log line length, scaled', // line length (see below) of the window divided by its SD
  'log kurtosis', // fourth standardised moment: spikes
  'absolute skewness', // third; absolute: a swapped electrode pair must not change the score
  'zero-crossing rate', // sign changes around the mean per sample: Kedem 1986, Proceedings of the IEEE 74, 1477
  'spectral entropy', // Inouye 1991 (doi:10.1016/0013-4694(91)90138-T), of 0.5-45 Hz, 0 to 1
  ...bands.map(([name]) => `log relative power, ${name}`), // share of the five bands' power, Hann window
  'steadiness', // log SD of the quietest part over the loudest: a seizure lasts, a spike between seizures does not
  'log SD of the middle part, scaled', // the same against the whole window's SD
  'log median deviation, scaled', // median absolute deviation over SD (Hampel 1974, doi:10.1080/01621459.1974.10482962)
  'rhythm', // the autocorrelation's largest value at lags of 2.5 to 12.4 Hz (Liu 1992, doi:10.1016/0013-4694(92)90179-L)
] as const;

/** The features a gain moves, in µV. */
const amplitudeNames = [
  'log SD',
  'log line length', // mean absolute change from sample to sample, Esteller 2001 (doi:10.1109/IEMBS.2001.1020545)
  'log peak to peak',
  ...bands.map(([name]) => `log power, ${name}`),
  'log SD of the quietest part',
] as const;

/** What the network sees of a window, in this order. */
export const featureNames: readonly string[] = [...shapeNames, ...amplitudeNames];

export const featureCount = featureNames.length;

/** The first so many do not depend on the amplitude; of the others a gain moves those of power twice as far. */
export const shapeFeatures = shapeNames.length;

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

/** The numbers of one window in microvolts. Any finite window gives finite numbers. */
export function featuresOf(windowUv: ArrayLike<number>, rateHz: number, spectrum?: Spectrum): Float64Array {
  const { mean, sd, skewness, kurtosis, crossings, peakToPeak, lineLength, mobility, complexity } = shapeOf(windowUv);
  const { entropy, powers, total } = bandsOf(spectrum ?? powerSpectrum(windowUv, rateHz), windowUv.length);
  const parts = partsOf(windowUv, rateHz);
  const safeSd = Math.max(sd, FLOOR_UV);
  return Float64Array.of(
    Math.log(Math.max(mobility, FLOOR_RATIO)),
    complexity,
    Math.log(Math.max(lineLength / safeSd, FLOOR_RATIO)),
    Math.log(Math.max(kurtosis, FLOOR_RATIO)),
    Math.abs(skewness),
    crossings,
    entropy,
    ...powers.map((power) => Math.log(Math.max(power / total, FLOOR_RATIO))),
    Math.log(parts.quietest / parts.loudest),
    Math.log(parts.middle / safeSd),
    Math.log(Math.max(medianDeviation(windowUv, mean) / safeSd, FLOOR_RATIO)),
    rhythmOf(windowUv, mean, rateHz),
    Math.log(safeSd),
    Math.log(Math.max(lineLength, FLOOR_UV)),
    Math.log(Math.max(peakToPeak, FLOOR_UV)),
    ...powers.map((power) => Math.log(Math.max(power, FLOOR_UV ** 2))),
    Math.log(parts.quietest),
  );
}

type Shape = {
  readonly mean: number;
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
    mean,
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

/** SDs of the window's parts of half a second (a quarter in windows of less than 2 s), sorted. */
function partsOf(window: ArrayLike<number>, rateHz: number): { quietest: number; middle: number; loudest: number } {
  const count = window.length < 2 * rateHz ? 4 : 8;
  const sds = Float64Array.from({ length: count }, (_, part) => {
    const from = Math.floor((part * window.length) / count);
    const to = Math.floor(((part + 1) * window.length) / count);
    let sum = 0;
    let squares = 0;
    for (let index = from; index < to; index++) {
      const value = (window[index] as number) - (window[from] as number);
      sum += value;
      squares += value * value;
    }
    return Math.max(FLOOR_UV, Math.sqrt(spread(squares, sum, Math.max(1, to - from))));
  }).sort();
  return { quietest: sds[0] as number, middle: sds[count / 2] as number, loudest: sds[count - 1] as number };
}

function medianDeviation(window: ArrayLike<number>, mean: number): number {
  const deviations = Float64Array.from(window, (value) => Math.abs(value - mean)).sort();
  return deviations[deviations.length >> 1] ?? 0;
}

/** The largest autocorrelation at the lags of 2.5 to 12.4 Hz that leave at least 40 samples, 1 for a perfect repeat. */
function rhythmOf(window: ArrayLike<number>, mean: number, rateHz: number): number {
  const centred = Float64Array.from(window, (value) => value - mean);
  const length = centred.length;
  let energy = 0;
  for (let index = 0; index < length; index++) energy += (centred[index] as number) ** 2;
  let best = -1;
  const longest = Math.min(Math.round(rateHz / 2.5), length - 40);
  for (let lag = Math.round(rateHz / 12.4); lag <= longest; lag++) {
    let sum = 0;
    for (let index = lag; index < length; index++) sum += (centred[index] as number) * (centred[index - lag] as number);
    best = Math.max(best, (sum * length) / (length - lag) / Math.max(energy, FLOOR_UV ** 2 * length));
  }
  return best;
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
