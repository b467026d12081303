/** A timer that has been set and can be taken back. */
export type Timer = { cancel(): void };

/** Where every timer, timeout and backoff takes its time from, so that a test can live through a week in a millisecond. */
export interface Clock {
  /** Milliseconds since the Unix epoch on this machine's wall clock. */
  nowMs(): number;
  /** Microseconds since the Unix epoch on this machine's wall clock, a safe integer. */
  nowUs(): number;
  /** Milliseconds since an arbitrary moment; never jumps, so the only one fit for measuring durations. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  setTimer(ms: number, fn: () => void): Timer;
}

// Node fires a timer longer than this at once (after 1 ms), so longer ones are set in pieces.
const LONGEST_TIMER_MS = 2_147_483_647;

// How far the interpolated microseconds may stray from Date.now() before they are anchored again (the wall clock was set).
const ANCHOR_TOLERANCE_MS = 2;

let anchorWallMs = Date.now();
let anchorMonotonicMs = performance.now();

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowUs() {
    const wallMs = Date.now();
    const monotonicMs = performance.now();
    const interpolatedMs = anchorWallMs + (monotonicMs - anchorMonotonicMs);
    if (Math.abs(interpolatedMs - wallMs) <= ANCHOR_TOLERANCE_MS) return Math.round(interpolatedMs * 1000);
    anchorWallMs = wallMs;
    anchorMonotonicMs = monotonicMs;
    return wallMs * 1000;
  },
  monotonicMs: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(reasonOf(signal));
        return;
      }
      const timer = systemClock.setTimer(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      function onAbort(): void {
        timer.cancel();
        if (signal !== undefined) reject(reasonOf(signal));
      }
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
  setTimer(ms, fn) {
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      if (leftMs > LONGEST_TIMER_MS) handle = setTimeout(() => arm(leftMs - LONGEST_TIMER_MS), LONGEST_TIMER_MS);
      else handle = setTimeout(fn, Math.max(0, leftMs));
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Waits `ms`, or less when told to stop: for loops that look at the signal themselves. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch(() => {}); // it rejects only for the signal
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException('aborted', 'AbortError');
}
