/** Power per frequency bin of one window; bin k lies at k × rateHz / window length. */
export type Spectrum = {
  readonly power: Float64Array; // 0 to half the rate, both included for an even length; units² once, not per Hz
  readonly binHz: number;
};

type Tables = { readonly hann: Float64Array; readonly cos: Float64Array; readonly sin: Float64Array };
const tablesByLength = new Map<number, Tables>();

/** The lengths we have tables for are few (one per window length); more than this many means a bug in the caller. */
const MAX_LENGTHS = 16;

/**
 * Hann-windowed power spectrum of a window of any length, mean removed.
 * A direct transform, folded once: 178 = 2 × 89 with 89 prime, where an FFT needs a 512-point detour and is slower than 89 × 90 products.
 */
export function powerSpectrum(window: ArrayLike<number>, rateHz: number): Spectrum {
  const length = window.length;
  const { hann, cos, sin } = tablesFor(length);
  const half = Math.floor(length / 2);
  const mean = meanOf(window);

  // x[n] ± x[N-n]: cosines are even, sines odd around n = 0, so half the products are enough.
  const even = new Float64Array(half + 1);
  const odd = new Float64Array(half + 1);
  even[0] = ((window[0] ?? 0) - mean) * (hann[0] ?? 0);
  for (let n = 1; n < length - n; n++) {
    const left = ((window[n] ?? 0) - mean) * (hann[n] ?? 0);
    const right = ((window[length - n] ?? 0) - mean) * (hann[length - n] ?? 0);
    even[n] = left + right;
    odd[n] = left - right;
  }
  if (length % 2 === 0) even[half] = ((window[half] ?? 0) - mean) * (hann[half] ?? 0);

  // The casts say what the bounds of the loop prove; a `??` in here costs a third of the time.
  const power = new Float64Array(half + 1);
  for (let k = 0, row = 0; k <= half; k++) {
    let re = 0;
    let im = 0;
    for (let n = 0; n <= half; n++, row++) {
      re += (even[n] as number) * (cos[row] as number);
      im += (odd[n] as number) * (sin[row] as number);
    }
    power[k] = re * re + im * im;
  }
  return { power, binHz: rateHz / length };
}

/** The power of all bins from `fromHz` up to, not including, `toHz`. */
export function bandPower(spectrum: Spectrum, fromHz: number, toHz: number): number {
  let sum = 0;
  const first = Math.ceil(fromHz / spectrum.binHz - 1e-9);
  for (let bin = Math.max(0, first); bin < spectrum.power.length && bin * spectrum.binHz < toHz - 1e-9; bin++)
    sum += spectrum.power[bin] ?? 0;
  return sum;
}

function tablesFor(length: number): Tables {
  const known = tablesByLength.get(length);
  if (known !== undefined) return known;
  if (tablesByLength.size >= MAX_LENGTHS) tablesByLength.clear();
  const half = Math.floor(length / 2);
  const angles = Array.from(
    { length: (half + 1) ** 2 },
    (_, at) => (2 * Math.PI * ((Math.floor(at / (half + 1)) * (at % (half + 1))) % length)) / length,
  );
  const tables = {
    hann: Float64Array.from({ length }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length)),
    cos: Float64Array.from(angles, Math.cos), // row k: the cosines of bin k
    sin: Float64Array.from(angles, Math.sin),
  };
  tablesByLength.set(length, tables);
  return tables;
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] ?? 0;
  return values.length === 0 ? 0 : sum / values.length;
}
