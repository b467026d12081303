import { eventScoringRules, type Raised, type TimeEvent } from '@vitalwire/vitals';

/**
 * Where a hypothesis comes from: `engine` the alarms that were stored, `rule` the engine's rule run again over the stored detections,
 * `raw` every window at or above the model's threshold, `file` a table of events.
 */
export type HypothesisName = 'engine' | 'rule' | 'raw' | 'file';

export type Hypothesis = {
  readonly name: HypothesisName;
  readonly alarms: readonly Raised[]; // in order of onset
  readonly signals: readonly Raised[] | null; // when they began to sound, or did again; null = nobody knows
};

/** One unbroken recording with what is known and what was claimed about it. Times are seconds of data time since its first sample. */
export type ScoredRecording = {
  readonly subject: string; // the patient if known, otherwise the device; of files the folder
  readonly name: string; // the capture, or the file
  readonly startedAtUs: number | null;
  readonly durationS: number; // of what is scored
  readonly recordedS: number; // of this, what is stored
  readonly monitoredS: number; // of this, what a detector judged: only there can a seizure be found, or an alarm be false
  readonly reference: readonly TimeEvent[]; // as annotated, in order, none inside another
  readonly hypotheses: readonly Hypothesis[];
  readonly source: string; // what its replay says of itself; '' = a device
  readonly speed: number | null; // of the replay; 0 = as fast as possible, null = not a replay
  readonly windows: WindowCount | null; // null = from files
  readonly notes: readonly string[]; // what a reader of the figures must know
};

export type WindowCount = {
  readonly model: string; // version
  readonly windows: number;
  readonly seizure: number;
  readonly unjudged: number; // not scorable, unsure or calibrating: neither a seizure or focal pattern nor quiet
};

const { toleranceBeforeS, toleranceAfterS } = eventScoringRules;

/** How many alarms lie outside every annotated seizure and its tolerances, before anything is merged. */
export function outsideOf(reference: readonly TimeEvent[], alarms: readonly TimeEvent[]): number {
  const isAt = (alarm: TimeEvent, { startS, endS }: TimeEvent): boolean =>
    alarm.endS >= startS - toleranceBeforeS && alarm.startS <= endS + toleranceAfterS;
  return alarms.filter((alarm) => !reference.some((event) => isAt(alarm, event))).length;
}

/** How much of a recording lies inside these windows, each second counted once. */
export function coveredSeconds(windows: readonly TimeEvent[], durationS: number): number {
  let coveredS = 0;
  let untilS = 0;
  for (const { startS, endS } of windows.toSorted((a, b) => a.startS - b.startS)) {
    const from = Math.max(untilS, startS);
    const to = Math.min(durationS, endS);
    if (to <= from) continue;
    coveredS += to - from;
    untilS = to;
  }
  return coveredS;
}

/** How much of a recording lies outside every seizure and its tolerances. */
export function clearSeconds(reference: readonly TimeEvent[], durationS: number): number {
  let coveredS = 0;
  let untilS = 0;
  for (const { startS, endS } of reference) {
    const from = Math.max(untilS, startS - toleranceBeforeS);
    const to = Math.min(durationS, endS + toleranceAfterS);
    if (to <= from) continue;
    coveredS += to - from;
    untilS = to;
  }
  return durationS - coveredS;
}
