import type { Clock } from '@vitalwire/runtime';

/** How fast a replay runs against the wall clock: 1 is life, Infinity is as fast as it is taken in. */
export type Speed = number;

/** When things are due: what a sender needs of a pace. */
export type Moments = {
  readonly speed: Speed;
  /** How far the data has come by now, in ms since its start. */
  dataMs(): number;
  /** Waits until the data has come as far as `dataMs`; at once if it has. Rejects when the signal aborts. */
  until(dataMs: number, signal: AbortSignal): Promise<void>;
  /** Waits until `dataMs` is the last word on how far the data came. */
  settle(giveUp: AbortSignal): Promise<void>;
};

/**
 * When a moment of the data is due on this machine. Every answer is computed from the one start, never from the answer
 * before, so that nothing adds up to a drift however long it runs.
 */
export class Pace implements Moments {
  readonly speed: Speed;
  readonly startUs: number;
  readonly #startMonotonicMs: number;
  readonly #clock: Clock;
  #frozenMs: number | null = null;
  #reachedMs = 0;

  constructor(speed: Speed, clock: Clock) {
    this.speed = speed;
    this.#clock = clock;
    this.startUs = clock.nowUs();
    this.#startMonotonicMs = clock.monotonicMs();
  }

  dataMs(): number {
    if (this.#frozenMs !== null) return this.#frozenMs;
    return this.speed === Number.POSITIVE_INFINITY ? this.speed : (this.#clock.monotonicMs() - this.#startMonotonicMs) * this.speed;
  }

  /** As far as the data has really come: at full speed what has been asked for, otherwise the same as `dataMs`. */
  reachedMs(): number {
    return this.#frozenMs ?? (Number.isFinite(this.speed) ? this.dataMs() : this.#reachedMs);
  }

  /** Stops the data here, for everybody at the same moment. */
  freeze(): void {
    this.#frozenMs ??= this.reachedMs();
  }

  async until(dataMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (;;) {
      const leftMs = this.#startMonotonicMs + dataMs / this.speed - this.#clock.monotonicMs();
      if (!(leftMs > 0)) break;
      await this.#clock.sleep(leftMs, signal); // a timer may fire a little early: then once more
    }
    if (this.#frozenMs === null) this.#reachedMs = Math.max(this.#reachedMs, dataMs);
  }

  async settle(): Promise<void> {}
}

/**
 * The pace of what must not run ahead of the EEG: at full speed an event is due when every EEG device of its patient has been answered up
 * to its moment; otherwise when its pace says so.
 */
export class LedPace implements Moments {
  readonly #lead: Moments;
  readonly #reachedMs: number[];
  readonly #waiting = new Set<() => void>();

  constructor(lead: Moments, leaders: number) {
    this.#lead = lead;
    this.#reachedMs = Array.from({ length: leaders }, () => 0);
  }

  get speed(): Speed {
    return this.#lead.speed;
  }

  dataMs(): number {
    return Number.isFinite(this.speed) ? this.#lead.dataMs() : Math.min(this.#lead.dataMs(), ...this.#reachedMs);
  }

  /** One of the leaders has been answered up to here; Infinity when it has ended. */
  advance(leader: number, dataMs: number): void {
    this.#reachedMs[leader] = Math.max(this.#reachedMs[leader] ?? 0, dataMs);
    for (const check of Array.from(this.#waiting)) check();
  }

  async until(dataMs: number, signal: AbortSignal): Promise<void> {
    if (Number.isFinite(this.speed)) return this.#lead.until(dataMs, signal);
    await this.#whenever(() => this.dataMs() >= dataMs, signal);
  }

  async settle(giveUp: AbortSignal): Promise<void> {
    if (!Number.isFinite(this.speed))
      await this.#whenever(() => this.#reachedMs.every((ms) => !Number.isFinite(ms)), giveUp).catch(() => {}); // given up: whoever asked sees it at the signal
  }

  /** Resolves when the condition holds, looked at whenever a leader advances; rejects when the signal aborts. */
  async #whenever(holds: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(check);
        signal.removeEventListener('abort', onAbort);
      };
      const check = (): void => {
        if (!holds()) return;
        leave();
        resolve();
      };
      const onAbort = (): void => {
        leave();
        reject(signal.reason);
      };
      this.#waiting.add(check);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
