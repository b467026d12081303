import { limits } from './limits.ts';
import type { ClockState } from './messages.ts';

/** By how much something was measured ahead of the receiver's clock, as far as the gateway's clock is known; negative = that long ago. */
export function aheadUs(measuredAtUs: number, clock: Pick<ClockState, 'offsetUs' | 'source'> | null, receivedAtUs: number): number {
  return measuredAtUs + (clock === null || clock.source === 'none' ? 0 : clock.offsetUs) - receivedAtUs;
}

/**
 * Whether a reading comes from the future, by more than clocks may differ: its clock is wrong. It is stored as it came; it is nobody's newest,
 * and it holds back nothing that is measured now. Replays have a time of their own and are never asked.
 */
export function isClockWrong(
  measuredAtUs: number,
  clock: Pick<ClockState, 'offsetUs' | 'uncertaintyUs' | 'source'> | null,
  receivedAtUs: number,
): boolean {
  if (clock?.source === 'replay') return false;
  const uncertaintyUs = clock === null || clock.source === 'none' ? 0 : clock.uncertaintyUs;
  return aheadUs(measuredAtUs, clock, receivedAtUs) > limits.maxClockAheadUs + Math.min(uncertaintyUs, limits.maxClockAheadUs);
}
