import { squaredMagnitudes } from './fft.ts';

/** Power per frequency bin of one window; bin k lies at k × rateHz / window length. */
export type Spectrum = {
  readonly power: Float64Array; // 0 to half the rate, both included for an even length; units² once, not per Hz
  readonly binHz: number;
};

const hannByLength = new Map<number, { readonly hann: Float64Array; readonly room: Float64Array }>();

/** The lengths in use are few (one per window length); more than this many means a bug in the caller. */
const MAX_LENGTHS = 16;

/** Hann-windowed power spectrum of a window of any length, mean removed. */
export function powerSpectrum(window: ArrayLike<number>, rateHz: number): Spectrum {
  const length = window.length;
  const { hann, room: tapered } = hannFor(length);
  const mean = meanOf(window);
  for (let index = 0; index < length; index++) tapered[index] = ((window[index] ?? 0) - mean) * (hann[index] as number);
  return { power: squaredMagnitudes(tapered), binHz: rateHz / length };
}

/** The power of all bins from `fromHz` up to, not including, `toHz`. */
export function bandPower(spectrum: Spectrum, fromHz: number, toHz: number): number {
  let sum = 0;
  const first = Math.ceil(fromHz / spectrum.binHz - 1e-9);
  for (let bin = Math.max(0, first); bin < spectrum.power.length && bin * spectrum.binHz < toHz - 1e-9; bin++)
    sum += spectrum.power[bin] ?? 0;
  return sum;
}

function hannFor(length: number): { readonly hann: Float64Array; readonly room: Float64Array } {
  const known = hannByLength.get(length);
  if (known !== undefined) return known;
  if (hannByLength.size >= MAX_LENGTHS) hannByLength.clear();
  const hann = Float64Array.from({ length }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length));
  const made = { hann, room: new Float64Array(length) };
  hannByLength.set(length, made);
  return made;
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] ?? 0;
  return values.length === 0 ? 0 : sum / values.length;
}
