import type { AlarmInfo, LinkState, PatientState } from '@vitalwire/contract';
import type { Sounding } from './alarm-bell.ts';
import { isSignalling, isUnacknowledged } from './alarm-order.ts';
import { type AgeMs, ageSince } from './freshness.ts';

/** A lost connection sounds like an alarm only after this long: most come back at once. */
const LOST_SOUNDS_MS = 10_000;

/** What a screen hears: alarms of the system as web told them last, and whether its own connection lives. */
export type Hearing = {
  readonly links: LinkState | null; // null = nothing was heard yet
  readonly systemAlarms: readonly AlarmInfo[];
  readonly lostSinceUs: number | null; // null = connected
};

/**
 * The alarms of the system as a screen must show them: first of all that alarms are not watched, when this screen cannot know them. Each
 * blames what is really down: behind a dead front door the alarms service is not heard either, and is not at fault.
 */
export function systemAlarmsOf({ links, systemAlarms, lostSinceUs }: Hearing): readonly AlarmInfo[] {
  if (links === null) return [];
  if (lostSinceUs !== null) return [notWatched(lostSinceUs, 'this screen has no connection: alarms may be missing'), ...systemAlarms];
  const isDoorDown = links.frontDoor === 'down';
  const text = 'the front door is down: nothing live arrives, alarms may be missing';
  const told = isDoorDown ? systemAlarms.map((alarm) => (alarm.condition === 'alarm-path' ? { ...alarm, text } : alarm)) : systemAlarms;
  if (links.alarms !== 'ok' && !told.some(({ condition }) => condition === 'alarm-path'))
    return [notWatched(0, isDoorDown ? text : 'the alarms service was not heard yet'), ...told];
  return told;
}

/** How often a signal comes again while nobody answers, and after how long unanswered it becomes more urgent. */
export const soundRule = { highMs: 10_000, mediumMs: 20_000, technicalMs: 30_000, escalatesMs: 120_000 } as const;

/**
 * What asks for attention by sound: high and medium alarms, of patients and of the system, that nobody answered or paused, and a screen
 * that hears nothing for long. Medium ones sound like high ones once nobody has answered for two minutes.
 */
export function soundingOf(patients: Iterable<PatientState>, { links, systemAlarms, lostSinceUs }: Hearing, nowUs: number): Sounding[] {
  const all: Sounding[] = [];
  for (const { alarms, pauses } of patients)
    for (const alarm of alarms) if (isSignalling(alarm, pauses, nowUs)) all.push(...soundOf(alarm, nowUs));
  for (const alarm of systemAlarms) if (isUnacknowledged(alarm)) all.push(...soundOf(alarm, nowUs));
  if (links !== null && lostSinceUs !== null && nowUs - lostSinceUs > LOST_SOUNDS_MS * 1000)
    all.push({ id: 'connection', pattern: 'technical', everyMs: soundRule.highMs });
  return all;
}

function soundOf({ alarmId: id, category, priority, raisedAtUs }: AlarmInfo, nowUs: number): Sounding[] {
  if (priority === 'low') return [];
  const isUrgent = priority === 'high' || nowUs - raisedAtUs >= soundRule.escalatesMs * 1000;
  if (category === 'technical') return [{ id, pattern: 'technical', everyMs: isUrgent ? soundRule.highMs : soundRule.technicalMs }];
  return [{ id, pattern: isUrgent ? 'high' : 'medium', everyMs: isUrgent ? soundRule.highMs : soundRule.mediumMs }];
}

/** Without any reading for this long nothing counts as arriving. */
const ARRIVES_MS = 10_000;

/** Whether readings arrive at all, and how long ago the newest did; null = none ever did. A screen that is connected to silence is not live. */
export function arrivalOf(patients: Iterable<PatientState>, nowUs: number): { readonly arrives: boolean; readonly age: AgeMs | null } {
  let newestUs: number | null = null;
  for (const { eeg, numerics } of patients)
    for (const at of [eeg?.at, ...numerics.filter(({ kind }) => kind !== 'phone').map((one) => one.at)])
      if (at !== undefined && at.receivedAtUs > (newestUs ?? Number.NEGATIVE_INFINITY)) newestUs = at.receivedAtUs;
  const age = newestUs === null ? null : ageSince(newestUs, nowUs);
  return { arrives: age !== null && age < ARRIVES_MS, age };
}

/** Gateways of which an alarm says that they are off. */
export function offGateways(systemAlarms: readonly AlarmInfo[]): ReadonlySet<string> {
  return new Set(
    systemAlarms.filter(({ condition, state }) => condition === 'gateway-offline' && state !== 'ended').map(({ device }) => device),
  );
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
