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

/** How far each feature moves with the logarithm of a gain: power twice as far as amplitude, a shape not at all. */
const gainShares: readonly number[] = featureNames.map((name, index) => (index < shapeFeatures ? 0 : name.startsWith('log power') ? 2 : 1));

/** The same features as if the signal had been `logGain` (natural logarithm) larger. */
export function withGain(features: ArrayLike<number>, logGain: number): Float64Array {
  const moved = new Float64Array(featureCount);
  for (let index = 0; index < featureCount; index++) {
    const value = features[index] ?? Number.NaN;
    moved[index] = index < shapeFeatures ? value : value + (gainShares[index] as number) * logGain;
  }
  return moved;
}

/** The feature that says how large a signal is: the log of its SD in µV. */
export const amplitudeFeature = featureNames.indexOf('log SD');

// A flat line has no logarithm; the gate refuses it, and these floors keep every number finite all the same.
const FLOOR_UV = 1e-3;
const FLOOR_RATIO = 1e-6;

/** The numbers of one window in microvolts. Any finite window gives finite numbers. */
export function featuresOf(windowUv: ArrayLike<number>, rateHz: number, spectrum?: Spectrum): Float64Array {
  const mean = meanOf(windowUv);
  const centred = new Float64Array(windowUv.length);
  for (let index = 0; index < centred.length; index++) centred[index] = (windowUv[index] ?? Number.NaN) - mean;
  const { sd, skewness, kurtosis, crossings, peakToPeak, lineLength, mobility, complexity } = shapeOf(centred);
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
    Math.log(Math.max(medianDeviation(centred) / safeSd, FLOOR_RATIO)),
    rhythmOf(centred, rateHz),
    Math.log(safeSd),
    Math.log(Math.max(lineLength, FLOOR_UV)),
    Math.log(Math.max(peakToPeak, FLOOR_UV)),
    ...powers.map((power) => Math.log(Math.max(power, FLOOR_UV ** 2))),
    Math.log(parts.quietest),
  );
}

function meanOf(window: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < window.length; index++) sum += window[index] ?? Number.NaN;
  return sum / window.length;
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

function shapeOf(centred: Float64Array): Shape {
  const length = centred.length;
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
  let before = 0;
  let changeBefore = 0;
  for (let index = 0; index < length; index++) {
    const value = centred[index] as number;
    const square = value * value;
    second += square;
    third += square * value;
    fourth += square * square;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
    if (index > 0) {
      const change = value - before;
      if (value < 0 !== before < 0) crossings++;
      changes += Math.abs(change);
      changeSum += change;
      changeSquares += change * change;
      if (index > 1) {
        const curve = change - changeBefore;
        curveSum += curve;
        curveSquares += curve * curve;
      }
      changeBefore = change;
    }
    before = value;
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

function medianDeviation(centred: Float64Array): number {
  const deviations = new Float64Array(centred.length);
  for (let index = 0; index < centred.length; index++) deviations[index] = Math.abs(centred[index] as number);
  return smallest(deviations, deviations.length >> 1) ?? 0;
}

/** The value that would be at `rank` if the values, none of them NaN, were sorted. Moves them about (Hoare 1961, Communications of the ACM 4, 321). */
function smallest(values: Float64Array, rank: number): number | undefined {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[rank] as number;
    let left = low;
    let right = high;
    while (left <= right) {
      while ((values[left] as number) < pivot) left++;
      while ((values[right] as number) > pivot) right--;
      if (left > right) break;
      const moved = values[left] as number;
      values[left++] = values[right] as number;
      values[right--] = moved;
    }
    if (right < rank) low = left;
    if (left > rank) high = right;
  }
  return values[rank];
}

/** The largest autocorrelation at the lags of 2.5 to 12.4 Hz that leave at least 40 samples, 1 for a perfect repeat. */
function rhythmOf(centred: Float64Array, rateHz: number): number {
  const length = centred.length;
  let energy = 0;
  for (let index = 0; index < length; index++) energy += (centred[index] as number) ** 2;
  const floored = Math.max(energy, FLOOR_UV ** 2 * length);
  const sums = new Float64Array(4);
  let best = -1;
  const longest = Math.min(Math.round(rateHz / 2.5), length - 40);
  for (let lag = Math.round(rateHz / 12.4); lag <= longest; lag += 4) {
    fourLags(centred, lag, sums);
    for (let more = 0; more < 4 && lag + more <= longest; more++)
      best = Math.max(best, ((sums[more] as number) * length) / (length - lag - more) / floored);
  }
  return best;
}

/** The sums of products at four lags in a row, side by side: each adds up in the order of its samples, and does not wait for the others. */
function fourLags(centred: Float64Array, lag: number, sums: Float64Array): void {
  const product = (index: number, by: number) => (centred[index] as number) * (centred[index - by] as number);
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  for (let index = lag; index < lag + 3; index++) first += product(index, lag);
  for (let index = lag + 1; index < lag + 3; index++) second += product(index, lag + 1);
  third += product(lag + 2, lag + 2);
  for (let index = lag + 3; index < centred.length; index++) {
    const value = centred[index] as number;
    first += value * (centred[index - lag] as number);
    second += value * (centred[index - lag - 1] as number);
    third += value * (centred[index - lag - 2] as number);
    fourth += value * (centred[index - lag - 3] as number);
  }
  sums[0] = first;
  sums[1] = second;
  sums[2] = third;
  sums[3] = fourth;
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
