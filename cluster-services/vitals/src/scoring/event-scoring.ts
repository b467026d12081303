import { roundHalfEven } from './round-half-even.ts';
import type { ScoreCounts } from './scores.ts';
import type { TimeEvent } from './time-event.ts';

// Event scoring of SzCORE (Dan et al., Epilepsia 2024), as its reference implementation has it: timescoring 0.0.7, `scoring.py`,
// `EventScoring` with its default parameters. Written anew from its behaviour; golden/ holds what it answers.

export const eventScoringRules = {
  hz: 10, // of the masks
  mergeBelowS: 90, // events with a shorter gap between them are one
  splitAboveS: 300, // longer events are cut into pieces of this length
  toleranceBeforeS: 30,
  toleranceAfterS: 60,
  minOverlap: 1e-6, // share of an extended event that a hypothesis must cover
} as const;

export type ScoredReference = TimeEvent & { readonly detected: boolean };
export type ScoredHypothesis = TimeEvent & { readonly outcome: 'true-positive' | 'false-positive' };

/** Counts, and the merged and split events they were taken from. */
export type EventScoring = ScoreCounts & {
  readonly references: readonly ScoredReference[];
  readonly hypotheses: readonly ScoredHypothesis[];
};

/** Scores events in order of start. `durationS` is the length of the recording; both lists count from its beginning. */
export function scoreEvents(reference: readonly TimeEvent[], hypothesis: readonly TimeEvent[], durationS: number): EventScoring {
  const { hz, minOverlap } = eventScoringRules;
  const samples = roundHalfEven(durationS * hz);
  const refs = splitLong(mergeNeighbours(reference));
  const hyps = splitLong(mergeNeighbours(hypothesis));
  const hypothesised = maskOf(hyps, samples);
  const hit = new Uint8Array(samples); // inside an extended reference event that was detected
  const references = refs.map((event) => {
    // The end of the recording is that of the mask, which may be a rounded sample away from durationS.
    const { startS, endS } = extended(event, samples / hz);
    const [from, to] = sampleRange({ startS, endS }, samples);
    const share = countSet(hypothesised, from, to) / hz / (endS - startS);
    const detected = share > minOverlap;
    if (detected) hit.fill(1, from, Math.max(from, to));
    return { ...event, detected };
  });
  const hypotheses = hyps.map((event) => {
    const [from, to] = sampleRange(event, samples);
    // Also one of zero samples: nothing of it lies in a detected event.
    return { ...event, outcome: countSet(hit, from, to) === 0 ? ('false-positive' as const) : ('true-positive' as const) };
  });
  return {
    refs: references.length,
    tp: references.filter(({ detected }) => detected).length,
    fp: hypotheses.filter(({ outcome }) => outcome === 'false-positive').length,
    samples,
    hz,
    references,
    hypotheses,
  };
}

/** Two events less than 90 s apart become one, which ends where the second one ends. */
export function mergeNeighbours(events: readonly TimeEvent[]): TimeEvent[] {
  const merged: TimeEvent[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if (last !== undefined && event.startS - last.endS < eventScoringRules.mergeBelowS)
      merged[merged.length - 1] = { startS: last.startS, endS: event.endS };
    else merged.push({ startS: event.startS, endS: event.endS });
  }
  return merged;
}

/** An event longer than 300 s becomes 300, 300, ... and the rest. */
export function splitLong(events: readonly TimeEvent[]): TimeEvent[] {
  const { splitAboveS } = eventScoringRules;
  return events.flatMap(({ startS, endS }) => {
    const parts: TimeEvent[] = [];
    let from = startS;
    for (; endS - from > splitAboveS; from += splitAboveS) parts.push({ startS: from, endS: from + splitAboveS });
    return [...parts, { startS: from, endS }];
  });
}

/** From 30 s before to 60 s after an event, inside the recording. */
function extended({ startS, endS }: TimeEvent, recordingS: number): TimeEvent {
  const { toleranceBeforeS, toleranceAfterS } = eventScoringRules;
  return { startS: Math.max(0, startS - toleranceBeforeS), endS: Math.min(recordingS, endS + toleranceAfterS) };
}

function maskOf(events: readonly TimeEvent[], samples: number): Uint8Array {
  const mask = new Uint8Array(samples);
  for (const event of events) {
    const [from, to] = sampleRange(event, samples);
    mask.fill(1, from, Math.max(from, to));
  }
  return mask;
}

/** The samples of an event that the mask has: from `from` to `to`, the last not included. */
function sampleRange({ startS, endS }: TimeEvent, samples: number): [from: number, to: number] {
  const { hz } = eventScoringRules;
  return [Math.min(samples, roundHalfEven(startS * hz)), Math.min(samples, roundHalfEven(endS * hz))];
}

function countSet(mask: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) count += mask[at] ?? 0;
  return count;
}
