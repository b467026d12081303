/** The smallest and largest value of every bucket; null where a bucket holds no finite value. */
export type MinMax = { readonly min: (number | null)[]; readonly max: (number | null)[] };

/**
 * `values` in `buckets` stretches of nearly equal length, each as its smallest and largest value, so that a spike of one sample
 * survives any zoom. NaN means "no reading" and never becomes a number. Asked for more buckets than values, the rest stay null.
 */
export function minMaxDecimate(values: ArrayLike<number>, buckets: number): MinMax {
  const count = Math.max(0, Math.floor(buckets));
  const empty = () => Array.from({ length: count }, (): number | null => null);
  const decimated: MinMax = { min: empty(), max: empty() };
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value !== undefined) widen(decimated, bucketOf(index, values.length, count), value);
  }
  return decimated;
}

/** The bucket of value `index` of `length`. */
export function bucketOf(index: number, length: number, buckets: number): number {
  return length <= buckets ? index : Math.min(buckets - 1, Math.floor((index * buckets) / length));
}

/** Lets one bucket cover a value too: for callers that meet their values chunk by chunk. */
export function widen(into: MinMax, bucket: number, value: number): void {
  if (!Number.isFinite(value) || bucket < 0 || bucket >= into.min.length) return;
  const min = into.min[bucket] ?? null;
  const max = into.max[bucket] ?? null;
  if (min === null || value < min) into.min[bucket] = value;
  if (max === null || value > max) into.max[bucket] = value;
}
