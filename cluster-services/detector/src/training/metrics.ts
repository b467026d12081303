/** A score beside the truth: higher means more likely ictal. */
export type Judged = { readonly score: number; readonly ictal: boolean };

/** The chance that an ictal window scores higher than another one; ties count half. */
export function areaUnderCurve(judged: readonly Judged[]): number {
  const sorted = [...judged].sort((a, b) => a.score - b.score);
  let rankSum = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to < sorted.length && sorted[to]?.score === sorted[from]?.score) to++;
    const rank = (from + 1 + to) / 2; // ranks are 1-based; equal scores share the middle one
    for (let index = from; index < to; index++) if (sorted[index]?.ictal === true) rankSum += rank;
    from = to;
  }
  const ictal = judged.filter((item) => item.ictal).length;
  const others = judged.length - ictal;
  return (rankSum - (ictal * (ictal + 1)) / 2) / (ictal * others);
}

export type Confusion = { readonly sensitivity: number; readonly specificity: number; readonly balancedAccuracy: number };

/** Called ictal at or above `threshold`. */
export function confusionAt(judged: readonly Judged[], threshold: number): Confusion {
  const share = (items: readonly Judged[], matches: (item: Judged) => boolean) =>
    items.length === 0 ? Number.NaN : items.filter(matches).length / items.length;
  const sensitivity = share(
    judged.filter((item) => item.ictal),
    (item) => item.score >= threshold,
  );
  const specificity = share(
    judged.filter((item) => !item.ictal),
    (item) => item.score < threshold,
  );
  return { sensitivity, specificity, balancedAccuracy: (sensitivity + specificity) / 2 };
}

/** The lowest threshold at which at least `specificity` of the non-ictal windows stay below it. */
export function thresholdForSpecificity(judged: readonly Judged[], specificity: number): number {
  const others = judged.filter((item) => !item.ictal).map((item) => item.score);
  others.sort((a, b) => a - b);
  const allowed = Math.floor((1 - specificity) * others.length + 1e-9);
  return nextAbove(others[others.length - 1 - allowed] ?? Number.NEGATIVE_INFINITY);
}

/** The highest threshold that at least `sensitivity` of the ictal windows reach. */
export function thresholdForSensitivity(judged: readonly Judged[], sensitivity: number): number {
  const ictal = judged.filter((item) => item.ictal).map((item) => item.score);
  ictal.sort((a, b) => a - b);
  return ictal[Math.floor((1 - sensitivity) * ictal.length + 1e-9)] ?? Number.POSITIVE_INFINITY;
}

/** Sensitivity at the lowest threshold with a specificity of at least .99. */
export function sensitivityAt99(judged: readonly Judged[]): number {
  return confusionAt(judged, thresholdForSpecificity(judged, 0.99)).sensitivity;
}

export type CalibrationBin = {
  readonly from: number;
  readonly count: number;
  readonly meanProbability: number;
  readonly ictalShare: number;
};

/** Equal-width bins of the probability; empty bins are left out. */
export function calibrationBins(judged: readonly Judged[], bins = 15): CalibrationBin[] {
  const groups = Array.from({ length: bins }, (): Judged[] => []);
  for (const item of judged) groups[Math.min(bins - 1, Math.floor(item.score * bins))]?.push(item);
  return groups.flatMap((group, index) => {
    if (group.length === 0) return [];
    const meanProbability = group.reduce((sum, item) => sum + item.score, 0) / group.length;
    return [
      { from: index / bins, count: group.length, meanProbability, ictalShare: group.filter((item) => item.ictal).length / group.length },
    ];
  });
}

/** Expected calibration error: how far the probabilities are from the shares they promise, on average. */
export function calibrationError(judged: readonly Judged[], bins = 15): number {
  return calibrationBins(judged, bins).reduce(
    (sum, bin) => sum + (bin.count / judged.length) * Math.abs(bin.meanProbability - bin.ictalShare),
    0,
  );
}

/** Mean squared distance of probability and truth. */
export function brier(judged: readonly Judged[]): number {
  return judged.reduce((sum, item) => sum + (item.score - (item.ictal ? 1 : 0)) ** 2, 0) / judged.length;
}

function nextAbove(value: number): number {
  return value + Math.max(Number.EPSILON, Math.abs(value) * Number.EPSILON);
}
