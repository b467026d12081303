export type LaneRules = { readonly onAboveMs: number; readonly offBelowMs: number; readonly offAfterMs: number };

const laneRules: LaneRules = { onAboveMs: 2_000, offBelowMs: 1_000, offAfterMs: 3_000 };

/** When live copies are sent: from the moment the oldest un-acknowledged chunk is too old until it has been young for a while. */
export class LaneSwitch {
  readonly #rules: LaneRules;
  #on = false;
  #youngSinceMs: number | null = null;

  constructor(rules: LaneRules = laneRules) {
    this.#rules = rules;
  }

  get on(): boolean {
    return this.#on;
  }

  /** `ageMs` is null when nothing waits. */
  update(ageMs: number | null, monotonicMs: number): boolean {
    const age = ageMs ?? 0;
    if (age > this.#rules.onAboveMs) this.#on = true;
    if (age >= this.#rules.offBelowMs) this.#youngSinceMs = null;
    else this.#youngSinceMs ??= monotonicMs;
    if (this.#youngSinceMs !== null && monotonicMs - this.#youngSinceMs >= this.#rules.offAfterMs) this.#on = false;
    return this.#on;
  }
}
