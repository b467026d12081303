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

/** The pause of a patient that lasts longest, whether or not it silences anything now; null when there is none. */
export function runningPause(pauses: readonly AlarmPause[], nowUs: number): AlarmPause | null {
  const running = pauses.filter((pause) => isPaused(pause, nowUs));
  return running.reduce<AlarmPause | null>((longest, pause) => (pause.untilUs > (longest?.untilUs ?? 0) ? pause : longest), null);
}

/** Whether an alarm asks for attention by sound and by flashing: nobody acknowledged it and no pause covers it. */
export function isSignalling(alarm: AlarmInfo, pauses: readonly AlarmPause[], nowUs: number): boolean {
  return isUnacknowledged(alarm) && pauseOf(alarm, pauses, nowUs) === null;
}

/** Where a screen puts a patient, the first on top. What goes on stands above what is over, whoever has answered it. */
export const acuity = {
  activeHigh: 0, // and nobody acknowledged it
  acknowledgedHigh: 1,
  seizurePattern: 2, // of which no alarm tells (yet)
  latchedHigh: 3, // over, and nobody acknowledged it
  medium: 4,
  technical: 5,
  low: 6,
  stable: 7,
} as const;

/** The acuity of a patient; inside a class the order of the registry stays, so that nothing jumps. */
export function acuityClass(alarms: readonly AlarmInfo[], hasSeizurePattern = false): number {
  const bodily = alarms.filter(({ category }) => category === 'physiological');
  const high = bodily.filter(({ priority }) => priority === 'high');
  if (high.some(({ state }) => state === 'active')) return acuity.activeHigh;
  if (high.some(({ state }) => state === 'acknowledged')) return acuity.acknowledgedHigh;
  if (hasSeizurePattern) return acuity.seizurePattern;
  if (high.length > 0) return acuity.latchedHigh;
  if (bodily.some(({ priority }) => priority === 'medium')) return acuity.medium;
  if (bodily.length < alarms.length) return acuity.technical;
  return bodily.length > 0 ? acuity.low : acuity.stable;
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
