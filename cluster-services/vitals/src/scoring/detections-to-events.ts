import type { Raised } from './detection-latency.ts';

/** A window's verdict, in seconds since the recording began. */
export type WindowVerdict = { readonly startS: number; readonly endS: number; readonly verdict: string };

/** An alarm as it is stored, in seconds since the recording began; `endS` null = it still holds. */
export type StoredAlarm = { readonly startS: number; readonly endS: number | null; readonly raisedS: number };

/**
 * The raw threshold's alarms: what would sound if every window at or above the model's threshold raised an alarm, which holds as long as the
 * next such window overlaps or touches it. Raised when its first window is complete.
 */
export function rawThresholdAlarms(windows: readonly WindowVerdict[]): Raised[] {
  return joined(windows.filter(({ verdict }) => verdict === 'seizure').map(({ startS, endS }) => ({ startS, endS, raisedS: endS })));
}

/** Stored alarms as events of a hypothesis, in order of onset; one that still holds lasts until the end of what is recorded. */
export function alarmEvents(alarms: readonly StoredAlarm[], durationS: number): Raised[] {
  return alarms
    .map(({ startS, endS, raisedS }) => ({ startS, endS: Math.max(startS, endS ?? durationS), raisedS }))
    .sort((a, b) => a.startS - b.startS);
}

// Rounded window times must not tear apart what touches.
const TOUCHING_S = 1e-3;

function joined(events: readonly Raised[]): Raised[] {
  const one: Raised[] = [];
  for (const event of events.toSorted((a, b) => a.startS - b.startS)) {
    const last = one.at(-1);
    if (last === undefined || event.startS > last.endS + TOUCHING_S) one.push(event);
    else
      one[one.length - 1] = {
        startS: last.startS,
        endS: Math.max(last.endS, event.endS),
        raisedS: Math.min(last.raisedS, event.raisedS),
      };
  }
  return one;
}
