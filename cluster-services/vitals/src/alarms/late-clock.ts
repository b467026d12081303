import { RecentMap } from '@vitalwire/contract';
import { alarmLimits } from './rules.ts';

/** A reading that is older than this when it comes is history: it has no limit alarm. Replays have a time of their own. */
export const HISTORY_US = 60_000_000;
/** What comes in one batch has one delay: that of its newest reading. On the receiver's clock. */
const BATCH_US = 1_000_000;
/** (t) A delay that stays the same for so long, while readings come, is a wrong clock. On the receiver's clock. */
const STEADY_US = 60_000_000;
/** (t) A backlog that is caught up gets younger by far more than this in that time. */
const DRIFT_US = 5_000_000;

type Late = {
  readonly lagUs: number; // of the first batch of this stretch
  readonly sinceUs: number; // when it came
  readonly batchUs: number; // when the newest batch began to come
  readonly batchLagUs: number; // of its newest reading
};

/**
 * Tells a clock that is behind from a backlog. Both bring readings dated minutes or hours ago; but after an outage the newest readings come
 * at once beside the old ones (the live lane), and the old ones come faster than they were measured. Where nothing newer comes and the delay
 * stays the same for a minute, what arrives is measured now, by a clock that is behind: its limits must be judged, by when it arrives.
 */
export class LateClock {
  readonly #late = new RecentMap<string, Late>(alarmLimits.timelines); // by device and stream; last = late last

  /** `lagUs`: how long ago a reading was measured, by what it says. By how much its clock is behind; null = it is not known to be. */
  take(key: string, lagUs: number, nowUs: number): number | null {
    const before = this.#late.get(key);
    this.#late.delete(key);
    if (lagUs <= HISTORY_US) return null;
    const late = this.#after(before, lagUs, nowUs);
    this.#late.set(key, late);
    return nowUs - late.sinceUs >= STEADY_US ? late.lagUs : null;
  }

  #after(before: Late | undefined, lagUs: number, nowUs: number): Late {
    const first = { lagUs, sinceUs: nowUs, batchUs: nowUs, batchLagUs: lagUs };
    if (before === undefined || nowUs < before.batchUs) return first; // or the receiver's clock was set back
    if (nowUs - before.batchUs < BATCH_US) return { ...before, batchLagUs: Math.min(before.batchLagUs, lagUs) };
    const isSteady = Math.abs(before.batchLagUs - before.lagUs) <= DRIFT_US;
    const isPaused = nowUs - before.batchUs > STEADY_US; // nothing came: what comes now may be a backlog
    if (isPaused) return first;
    if (!isSteady) return { lagUs: before.batchLagUs, sinceUs: before.batchUs, batchUs: nowUs, batchLagUs: lagUs };
    return { ...before, batchUs: nowUs, batchLagUs: lagUs };
  }
}
