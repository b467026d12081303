import {
  areaUnderCurve,
  brier,
  type CalibrationBin,
  calibrationBins,
  calibrationError,
  confusionAt,
  type Judged,
  sensitivityAt99,
} from './metrics.ts';

/** A judged window with what it belongs to. */
export type JudgedWindow = Judged & { readonly segment: string; readonly group: string };

/** The numbers of one task, from calibrated probabilities. */
export type TaskResult = {
  readonly windows: number;
  readonly auc: number;
  readonly balancedAccuracy: number; // at .5
  readonly sensitivity: number;
  readonly specificity: number;
  readonly sensitivityAt99: number;
  readonly calibrationError: number;
  readonly brier: number;
  readonly segmentAccuracy: number; // mean probability of a segment's windows at .5
  readonly bins: CalibrationBin[];
};

/** "all" against the ictal set, and the fairer task: intracranial recordings between seizures (N, F) against ictal ones. */
export const tasks = { all: ['Z', 'O', 'N', 'F', 'S'], 'F+N': ['N', 'F', 'S'] } as const;
export type Task = keyof typeof tasks;

export function evaluateTask(judged: readonly JudgedWindow[], task: Task): TaskResult {
  const groups: readonly string[] = tasks[task];
  const windows = judged.filter(({ group }) => groups.includes(group));
  const { balancedAccuracy, sensitivity, specificity } = confusionAt(windows, 0.5);
  return {
    windows: windows.length,
    auc: areaUnderCurve(windows),
    balancedAccuracy,
    sensitivity,
    specificity,
    sensitivityAt99: sensitivityAt99(windows),
    calibrationError: calibrationError(windows),
    brier: brier(windows),
    segmentAccuracy: segmentAccuracy(windows),
    bins: calibrationBins(windows),
  };
}

/** The mean of several results, number by number; the bins are the first one's. */
export function meanResult(results: readonly TaskResult[]): TaskResult {
  const [first] = results;
  if (first === undefined) throw new RangeError('no results to average');
  const mean = (of: (result: TaskResult) => number) => results.reduce((sum, result) => sum + of(result), 0) / results.length;
  return {
    windows: first.windows,
    auc: mean((result) => result.auc),
    balancedAccuracy: mean((result) => result.balancedAccuracy),
    sensitivity: mean((result) => result.sensitivity),
    specificity: mean((result) => result.specificity),
    sensitivityAt99: mean((result) => result.sensitivityAt99),
    calibrationError: mean((result) => result.calibrationError),
    brier: mean((result) => result.brier),
    segmentAccuracy: mean((result) => result.segmentAccuracy),
    bins: first.bins,
  };
}

function segmentAccuracy(windows: readonly JudgedWindow[]): number {
  const segments = new Map<string, JudgedWindow[]>();
  for (const window of windows) segments.set(window.segment, [...(segments.get(window.segment) ?? []), window]);
  let right = 0;
  for (const members of segments.values()) {
    const mean = members.reduce((sum, { score }) => sum + score, 0) / members.length;
    if (mean >= 0.5 === members[0]?.ictal) right++;
  }
  return right / segments.size;
}
