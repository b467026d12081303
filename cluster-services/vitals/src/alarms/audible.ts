import type { AlarmInfo, AlarmPause } from '@vitalwire/contract';
import { rankOfPriority } from './record.ts';
import { maxPauseUs } from './rules.ts';

/** Whether a pause is in force. A wall clock that was set back cannot make one longer than the longest. */
export function isPaused(pause: Pick<AlarmPause, 'untilUs'> | null, nowUs: number): boolean {
  return pause !== null && nowUs < pause.untilUs && pause.untilUs - nowUs <= maxPauseUs;
}

/** Whether an alarm sounds: not acknowledged, not ended, and not under a pause that covers its priority. */
export function isAudible(
  alarm: Pick<AlarmInfo, 'state' | 'priority'>,
  pause: Pick<AlarmPause, 'untilUs' | 'above'> | null,
  nowUs: number,
): boolean {
  if (alarm.state !== 'active' && alarm.state !== 'latched') return false;
  if (pause === null || !isPaused(pause, nowUs)) return true;
  return rankOfPriority(alarm.priority) > rankOfPriority(pause.above);
}
