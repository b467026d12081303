import type { Clock } from './clock.ts';

/** The promise's outcome, or after `ms` the error of `onLate`. What the promise does after that concerns nobody any more. */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>, onLate: () => Error): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = clock.setTimer(ms, () => late.reject(onLate()));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    timer.cancel();
  }
}
