/** What a decision about the hop rests on. */
export type LoadNow = {
  /** For how long the oldest windows that are to be judged have waited, of recordings that come at the pace they are recorded at. */
  readonly oldestMs: number;
  /** Share of the time in which scoring was busy with what is received: the busiest worker's. */
  readonly share: number;
};

/** The longest hop: a minute would be no watch. */
export const MAX_HOP = 32;
/** Waiting for one hop is too long when it lasts so long, and at once when it is twice that. */
const LASTING_MS = 1_000;
/** A longer hop gets so long to show what it does, and at least one hop. */
const SETTLE_MS = 2_000;
/** A shorter hop is tried after so long with room for it … */
const CALM_MS = 20_000;
/** … and longer each time it did not hold for a minute. */
const MAX_CALM_MS = 320_000;
const HELD_MS = 60_000;
/** Twice as many windows are less than twice the work, as samples are prepared in any case; with a fifth to spare. */
const HALVED_COSTS = 1.75;
const ENOUGH_SHARE = 0.75;

/**
 * How seldom windows are judged: every one, every second one, every fourth … Longer at once when windows wait for longer than a
 * hop, shorter again when there has been room for it for a while. A function of what it is told, without a clock of its own.
 */
export class Thinning {
  #hop = 1;
  #changedMs = Number.NEGATIVE_INFINITY;
  #shortenedMs = Number.NEGATIVE_INFINITY;
  #calmMs = CALM_MS;
  #lateSinceMs: number | null = null;
  #roomSinceMs: number | null = null;

  get hop(): number {
    return this.#hop;
  }

  step({ oldestMs, share }: LoadNow, nowMs: number): number {
    const hopMs = 1000 * this.#hop;
    this.#lateSinceMs = oldestMs > hopMs ? (this.#lateSinceMs ?? nowMs) : null;
    this.#roomSinceMs = oldestMs < hopMs / 2 && share * HALVED_COSTS < ENOUGH_SHARE ? (this.#roomSinceMs ?? nowMs) : null;
    const isLate = oldestMs > 2 * hopMs || (this.#lateSinceMs !== null && nowMs - this.#lateSinceMs >= LASTING_MS);
    if (isLate && this.#hop < MAX_HOP && nowMs - this.#changedMs >= (this.#hop === 1 ? 0 : Math.max(SETTLE_MS, hopMs))) {
      if (nowMs - this.#shortenedMs < HELD_MS) this.#calmMs = Math.min(MAX_CALM_MS, 2 * this.#calmMs);
      this.#change(2 * this.#hop, nowMs);
    } else if (this.#hop > 1 && this.#roomSinceMs !== null && nowMs - this.#roomSinceMs >= this.#calmMs) {
      this.#change(this.#hop / 2, nowMs);
      this.#shortenedMs = nowMs;
    } else if (this.#changedMs === this.#shortenedMs && nowMs - this.#changedMs >= MAX_CALM_MS) this.#calmMs = CALM_MS; // it held
    return this.#hop;
  }

  #change(hop: number, nowMs: number): void {
    this.#hop = hop;
    this.#changedMs = nowMs;
    this.#lateSinceMs = null;
    this.#roomSinceMs = null;
  }
}
