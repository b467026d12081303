/** (value - mean) / SD per feature. */
export function standardise(features: ArrayLike<number>, mean: readonly number[], sd: readonly number[]): Float64Array {
  const standardised = new Float64Array(mean.length);
  for (let index = 0; index < mean.length; index++)
    standardised[index] = ((features[index] ?? Number.NaN) - (mean[index] ?? 0)) / (sd[index] ?? 1);
  return standardised;
}

/** The network sees no value beyond ±`clip`: one wild feature must not decide alone. */
export function clipped(standardised: Float64Array, clip: number): Float64Array {
  const inside = new Float64Array(standardised.length);
  for (let index = 0; index < inside.length; index++) inside[index] = Math.max(-clip, Math.min(clip, standardised[index] as number));
  return inside;
}
