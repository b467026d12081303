/** One group of training windows as a Gaussian over standardised features. */
export type StoredReference = {
  readonly groups: readonly {
    readonly name: string;
    readonly mean: readonly number[];
    readonly covariance: readonly number[] /* rows of the lower triangle */;
  }[];
  readonly limit: number; // a distance beyond it is "unlike training"
};

export type DistanceReference = {
  readonly groups: readonly { readonly mean: readonly number[]; readonly factor: Float64Array }[];
  readonly limit: number;
};

/** Added to the diagonal, in units of the standardised features' variance: features that move together must not divide by nothing. */
const RIDGE = 0.05;

/** How many standard deviations a window lies from the nearest group of training windows (Mahalanobis, per feature: 1 is typical). */
export function distanceFrom(reference: DistanceReference, standardised: ArrayLike<number>): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (const { mean, factor } of reference.groups) nearest = Math.min(nearest, mahalanobis(mean, factor, standardised));
  return nearest;
}

/** Prepares a stored reference for use. */
export function distanceReferenceOf(stored: StoredReference): DistanceReference {
  return {
    limit: stored.limit,
    groups: stored.groups.map(({ mean, covariance }) => ({ mean, factor: choleskyOf(covariance, mean.length) })),
  };
}

/** Mean and covariance of one group's windows. */
export function describeGroup(name: string, windows: readonly ArrayLike<number>[]): StoredReference['groups'][number] {
  const size = windows[0]?.length ?? 0;
  const mean = Array.from(
    { length: size },
    (_, feature) => windows.reduce((sum, window) => sum + (window[feature] ?? 0), 0) / windows.length,
  );
  const covariance: number[] = [];
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = 0;
      for (const window of windows) sum += ((window[row] ?? 0) - (mean[row] ?? 0)) * ((window[column] ?? 0) - (mean[column] ?? 0));
      covariance.push(sum / windows.length + (row === column ? RIDGE : 0));
    }
  }
  return { name, mean, covariance };
}

function mahalanobis(mean: readonly number[], factor: Float64Array, values: ArrayLike<number>): number {
  const size = mean.length;
  const solved = new Float64Array(size);
  let squares = 0;
  for (let row = 0, at = 0; row < size; row++) {
    let rest = (values[row] ?? Number.NaN) - (mean[row] ?? 0);
    for (let column = 0; column < row; column++, at++) rest -= (factor[at] as number) * (solved[column] as number);
    const value = rest / (factor[at++] as number);
    solved[row] = value;
    squares += value * value;
  }
  return Math.sqrt(squares / size);
}

/** The lower triangle L with L × Lᵀ = covariance, rows one after the other. */
function choleskyOf(covariance: readonly number[], size: number): Float64Array {
  const factor = new Float64Array(covariance.length);
  const at = (row: number, column: number) => (row * (row + 1)) / 2 + column;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = covariance[at(row, column)] ?? Number.NaN;
      for (let k = 0; k < column; k++) rest -= (factor[at(row, k)] ?? 0) * (factor[at(column, k)] ?? 0);
      factor[at(row, column)] = row === column ? Math.sqrt(rest) : rest / (factor[at(column, column)] ?? Number.NaN);
    }
  }
  if (factor.some((value) => !Number.isFinite(value))) throw new Error('the covariance of the reference is not positive definite');
  return factor;
}
