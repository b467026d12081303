import {
  type AlarmCondition,
  type AlarmPriority,
  limits as bounds,
  type ClockState,
  type HeartRateLimits,
  type ReplayMark,
} from '@vitalwire/contract';
import { frozenReadings, heartRateFrozenUs, heartRateStaleUs, heartRateValidationUs, heldBackUs } from './rules.ts';
import type { Statement } from './statement.ts';

export type HeartRateInput = {
  readonly device: string;
  readonly atUs: number; // data time
  readonly bpm: number | null;
  readonly limits: HeartRateLimits;
  readonly replay: ReplayMark | null;
  readonly clock?: ClockState | null; // of its gateway; absent or null = it is the receiver
  readonly take?: string; // of a replay: which; '' or absent = the device itself
};

type Side = 'high' | 'low';
type Run = { sinceUs: number | null };

/**
 * Heart rate of one device against its limits. A limit must be broken for the validation time, on data time. Readings older than the newest
 * are history: limits never latch, so what is over by then has no alarm. No value, or one that does not change for minutes, is a technical
 * matter: then nothing is said about limits.
 */
export class HeartRateWatch {
  #lastUs: number | null = null;
  #heldBackSinceUs: number | null = null; // wall clock: since then readings come that are older than the newest
  #same = { bpm: 0, sinceUs: 0, readings: 0 };
  #isFrozen = false;
  readonly #beyond: Record<Side, Run> = { high: { sinceUs: null }, low: { sinceUs: null } };
  readonly #extreme: Record<Side, Run> = { high: { sinceUs: null }, low: { sinceUs: null } };

  read({ atUs, bpm, limits, replay }: HeartRateInput, nowUs: number): Statement[] {
    if (!isHeartRate(bpm)) return [];
    if (replay === null && this.#isHeldBack(atUs, nowUs)) {
      this.#forgetRuns();
      this.#lastUs = null;
    }
    if (this.#lastUs !== null && atUs <= this.#lastUs) return [];
    if (this.#lastUs !== null && atUs - this.#lastUs > heartRateStaleUs) this.#forgetRuns();
    this.#lastUs = atUs;
    return [...this.#frozen(atUs, bpm, replay), ...this.#sides(atUs, bpm, limits, replay)];
  }

  /** The readings have stopped: nothing is known about limits any more. */
  lost(): Statement[] {
    this.#forgetRuns();
    return (['high', 'low'] as const).flatMap((side) => [
      over(`heart-rate-${side}`, this.#lastUs, 'no readings'),
      over(`heart-rate-extreme-${side}`, this.#lastUs, 'no readings'),
    ]);
  }

  /** The receiver's own clock was set back: what was the newest is in the future now, and nothing that is measured may wait for it. */
  #isHeldBack(atUs: number, nowUs: number): boolean {
    const isAhead = this.#lastUs !== null && atUs <= this.#lastUs && this.#lastUs - nowUs > bounds.maxClockAheadUs;
    this.#heldBackSinceUs = isAhead ? (this.#heldBackSinceUs ?? nowUs) : null;
    return this.#heldBackSinceUs !== null && nowUs - this.#heldBackSinceUs >= heldBackUs;
  }

  #frozen(atUs: number, bpm: number, replay: ReplayMark | null): Statement[] {
    if (this.#same.readings === 0 || bpm !== this.#same.bpm) this.#same = { bpm, sinceUs: atUs, readings: 0 };
    this.#same.readings += 1;
    const isFrozen = this.#same.readings >= frozenReadings && atUs - this.#same.sinceUs >= heartRateFrozenUs;
    this.#isFrozen = isFrozen;
    if (!isFrozen) return [{ ...over('poor-signal', atUs, 'the heart rate changes again'), aspect: 'heart-rate' }];
    return [
      {
        condition: 'poor-signal',
        aspect: 'heart-rate',
        holds: true,
        priority: 'medium',
        sinceUs: this.#same.sinceUs,
        value: bpm,
        limit: null,
        channel: null,
        replay,
        text: `heart rate has not changed for ${Math.round((atUs - this.#same.sinceUs) / 60_000_000)} min: the sensor may repeat itself`,
      },
    ];
  }

  #sides(atUs: number, bpm: number, limits: HeartRateLimits, replay: ReplayMark | null): Statement[] {
    if (this.#isFrozen) return this.lost();
    const { low, high, extremeDelta } = limits;
    const bounds = {
      high: { limit: high, extreme: high === null || extremeDelta === null ? null : high + extremeDelta },
      low: { limit: low, extreme: low === null || extremeDelta === null ? null : low - extremeDelta },
    };
    return (['high', 'low'] as const).flatMap((side) => {
      const { limit, extreme } = bounds[side];
      const isBeyond = (bound: number | null) => bound !== null && (side === 'high' ? bpm > bound : bpm < bound);
      const beyond = runOf(this.#beyond[side], isBeyond(limit), atUs);
      const beyondExtreme = runOf(this.#extreme[side], isBeyond(extreme), atUs);
      const extremeSinceUs = beyondExtreme?.isValid === true ? beyondExtreme.sinceUs : null;
      const broken = (condition: AlarmCondition, priority: AlarmPriority, sinceUs: number, bound: number | null): Statement => ({
        condition,
        aspect: 'own',
        holds: true,
        priority,
        sinceUs,
        value: bpm,
        limit: bound,
        channel: null,
        replay,
        text: `heart rate ${Math.round(bpm)}, limit ${bound}${priority === 'high' ? ' (extreme)' : ''}`,
      });
      // While the extreme alarm speaks, the other would say the same in a softer voice.
      return [
        extremeSinceUs !== null
          ? broken(`heart-rate-extreme-${side}`, 'high', extremeSinceUs, extreme)
          : beyondExtreme === null
            ? over(`heart-rate-extreme-${side}`, atUs, `heart rate ${Math.round(bpm)}`)
            : null,
        extremeSinceUs !== null || beyond === null
          ? over(`heart-rate-${side}`, atUs, `heart rate ${Math.round(bpm)}`)
          : beyond.isValid
            ? broken(`heart-rate-${side}`, 'medium', beyond.sinceUs, limit)
            : null,
      ].filter((statement) => statement !== null);
    });
  }

  #forgetRuns(): void {
    for (const runs of [this.#beyond, this.#extreme]) for (const side of ['high', 'low'] as const) runs[side].sinceUs = null;
  }
}

function runOf(run: Run, isBeyond: boolean, atUs: number): { readonly sinceUs: number; readonly isValid: boolean } | null {
  if (!isBeyond) {
    run.sinceUs = null;
    return null;
  }
  run.sinceUs ??= atUs;
  return { sinceUs: run.sinceUs, isValid: atUs - run.sinceUs >= heartRateValidationUs };
}

function over(condition: AlarmCondition, atUs: number | null, text: string): Statement {
  return { condition, aspect: 'own', holds: false, endedUs: atUs, text };
}

/** Whether a number can be a heart rate at all. Devices say 0 for "no value": that is missing, never bradycardia. */
export function isHeartRate(bpm: number | null): bpm is number {
  return bpm !== null && Number.isFinite(bpm) && bpm > 0;
}
