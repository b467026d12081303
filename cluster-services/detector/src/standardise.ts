/** (value - mean) / SD per feature. */
export function standardise(features: ArrayLike<number>, mean: readonly number[], sd: readonly number[]): Float64Array {
  return Float64Array.from(
    { length: mean.length },
    (_, index) => ((features[index] ?? Number.NaN) - (mean[index] ?? 0)) / (sd[index] ?? 1),
  );
}

/** The network sees no value beyond ±`clip`: one wild feature must not decide alone. */
export function clipped(standardised: Float64Array, clip: number): Float64Array {
  return standardised.map((value) => Math.max(-clip, Math.min(clip, value)));
}
