import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

/** The URL of a worker's file beside the caller, `workerUrl('./commit-worker', import.meta.url)`: .ts from source, .js from dist. */
export function workerUrl(name: string, importMetaUrl: string): URL {
  return new URL(`${name}${isSource(importMetaUrl) ? '.ts' : '.js'}`, importMetaUrl);
}

/** What `execArgv` a worker or child must add so that it, too, resolves our packages to their source. */
export function sourceExecArgv(importMetaUrl: string): string[] {
  return isSource(importMetaUrl) ? ['--conditions=source'] : [];
}

/**
 * Waits until a worker that was told to end has ended. To terminate one while its native add-ons are being unloaded can crash the
 * whole process, so only a worker that hangs beyond `graceMs` is terminated.
 */
export async function untilWorkerEnds(worker: Worker, graceMs = 5_000): Promise<void> {
  const ended = new Promise<true>((resolve) => {
    if (worker.threadId === -1) resolve(true);
    else worker.once('exit', () => resolve(true));
  });
  const grace = new AbortController();
  const hangs = sleep(graceMs, false as const, { signal: grace.signal }).catch(() => false as const);
  const hasEnded = await Promise.race([ended, hangs]);
  grace.abort();
  if (!hasEnded) await worker.terminate();
}

function isSource(importMetaUrl: string): boolean {
  return new URL(importMetaUrl).pathname.endsWith('.ts');
}
