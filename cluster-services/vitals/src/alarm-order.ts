import type { AlarmInfo, AlarmPause } from '@vitalwire/contract';
import { isPaused } from './alarms/audible.ts';
import { rankOfPriority } from './alarms/record.ts';

/** Nobody has acknowledged it: active, or over and still latched. */
export function isUnacknowledged({ state }: Pick<AlarmInfo, 'state'>): boolean {
  return state === 'active' || state === 'latched';
}

/** The pause that silences this alarm now; a priority above what was paused is not silenced. */
export function pauseOf(alarm: AlarmInfo, pauses: readonly AlarmPause[], nowUs: number): AlarmPause | null {
  return (
    pauses.find(
      (pause) => pause.device === alarm.device && isPaused(pause, nowUs) && rankOfPriority(alarm.priority) <= rankOfPriority(pause.above),
    ) ?? null
  );
}

/** Whether an alarm asks for attention by sound and by flashing: nobody acknowledged it and no pause covers it. */
export function isSignalling(alarm: AlarmInfo, pauses: readonly AlarmPause[], nowUs: number): boolean {
  return isUnacknowledged(alarm) && pauseOf(alarm, pauses, nowUs) === null;
}

/**
 * Where a screen puts a patient, 0 first: unacknowledged high, acknowledged high, a seizure pattern of which no alarm tells (yet), medium,
 * technical, low, stable. Inside a class the order of the registry stays, so that nothing jumps.
 */
export function acuityClass(alarms: readonly AlarmInfo[], hasSeizurePattern = false): number {
  const bodily = alarms.filter(({ category }) => category === 'physiological');
  const high = bodily.filter(({ priority }) => priority === 'high');
  if (high.some(isUnacknowledged)) return 0;
  if (high.length > 0) return 1;
  if (hasSeizurePattern) return 2;
  if (bodily.some(({ priority }) => priority === 'medium')) return 3;
  if (bodily.length < alarms.length) return 4;
  return bodily.length > 0 ? 5 : 6;
}

/** Worst first: by acuity class, then priority, then what nobody acknowledged, then the newest. */
export function compareAlarms(a: AlarmInfo, b: AlarmInfo): number {
  return (
    acuityClass([a]) - acuityClass([b]) ||
    rankOfPriority(b.priority) - rankOfPriority(a.priority) ||
    Number(isUnacknowledged(b)) - Number(isUnacknowledged(a)) ||
    b.raisedAtUs - a.raisedAtUs ||
    (a.alarmId < b.alarmId ? -1 : a.alarmId > b.alarmId ? 1 : 0)
  );
}

/** Flashing of a badge that asks for attention: 2 Hz for high, 0.67 Hz for medium, half of the time on. Everything else is steady. */
export function isFlashOn({ category, priority }: Pick<AlarmInfo, 'category' | 'priority'>, nowMs: number): boolean {
  if (category === 'technical' || priority === 'low') return true;
  const periodMs = priority === 'high' ? 500 : 1_500;
  return nowMs % periodMs < periodMs / 2;
}

/** Time left of a pause, as `1:43`; never more than what is left, and `0:00` only when it is over. */
export function formatCountdown(untilUs: number, nowUs: number): string {
  const seconds = Math.max(0, Math.ceil((untilUs - nowUs) / 1e6));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
