import type { Clock } from '@vitalwire/runtime';

/** How fast a replay runs against the wall clock: 1 is life, Infinity is as fast as it is taken in. */
export type Speed = number;

/**
 * When a moment of the data is due on this machine. Every answer is computed from the one start, never from the answer
 * before, so that nothing adds up to a drift however long it runs.
 */
export class Pace {
  readonly speed: Speed;
  readonly startUs: number;
  readonly #startMonotonicMs: number;
  readonly #clock: Clock;

  constructor(speed: Speed, clock: Clock) {
    this.speed = speed;
    this.#clock = clock;
    this.startUs = clock.nowUs();
    this.#startMonotonicMs = clock.monotonicMs();
  }

  /** How far the data has come by now, in ms since its start. */
  dataMs(): number {
    return this.speed === Number.POSITIVE_INFINITY ? this.speed : (this.#clock.monotonicMs() - this.#startMonotonicMs) * this.speed;
  }

  /** Waits until the data has come as far as `dataMs`; at once if it has. Rejects when the signal aborts. */
  async until(dataMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (;;) {
      const leftMs = this.#startMonotonicMs + dataMs / this.speed - this.#clock.monotonicMs();
      if (!(leftMs > 0)) return;
      await this.#clock.sleep(leftMs, signal); // a timer may fire a little early: then once more
    }
  }
}
