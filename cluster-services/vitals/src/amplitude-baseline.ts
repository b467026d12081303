/** What is usual in one channel: the amplitude its windows are compared with. */
export type AmplitudeBaseline = { readonly kind: 'own'; readonly logUv: number } | { readonly kind: 'population' };

/** Windows (one a second) a channel's own baseline remembers. */
export const BASELINE_MEMORY_HOPS = 300;
/** Calm windows among them that it needs; with fewer the population's value stands. */
export const BASELINE_NEEDED = 60;
/** Which value among the calm windows is "usual". */
export const BASELINE_QUANTILE = 0.5;

/**
 * The running baseline of one channel, from the newest windows alone. It uses no score, so that it can be computed again from the same
 * stretch of samples: a window counts when the gate passed it and its shape (never its amplitude) looks calm.
 */
export class RunningBaseline {
  readonly #kept: { window: number; logUv: number }[] = [];

  clone(): RunningBaseline {
    const copy = new RunningBaseline();
    copy.#kept.push(...this.#kept);
    return copy;
  }

  /** Windows must come in order. */
  add(window: number, logUv: number): void {
    this.#kept.push({ window, logUv });
  }

  /** The baseline for `window`: of the windows up to and with it. */
  at(window: number): AmplitudeBaseline {
    while (this.#kept.length > 0 && (this.#kept[0]?.window ?? 0) <= window - BASELINE_MEMORY_HOPS) this.#kept.shift();
    if (this.#kept.length < BASELINE_NEEDED) return { kind: 'population' };
    const sorted = Float64Array.from(this.#kept, ({ logUv }) => logUv).sort();
    return { kind: 'own', logUv: sorted[Math.floor(BASELINE_QUANTILE * (sorted.length - 1))] as number };
  }
}
