import type { AlarmInfo, LinkState, PatientState } from '@vitalwire/contract';
import { isSignalling, isUnacknowledged } from './alarm-order.ts';

/** A lost connection sounds like an alarm only after this long: most come back at once. */
const LOST_SOUNDS_MS = 10_000;

/** What a screen hears: alarms of the system as web told them last, and whether its own connection lives. */
export type Hearing = {
  readonly links: LinkState | null; // null = nothing was heard yet
  readonly systemAlarms: readonly AlarmInfo[];
  readonly lostSinceUs: number | null; // null = connected
};

/** The alarms of the system as a screen must show them: first of all that alarms are not watched, when this screen cannot know them. */
export function systemAlarmsOf({ links, systemAlarms, lostSinceUs }: Hearing): readonly AlarmInfo[] {
  if (links === null) return [];
  if (lostSinceUs !== null) return [notWatched(lostSinceUs, 'this screen has no connection: alarms may be missing'), ...systemAlarms];
  if (links.alarms !== 'ok' && !systemAlarms.some(({ condition }) => condition === 'alarm-path'))
    return [notWatched(0, 'the alarms service was not heard yet'), ...systemAlarms];
  return systemAlarms;
}

/** The ids of what asks for attention by sound: high alarms that nobody answered or paused, and a screen that hears nothing for long. */
export function soundingOf(patients: Iterable<PatientState>, { links, systemAlarms, lostSinceUs }: Hearing, nowUs: number): string[] {
  const ids: string[] = [];
  for (const { alarms, pauses } of patients)
    for (const alarm of alarms) if (alarm.priority === 'high' && isSignalling(alarm, pauses, nowUs)) ids.push(alarm.alarmId);
  for (const alarm of systemAlarms) if (alarm.priority === 'high' && isUnacknowledged(alarm)) ids.push(alarm.alarmId);
  if (links !== null && lostSinceUs !== null && nowUs - lostSinceUs > LOST_SOUNDS_MS * 1000) ids.push('connection');
  return ids;
}

// What a screen finds out itself; it looks like what web says of the alarm path.
function notWatched(sinceUs: number, text: string): AlarmInfo {
  return {
    alarmId: 'not-watched',
    device: 'screen',
    condition: 'alarm-path',
    category: 'technical',
    priority: 'high',
    state: 'active',
    onsetUs: sinceUs,
    endedUs: null,
    raisedAtUs: sinceUs,
    changedAtUs: sinceUs,
    acknowledgedAtUs: null,
    acknowledgedBy: null,
    value: null,
    limit: null,
    channel: null,
    senders: [],
    replay: null,
    text,
  };
}
