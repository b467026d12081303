import type { Clock, Timer } from '@vitalwire/runtime';

type Pending = { dueMs: number; order: number; fn: () => void };

/** A clock that stands still until a test moves it: timers fire in the order of their times, a week takes a moment. */
export class VirtualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return Math.floor(this.#wallMs);
  }

  nowUs(): number {
    return Math.round(this.#wallMs * 1000);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const pending: Pending = { dueMs: this.#monotonicMs + Math.max(0, ms), order: this.#order++, fn };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(signal?.reason instanceof Error ? signal.reason : new DOMException('aborted', 'AbortError'));
      if (signal?.aborted) {
        fail();
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        fail();
      };
      const timer = this.setTimer(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** How many timers wait, and in how many ms the next one fires (null if none). */
  get waiting(): number {
    return this.#pending.size;
  }

  get nextInMs(): number | null {
    const next = this.#next();
    return next === undefined ? null : next.dueMs - this.#monotonicMs;
  }

  /** Lets time pass; between two timers everything that is ready to run does run. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next.dueMs <= endMs; next = this.#next()) {
      this.#pending.delete(next);
      this.#moveTo(next.dueMs);
      next.fn();
      await settle();
    }
    this.#moveTo(endMs);
    await settle();
  }

  /** Sets the wall clock, as NTP or an operator would; durations do not notice. */
  setWallMs(ms: number): void {
    this.#wallMs = ms;
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #next(): Pending | undefined {
    let first: Pending | undefined;
    for (const one of this.#pending) {
      if (first === undefined || one.dueMs < first.dueMs || (one.dueMs === first.dueMs && one.order < first.order)) first = one;
    }
    return first;
  }
}

// One turn of the event loop: promises and input that is ready are handled before time goes on.
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
