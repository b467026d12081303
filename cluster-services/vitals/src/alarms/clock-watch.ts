import { aheadUs, type ClockState, isClockWrong, limits, type NumericStream, RecentMap, type ReplayMark } from '@vitalwire/contract';
import { HISTORY_US, LateClock } from './late-clock.ts';
import { alarmLimits } from './rules.ts';
import { streamName } from './silence-watch.ts';
import type { Statement } from './statement.ts';

/** When something was measured, and what is known of the clock that says so. */
export type Measured = {
  readonly device: string;
  readonly stream: 'eeg' | NumericStream;
  readonly atUs: number; // device clock, end of what was measured
  readonly clock: ClockState | null; // of the gateway, when it took this in; null = it is the receiver
  readonly replay: ReplayMark | null;
};

/** A reading with a wrong clock leaves its alarm open for so long: somebody has to see it. On the receiver's clock. */
const TOLD_US = 60_000_000;

/** EEG comes several times a second: one chunk is no clock. A numeric vital is told of at once. On the receiver's clock. */
const EEG_LASTING_US = 5_000_000;

type Placed = {
  readonly shiftUs: number;
  readonly isHistory: boolean;
  readonly statements: readonly Statement[];
};

type Anchor = {
  readonly shiftUs: number;
  readonly sinceUs: number; // since when such readings have come
  readonly wrongAtUs: number; // when such a reading came last
  readonly newAtUs: number; // when one came last that was measured about then
};

/**
 * Says whose clock is wrong, and brings heart rates to the receiver's time line, so that no limit waits for an instant that has not come: where
 * the gateway's clock is known to be off, by its offset; where a reading is from the future all the same, by when it arrived, as one block
 * with those around it; where a device's clock is steadily behind, by as much. Data time stays as it is within the bound, and in replays.
 */
export class ClockWatch {
  readonly #anchors = new RecentMap<string, Anchor>(alarmLimits.timelines); // by device and stream; last = wrong last
  readonly #late = new LateClock();

  /** By how much to shift, and what is to be said of the clock. What is history was measured too long ago to be judged as what holds now. */
  take(measured: Measured, nowUs: number): Placed {
    const { device, stream, atUs, clock, replay } = measured;
    if (replay !== null || clock?.source === 'replay') return { shiftUs: 0, isHistory: false, statements: [] };
    const offsetUs = clock === null || clock.source === 'none' || Math.abs(clock.offsetUs) <= limits.maxClockAheadUs ? 0 : clock.offsetUs;
    const key = `${device}\n${stream}`;
    const anchor = this.#anchors.get(key);
    if (!isClockWrong(atUs, clock, nowUs)) {
      const lagUs = lagOf(measured, nowUs);
      const behindUs = this.#late.take(key, lagUs, nowUs);
      if (behindUs !== null) {
        const statements = [wrong(stream, -behindUs, nowUs)];
        return { shiftUs: behindUs + (clock?.offsetUs ?? 0), isHistory: false, statements };
      }
      const isFresh = lagUs <= HISTORY_US;
      const isOver = isFresh && (anchor === undefined || Math.abs(nowUs - anchor.wrongAtUs) >= TOLD_US);
      if (isOver) this.#anchors.delete(key);
      return { shiftUs: offsetUs, isHistory: !isFresh, statements: isOver ? [right(stream)] : [] };
    }
    const placedUs = anchor === undefined ? Number.POSITIVE_INFINITY : atUs + anchor.shiftUs - nowUs;
    const isNew = Math.abs(placedUs) <= limits.maxClockAheadUs;
    // What is older than the block's newest is its backlog; but if nothing new comes any more, the clock was set again.
    const isBacklog = placedUs < 0 && anchor !== undefined && Math.abs(nowUs - anchor.newAtUs) <= limits.maxClockAheadUs;
    const isSame = anchor !== undefined && (isNew || isBacklog);
    const shiftUs = isSame ? anchor.shiftUs : nowUs - atUs;
    this.#anchors.delete(key);
    const sinceUs = anchor?.sinceUs ?? nowUs;
    this.#anchors.set(key, { shiftUs, sinceUs, wrongAtUs: nowUs, newAtUs: isSame && !isNew ? anchor.newAtUs : nowUs });
    const isLasting = Math.abs(nowUs - sinceUs) >= (stream === 'eeg' ? EEG_LASTING_US : 0);
    return { shiftUs, isHistory: false, statements: !isLasting ? [] : [wrong(stream, aheadUs(atUs, clock, nowUs), nowUs)] };
  }
}

/** How long ago it was measured, by what it says. A gateway whose own clock nobody has measured says nothing about that: then it counts as new. */
function lagOf({ atUs, clock }: Measured, nowUs: number): number {
  return clock?.source === 'none' ? 0 : nowUs - (atUs + (clock?.offsetUs ?? 0));
}

/** @param byUs ahead; below 0 behind */
function wrong(stream: Measured['stream'], byUs: number, nowUs: number): Statement {
  const byS = Math.round(byUs / 1_000_000);
  const what = streamName(stream);
  const how = byS > 0 ? `is dated ${lengthText(byS)} ahead` : `comes ${lengthText(-byS)} after its time`;
  const next = byS > 0 ? 'set the clock of the device' : 'set the clock of the device, or see why it sends so late';
  return {
    condition: 'clock-wrong',
    aspect: stream,
    holds: true,
    priority: 'medium',
    sinceUs: nowUs,
    value: byS,
    limit: limits.maxClockAheadUs / 1_000_000,
    channel: null,
    replay: null,
    text: `${what} ${how}: ${next}; meanwhile its time of arrival counts`,
  };
}

function right(stream: Measured['stream']): Statement {
  return { condition: 'clock-wrong', aspect: stream, holds: false, endedUs: null, text: 'the clock is right again' };
}

function lengthText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
