/** Something that lasts, in seconds since its recording began. */
export type TimeEvent = { readonly startS: number; readonly endS: number };

/**
 * Events as scoring wants them: in order of start, inside the recording, none inside another. What reaches out of the recording is cut, what
 * lies wholly outside is left out. Two events that only overlap stay two: merging them is the scorer's.
 */
export function orderedEvents(events: readonly TimeEvent[], durationS: number): TimeEvent[] {
  const inside = events
    .filter(({ startS, endS }) => startS < durationS && endS >= 0)
    .map(({ startS, endS }) => ({ startS: Math.max(0, startS), endS: Math.min(durationS, Math.max(startS, endS)) }))
    .sort((a, b) => a.startS - b.startS || b.endS - a.endS);
  const kept: TimeEvent[] = [];
  for (const event of inside) {
    const last = kept.at(-1);
    if (last === undefined || event.endS > last.endS) kept.push(event);
  }
  return kept;
}
