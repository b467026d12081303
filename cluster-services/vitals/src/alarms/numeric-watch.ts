import {
  type AlarmCondition,
  type AlarmPriority,
  limits as bounds,
  type ClockState,
  conditionOf,
  type NumericFacts,
  type NumericLimits,
  type NumericSide,
  type NumericStream,
  noReadingReason,
  numericFacts,
  numericText,
  type ReplayMark,
} from '@vitalwire/contract';
import { type NumericRules, rulesOf } from '../numeric-rules.ts';
import { heldBackUs } from './rules.ts';
import type { Statement } from './statement.ts';

export type NumericInput = {
  readonly device: string;
  readonly stream: NumericStream;
  readonly atUs: number; // data time
  readonly value: number | null; // in the unit of the vital
  readonly limits: NumericLimits;
  readonly replay: ReplayMark | null;
  readonly clock?: ClockState | null; // of its gateway; absent or null = it is the receiver
  readonly take?: string; // of a replay: which; '' or absent = the device itself
};

type Side = 'high' | 'low';
type Run = { sinceUs: number | null };

/**
 * A numeric vital of one device against its limits. A limit must be broken for the validation time, on data time. Readings older than the
 * newest are history: limits never latch, so what is over by then has no alarm. No value, or one that does not change for minutes where the
 * vital's rules call that odd, is a technical matter: then nothing is said about limits.
 */
export class NumericWatch {
  readonly #stream: NumericStream;
  readonly #facts: NumericFacts;
  readonly #rules: NumericRules;
  #lastUs: number | null = null;
  #heldBackSinceUs: number | null = null; // wall clock: since then readings come that are older than the newest
  #same = { value: 0, sinceUs: 0, readings: 0 };
  #isFrozen = false;
  readonly #beyond: Record<Side, Run> = { high: { sinceUs: null }, low: { sinceUs: null } };
  readonly #extreme: Record<Side, Run> = { high: { sinceUs: null }, low: { sinceUs: null } };

  constructor(stream: NumericStream) {
    this.#stream = stream;
    this.#facts = numericFacts(stream);
    this.#rules = rulesOf(stream);
  }

  read({ atUs, value, limits, replay }: Omit<NumericInput, 'stream'>, nowUs: number): Statement[] {
    if (value === null || noReadingReason(this.#stream, value) !== null) return [];
    if (replay === null && this.#isHeldBack(atUs, nowUs)) {
      this.#forgetRuns();
      this.#lastUs = null;
    }
    if (this.#lastUs !== null && atUs <= this.#lastUs) return [];
    if (this.#lastUs !== null && atUs - this.#lastUs > this.#rules.staleUs) this.#forgetRuns();
    this.#lastUs = atUs;
    return [...this.#frozen(atUs, value, replay), ...this.#sides(atUs, value, limits, replay)];
  }

  /** The readings have stopped: nothing is known about limits any more. */
  lost(): Statement[] {
    this.#forgetRuns();
    return (['high', 'low'] as const).flatMap((side) => [
      this.#over(side, this.#lastUs, 'no readings'),
      this.#over(`extreme-${side}`, this.#lastUs, 'no readings'),
    ]);
  }

  /** The receiver's own clock was set back: what was the newest is in the future now, and nothing that is measured may wait for it. */
  #isHeldBack(atUs: number, nowUs: number): boolean {
    const isAhead = this.#lastUs !== null && atUs <= this.#lastUs && this.#lastUs - nowUs > bounds.maxClockAheadUs;
    this.#heldBackSinceUs = isAhead ? (this.#heldBackSinceUs ?? nowUs) : null;
    return this.#heldBackSinceUs !== null && nowUs - this.#heldBackSinceUs >= heldBackUs;
  }

  #frozen(atUs: number, value: number, replay: ReplayMark | null): Statement[] {
    const rule = this.#rules.frozen;
    if (rule === null) return [];
    if (this.#same.readings === 0 || value !== this.#same.value) this.#same = { value, sinceUs: atUs, readings: 0 };
    this.#same.readings += 1;
    const sameUs = atUs - this.#same.sinceUs;
    this.#isFrozen = this.#same.readings >= rule.readings && sameUs >= rule.forUs;
    const { label } = this.#facts;
    const about = { condition: 'poor-signal', aspect: this.#stream } as const;
    if (!this.#isFrozen) return [{ ...about, holds: false, endedUs: atUs, text: `the ${label} changes again` }];
    const text = `${label} has not changed for ${Math.round(sameUs / 60_000_000)} min: the sensor may repeat itself`;
    const { sinceUs } = this.#same;
    return [{ ...about, holds: true, priority: 'medium', sinceUs, value, limit: null, channel: null, replay, text }];
  }

  #sides(atUs: number, value: number, limits: NumericLimits, replay: ReplayMark | null): Statement[] {
    if (this.#isFrozen) return this.lost();
    const said = `${this.#facts.label} ${numericText(this.#stream, value)}`;
    return (['high', 'low'] as const).flatMap((side) => {
      const outwards = side === 'high' ? 1 : -1;
      const limit = limits[side];
      const extreme = limit === null || limits.extremeDelta === null ? null : limit + outwards * limits.extremeDelta;
      const isBeyond = (bound: number | null) => bound !== null && (value - bound) * outwards > 0;
      const beyond = this.#run(this.#beyond[side], isBeyond(limit), atUs);
      const beyondExtreme = this.#run(this.#extreme[side], isBeyond(extreme), atUs);
      const extremeSinceUs = beyondExtreme?.isValid === true ? beyondExtreme.sinceUs : null;
      const broken = (where: NumericSide, priority: AlarmPriority, sinceUs: number, bound: number | null): Statement => ({
        condition: conditionOf(this.#stream, where),
        aspect: 'own',
        holds: true,
        priority,
        sinceUs,
        value,
        limit: bound,
        channel: null,
        replay,
        text: `${said}, limit ${bound}${priority === 'high' ? ' (extreme)' : ''}`,
      });
      // While the extreme alarm speaks, the other would say the same in a softer voice.
      return [
        extremeSinceUs !== null
          ? broken(`extreme-${side}`, 'high', extremeSinceUs, extreme)
          : beyondExtreme === null
            ? this.#over(`extreme-${side}`, atUs, said)
            : null,
        extremeSinceUs !== null || beyond === null
          ? this.#over(side, atUs, said)
          : beyond.isValid
            ? broken(side, 'medium', beyond.sinceUs, limit)
            : null,
      ].filter((statement) => statement !== null);
    });
  }

  #run(run: Run, isBeyond: boolean, atUs: number): { readonly sinceUs: number; readonly isValid: boolean } | null {
    if (!isBeyond) {
      run.sinceUs = null;
      return null;
    }
    run.sinceUs ??= atUs;
    return { sinceUs: run.sinceUs, isValid: atUs - run.sinceUs >= this.#rules.validationUs };
  }

  #over(side: NumericSide, atUs: number | null, text: string): Statement {
    const condition: AlarmCondition = conditionOf(this.#stream, side);
    return { condition, aspect: 'own', holds: false, endedUs: atUs, text };
  }

  #forgetRuns(): void {
    for (const runs of [this.#beyond, this.#extreme]) for (const side of ['high', 'low'] as const) runs[side].sinceUs = null;
  }
}
