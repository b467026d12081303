/**
 * A part that acquires on start and releases on stop. `stop` may be called twice, and on a part whose `start` failed half way;
 * it finishes what was begun before it releases.
 */
export interface Lifecycle {
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Parts that have been started together. */
export type Running = { stop(): Promise<void> };

/** Starts the parts left to right. If one fails or the signal aborts, those touched so far are stopped right to left. */
export async function startAll(parts: readonly Lifecycle[], signal: AbortSignal): Promise<Running> {
  const touched: Lifecycle[] = [];
  try {
    for (const part of parts) {
      signal.throwIfAborted();
      touched.push(part);
      await part.start(signal);
    }
    signal.throwIfAborted();
  } catch (error) {
    // The first failure is what the reader needs; trouble while cleaning up after it must not hide it.
    await stopAll(touched).catch(() => {});
    throw error;
  }
  let stopping: Promise<void> | null = null;
  return {
    stop() {
      stopping ??= stopAll(touched);
      return stopping;
    },
  };
}

/**
 * The life of a process: starts the parts, runs until SIGINT, SIGTERM or the end of the parent that supervises it, stops the
 * parts. A second signal ends the process at once. The only function here that touches `process`.
 */
export async function runUntilSignal(parts: readonly Lifecycle[], onReady?: () => void): Promise<void> {
  const abort = new AbortController();
  const asked = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve(), { once: true }));
  const onSignal = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    abort.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
  };
  // A supervisor that was killed cannot send a signal: without this its services would live on and hold their ports.
  const onOrphaned = (): void => abort.abort(new DOMException('the supervisor is gone', 'AbortError'));
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.once('disconnect', onOrphaned);
  if (process.connected === false) onOrphaned(); // gone while we were still loading
  const keepAlive = setInterval(() => {}, 60_000);
  try {
    const running = await startAll(parts, abort.signal);
    onReady?.();
    await asked;
    await running.stop();
  } catch (error) {
    if (!abort.signal.aborted || error !== abort.signal.reason) throw error; // asked to stop while starting: an ordinary end
  } finally {
    clearInterval(keepAlive);
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    process.removeListener('disconnect', onOrphaned);
  }
}

async function stopAll(parts: readonly Lifecycle[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts.toReversed()) {
    try {
      await part.stop();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, `${failures.length} parts did not stop cleanly`);
}
