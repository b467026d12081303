import { type Client, HttpError } from '@vitalwire/client';
import type { AlarmLine } from '@vitalwire/contract';
import { alarmEvents } from '@vitalwire/vitals';
import type { Hypothesis } from './scored-recording.ts';
import type { RuleRun } from './seizure-rule.ts';

/** What the log says of one alarm last, and when it said so first: that tells which replay of a file it belongs to. */
export type StoredSeizureAlarm = { readonly newest: AlarmLine; readonly firstAtUs: number };

/** Every stored alarm of a seizure of these devices, without those merged into another; null = none is stored. */
export async function seizureAlarms(web: Client, devices: readonly string[]): Promise<StoredSeizureAlarm[] | null> {
  const found = new Map<string, StoredSeizureAlarm>();
  try {
    for (const device of devices) {
      for await (const line of web.eachAlarmLine({ device })) {
        if (line.condition !== 'seizure' || line.alarmId === '') continue;
        const firstAtUs = Math.min(line.atUs, found.get(line.alarmId)?.firstAtUs ?? line.atUs);
        found.set(line.alarmId, { newest: line, firstAtUs });
      }
    }
  } catch (error) {
    if (HttpError.is(error) && (error as HttpError).status === 404) return null; // a system from before alarms
    throw error;
  }
  return found.size === 0 ? null : [...found.values()].filter(({ newest }) => newest.mergedInto === null);
}

// An alarm is told apart by its onset; what the rule finds nearer than this is the same.
const SAME_S = 1;

/**
 * Stored alarms as a hypothesis. Onset and end are the engine's; when each sounded follows from the stored detections by the engine's own rule,
 * because a stored line knows that moment on the wall clock only, which above 1x is another time.
 */
export function engineHypothesis(
  lines: readonly AlarmLine[],
  { fromUs, toUs }: { readonly fromUs: number; readonly toUs: number },
  rule: RuleRun,
  notes: string[],
): Hypothesis {
  const durationS = (toUs - fromUs) / 1e6;
  const secondsOf = (us: number): number => (us - fromUs) / 1e6;
  const found = lines
    .flatMap(({ onsetUs, endedUs }) => (onsetUs === null ? [] : [{ onsetUs, endedUs }]))
    .filter(({ onsetUs, endedUs }) => onsetUs < toUs && (endedUs ?? toUs) >= fromUs)
    .map(({ onsetUs, endedUs }) => ({ startS: secondsOf(onsetUs), endS: endedUs === null ? null : secondsOf(endedUs) }));
  const alarms = alarmEvents(
    found.map(({ startS, endS }) => ({
      startS,
      endS,
      raisedS: rule.alarms.find((one) => Math.abs(one.startS - startS) <= SAME_S)?.raisedS ?? startS,
    })),
    durationS,
  );
  const isStored = (one: { startS: number; endS: number }): boolean =>
    alarms.some(({ startS, endS }) => one.startS <= endS + SAME_S && one.endS >= startS - SAME_S);
  const unheard = rule.alarms.filter((one) => !isStored(one)).length;
  if (unheard > 0) notes.push(`alarms that follow from the stored detections and are not in the log of alarms: ${unheard}`);
  const unexplained = alarms.filter((alarm) => !rule.alarms.some((one) => one.startS <= alarm.endS && one.endS >= alarm.startS)).length;
  if (unexplained > 0)
    notes.push(`stored alarms that do not follow from the stored detections, so that their latency is not known: ${unexplained}`);
  return { name: 'engine', alarms, signals: rule.signals.filter(isStored) };
}
