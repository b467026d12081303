/** What is usual in one channel: the amplitude its windows are compared with. */
export type AmplitudeBaseline = { readonly kind: 'own'; readonly logUv: number } | { readonly kind: 'population' };

/** A baseline as records hold it: 1/1000 of log µV, a whole number, so that what is read back is what was used; null = the population's. */
export type BaselineLevel = number | null;

/** Windows (one a second) among which a channel's own baseline is sought; what is older counts no more until one is found. */
export const BASELINE_MEMORY_HOPS = 300;
/** Calm windows among them that it needs; with fewer the population's value stands. */
export const BASELINE_NEEDED = 60;
/** Which value among the calm windows is "usual". */
const BASELINE_QUANTILE = 0.5;
/** After the last window like a seizure nothing joins a baseline for so many windows: what lies between two of them is no rest. */
export const BASELINE_CLOSED_HOPS = 60;

/** A known baseline follows its channel's quiet windows as a mean over so many does … */
const SETTLE_HOPS = 150;
/** … and never faster than this, in 1/1000 of log µV a window: it takes six minutes of quiet windows to double or to halve. */
const MAX_STEP = 2;
/** A window is so many hops long. */
const COVERED_HOPS = 4;
/** The largest that is written down; no amplifier reaches it. */
const MAX_LEVEL = 20_000;

/** What a window says to its channel's baseline, once it was judged against it. */
export type BaselineEvidence = {
  readonly logUv: number;
  readonly isCalm: boolean; // by its shape alone
  readonly isQuiet: boolean; // compared with the channel's own baseline it is below the quiet bound
};

/**
 * The running baseline of one channel. Sought among windows whose shape looks calm; once known, only windows that were judged quiet
 * against it move it, slowly, and whatever is like a seizure closes it. It does not age: a seizure of an hour is compared with the calm
 * before it. `recall` sets it to what a record says.
 */
export class RunningBaseline {
  #sought: { window: number; logUv: number; counts: number }[] = [];
  #level: BaselineLevel = null;
  #closedUntil = Number.NEGATIVE_INFINITY;

  clone(): RunningBaseline {
    const copy = new RunningBaseline();
    copy.#sought = [...this.#sought];
    copy.#level = this.#level;
    copy.#closedUntil = this.#closedUntil;
    return copy;
  }

  get level(): BaselineLevel {
    return this.#level;
  }

  /** What the record of a window says that it was compared with. */
  recall(level: BaselineLevel): void {
    this.#level = level;
  }

  /** Nothing joins until `BASELINE_CLOSED_HOPS` after `window`. */
  close(window: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, window + BASELINE_CLOSED_HOPS);
  }

  isClosed(window: number): boolean {
    return window <= this.#closedUntil;
  }

  /**
   * A calm window while no own baseline is known; with enough of them it is. Windows must come in order. Under overload one in so many is
   * judged, and counts for as many as it covers.
   */
  seek(window: number, logUv: number, everyHops = 1): void {
    if (this.#level !== null) return;
    if (!this.isClosed(window)) this.#sought.push({ window, logUv, counts: Math.min(COVERED_HOPS, everyHops) });
    this.#sought = this.#sought.filter((one) => one.window > window - BASELINE_MEMORY_HOPS);
    if (this.#sought.reduce((sum, one) => sum + one.counts, 0) < BASELINE_NEEDED) return;
    const sorted = Float64Array.from(this.#sought, (one) => one.logUv).sort();
    this.#level = levelOf(sorted[Math.floor(BASELINE_QUANTILE * (sorted.length - 1))] as number);
    this.#sought = [];
  }

  /** What the window that was just judged against the baseline changes for the next. */
  settle(window: number, { logUv, isCalm, isQuiet }: BaselineEvidence): void {
    if (this.#level === null || !isCalm || !isQuiet || this.isClosed(window)) return;
    const step = (1000 * logUv - this.#level) / SETTLE_HOPS;
    this.#level = levelOf((this.#level + Math.max(-MAX_STEP, Math.min(MAX_STEP, step))) / 1000);
  }

  now(): AmplitudeBaseline {
    return this.#level === null ? { kind: 'population' } : { kind: 'own', logUv: this.#level / 1000 };
  }
}

function levelOf(logUv: number): number {
  return Math.min(MAX_LEVEL, Math.max(0, Math.round(1000 * logUv)));
}
