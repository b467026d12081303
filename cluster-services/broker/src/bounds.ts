import type { Clock } from '@vitalwire/runtime';

/** Bytes that many connections share: who finds it empty is told, in order, when there is room again. */
export class Budget {
  readonly #limitBytes: number;
  readonly #waiting = new Set<() => void>();
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  tryTake(bytes: number): boolean {
    if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.#limitBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#waiting.size === 0) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake(); // whoever still finds no room waits again, behind nobody new
  }

  wakeOnRoom(wake: () => void): void {
    this.#waiting.add(wake);
  }

  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}

/** A rate with a burst. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #permits: number;
  #filledAtMs: number;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#permits = burst;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** 0 when the permit was given, else how long to wait before asking again. */
  take(): number {
    const waitMs = this.#waitMs();
    if (waitMs === 0) this.#permits -= 1;
    return waitMs;
  }

  /** Gives a permit that is valid after the returned wait, in the order of asking; null if that would take too long. */
  reserve(maxWaitMs: number): number | null {
    const waitMs = this.#waitMs();
    if (waitMs > maxWaitMs) return null;
    this.#permits -= 1;
    return waitMs;
  }

  #waitMs(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#permits = Math.min(this.#burst, this.#permits + ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond);
    this.#filledAtMs = nowMs;
    return this.#permits >= 1 ? 0 : Math.max(1, Math.ceil(((1 - this.#permits) / this.#perSecond) * 1000));
  }
}
