/** What is counted. Events: `refs` after merging and splitting; samples: seconds. */
export type ScoreCounts = {
  readonly refs: number; // events (or samples) of the reference
  readonly tp: number;
  readonly fp: number;
  readonly samples: number; // of the mask, at `hz`
  readonly hz: number;
};

/** NaN where nothing can be said: no seizure to be sensitive to, no hypothesis to be precise about. */
export type Scores = {
  readonly sensitivity: number;
  readonly precision: number;
  readonly f1: number;
  readonly fpPerDay: number; // false alarms per 24 h
};

/** Mean and population standard deviation over the subjects that have a value, and how many have none. */
export type SubjectAverage = { readonly mean: number; readonly sd: number; readonly subjects: number; readonly nanSubjects: number };
export type AveragedScores = { readonly [Score in keyof Scores]: SubjectAverage };

export const scoreNames = ['sensitivity', 'precision', 'f1', 'fpPerDay'] as const satisfies readonly (keyof Scores)[];

/**
 * The formulas of timescoring 0.0.7 (`scoring.py`, `computeScores`). F1 is that of 0.0.7, from January 2026: "seizures, and none found" is 0.
 * Before, it was NaN whenever sensitivity or precision was, and such subjects fell out of published averages.
 */
export function scoresOf({ refs, tp, fp, samples, hz }: ScoreCounts): Scores {
  return {
    sensitivity: refs > 0 ? tp / refs : Number.NaN,
    precision: tp + fp > 0 ? tp / (tp + fp) : Number.NaN,
    f1: refs + fp === 0 ? Number.NaN : (2 * tp) / (2 * tp + fp + (refs - tp)),
    fpPerDay: samples > 0 ? fp / (samples / hz / 3600 / 24) : Number.NaN,
  };
}

/** The counts of several recordings together: of one subject, or of all (pooled). All have the same `hz`; null of nothing. */
export function summedCounts(counts: readonly ScoreCounts[]): ScoreCounts | null {
  const [first] = counts;
  if (first === undefined) return null;
  if (counts.some(({ hz }) => hz !== first.hz)) throw new RangeError('counts at different rates cannot be added');
  const sum = (of: 'refs' | 'tp' | 'fp' | 'samples'): number => counts.reduce((total, one) => total + one[of], 0);
  return { refs: sum('refs'), tp: sum('tp'), fp: sum('fp'), samples: sum('samples'), hz: first.hz };
}

/** As the SzCORE benchmark averages: each score over subjects, skipping NaN; unlike there, the number skipped is told. */
export function averageOverSubjects(scores: readonly Scores[]): AveragedScores {
  const average = (name: keyof Scores): SubjectAverage => {
    const values = scores.map((one) => one[name]).filter((value) => !Number.isNaN(value));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    return { mean, sd, subjects: scores.length, nanSubjects: scores.length - values.length };
  };
  return { sensitivity: average('sensitivity'), precision: average('precision'), f1: average('f1'), fpPerDay: average('fpPerDay') };
}
