import { type Clock, systemClock } from './clock.ts';

export type BackoffOptions = {
  /** Upper bound of the first delay. */
  baseMs?: number;
  /** Upper bound of every delay. */
  maxMs?: number;
  /** How long a connection must have been healthy before the doubling starts again from `baseMs`. */
  resetAfterMs?: number;
  random?: () => number;
  clock?: Clock;
};

export type Backoff = {
  /** The delay before the next attempt; each call counts as one failure. */
  nextMs(): number;
  /** Forget all failures. */
  reset(): void;
  /** Say that a connection has just become healthy: the failures are forgotten once it has stayed so for `resetAfterMs`. */
  healthy(): void;
};

/**
 * Full jitter: a delay drawn evenly from 0 to a bound that doubles from 1 s to 60 s. Being kicked right after a success
 * still counts as a failure, so a server that accepts and drops is not hammered.
 */
export function fullJitter(options: BackoffOptions = {}): Backoff {
  const { baseMs = 1_000, maxMs = 60_000, resetAfterMs = 60_000, random = Math.random, clock = systemClock } = options;
  let failures = 0;
  let healthySinceMs: number | null = null;
  return {
    nextMs() {
      if (healthySinceMs !== null && clock.monotonicMs() - healthySinceMs >= resetAfterMs) failures = 0;
      healthySinceMs = null;
      const boundMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 52));
      failures += 1;
      return random() * boundMs;
    },
    reset() {
      failures = 0;
      healthySinceMs = null;
    },
    healthy() {
      healthySinceMs ??= clock.monotonicMs();
    },
  };
}
