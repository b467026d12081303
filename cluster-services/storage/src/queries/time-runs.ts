/** One stored chunk of a signal: when its device says it began, and how long its samples last at their rate. */
export type TimedChunk = {
  readonly seq: number;
  readonly measuredAtUs: number;
  readonly spanUs: number;
  readonly firstSample: number | null; // null: its sender did not say
  readonly samples: number | null;
};

/**
 * Chunks that follow each other, by seq and by sample, while the device's clock agrees with the count of their samples. It begins when its
 * first chunk says, and lasts as long as its samples do: a clock that jumps makes no time.
 */
export type TimeRun = {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly fromUs: number;
  readonly toUs: number;
  readonly firstSample: number | null;
  readonly endSample: number | null; // index after its last sample
  readonly aheadUs: number; // of the count, the device's clock at the end
};

/** A device's clock that was set in the middle of a signal without a hole: where it stood by the count, and where it went on. */
export type ClockStep = { readonly seq: number; readonly fromUs: number; readonly toUs: number };

export const timeRunLimits = {
  /** How far the clock of a device may be from the count of its samples before that is a step: more than jitter, less than anybody overlooks. */
  stepUs: 1_000_000,
  /** Runs kept of one recording, each a hole or a step apart from the next; with more its clock says nothing. */
  runs: 5_000,
} as const;

/** The runs of chunks in rising seq order. */
export function timeRuns(chunks: Iterable<TimedChunk>): TimeRun[] {
  const runs: TimeRun[] = [];
  for (const { seq, measuredAtUs, spanUs, firstSample, samples } of chunks) {
    const endSample = firstSample === null || samples === null ? null : firstSample + samples;
    add(runs, { fromSeq: seq, toSeq: seq, fromUs: measuredAtUs, toUs: measuredAtUs + spanUs, firstSample, endSample, aheadUs: 0 });
  }
  return runs;
}

/** Runs of different chunks of one recording, in whatever order they were found, as one list in seq order. */
export function mergeRuns(a: readonly TimeRun[], b: readonly TimeRun[]): TimeRun[] {
  if (b.length === 0) return [...a];
  const runs: TimeRun[] = [];
  for (const run of [...a, ...b].toSorted((one, other) => one.fromSeq - other.fromSeq)) add(runs, run);
  return runs;
}

/** Where the device's clock was set though no sample is missing. */
export function clockSteps(runs: readonly TimeRun[]): ClockStep[] {
  return runs.flatMap((run, index) => {
    const before = runs[index - 1];
    if (before === undefined || !follows(before, run) || Math.abs(run.fromUs - before.toUs) <= timeRunLimits.stepUs) return [];
    return [{ seq: run.fromSeq, fromUs: before.toUs, toUs: run.fromUs }];
  });
}

/**
 * Stretches in order; of two that are a moment apart the later one begins where the earlier one ends. None becomes longer: the sum of them is
 * never more than what they were made of.
 */
export function closedUp<Stretch extends { readonly fromUs: number; readonly toUs: number }>(
  stretches: readonly Stretch[],
  momentUs: number,
): { fromUs: number; toUs: number }[] {
  const closed: { fromUs: number; toUs: number }[] = [];
  let endUs = Number.NEGATIVE_INFINITY;
  for (const { fromUs, toUs } of stretches.toSorted((a, b) => a.fromUs - b.fromUs)) {
    const gapUs = fromUs - endUs;
    const shiftUs = gapUs > 0 && gapUs <= momentUs ? gapUs : 0;
    closed.push({ fromUs: fromUs - shiftUs, toUs: toUs - shiftUs });
    endUs = Math.max(endUs, toUs - shiftUs);
  }
  return closed;
}

function add(runs: TimeRun[], next: TimeRun): void {
  const last = runs.at(-1);
  const aheadUs = last === undefined ? 0 : next.fromUs - last.toUs;
  const endAheadUs = aheadUs + next.aheadUs;
  const agrees = Math.abs(aheadUs) <= timeRunLimits.stepUs && Math.abs(endAheadUs) <= timeRunLimits.stepUs;
  if (last === undefined || !follows(last, next) || !agrees) runs.push(next);
  else {
    const toUs = last.toUs + next.toUs - next.fromUs;
    runs[runs.length - 1] = { ...last, toSeq: next.toSeq, toUs, endSample: next.endSample, aheadUs: endAheadUs };
  }
}

function follows(before: TimeRun, next: TimeRun): boolean {
  if (next.fromSeq !== before.toSeq + 1) return false;
  return before.endSample === null || next.firstSample === null || before.endSample === next.firstSample;
}
