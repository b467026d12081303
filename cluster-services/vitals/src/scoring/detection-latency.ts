import { eventScoringRules } from './event-scoring.ts';
import type { TimeEvent } from './time-event.ts';

/** An alarm on data time: `raisedS` is when it could first sound, the end of the window that decided; its onset lies before. */
export type Raised = TimeEvent & { readonly raisedS: number };

/**
 * How one annotated seizure was met. `already-alarming`: an alarm raised before the onset still held, so nothing was measured, and it counts
 * in no median; it is either early or false, and only a person can tell.
 */
export type LatencyOfEvent = TimeEvent & {
  readonly met: 'detected' | 'already-alarming' | 'missed';
  readonly latencyS: number | null; // from the annotated onset; only when detected
};

/**
 * The delay from each annotated onset to the first alarm raised between it and 60 s (the tolerance of event scoring) after its end. Everything
 * on data time: how long the machinery takes on top is another figure.
 */
export function detectionLatencies(reference: readonly TimeEvent[], alarms: readonly Raised[]): LatencyOfEvent[] {
  const inOrder = alarms.toSorted((a, b) => a.raisedS - b.raisedS);
  return reference.map(({ startS, endS }) => {
    const event = { startS, endS };
    if (inOrder.some((alarm) => alarm.raisedS < startS && alarm.endS > startS))
      return { ...event, met: 'already-alarming', latencyS: null };
    const until = endS + eventScoringRules.toleranceAfterS;
    const first = inOrder.find(({ raisedS }) => raisedS >= startS && raisedS <= until);
    return first === undefined
      ? { ...event, met: 'missed', latencyS: null }
      : { ...event, met: 'detected', latencyS: first.raisedS - startS };
  });
}
