export type UntilOptions = { timeoutMs?: number; everyMs?: number; what?: string };

/**
 * Asks `fn` again and again until its answer is neither false, null nor undefined, and returns that answer. Gives up after
 * `timeoutMs` (5 s) and says what it waited for and the last error.
 */
export async function until<T>(
  fn: () => T | Promise<T>,
  options: number | UntilOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 5_000, everyMs = 10, what = fn.toString() } = typeof options === 'number' ? { timeoutMs: options } : options;
  const endMs = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await fn();
      if (answer !== false && answer !== null && answer !== undefined) return answer as Exclude<T, false | null | undefined>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= endMs) throw new Error(`not so within ${timeoutMs} ms: ${what}`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
