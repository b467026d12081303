import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatasetError } from '../dataset-error.ts';
import { checksumOf, noArchive } from './dataset-lock.ts';
import type { FileContents } from './entry.ts';
import { codeOf, type FileSource, type OpenedFile, PassingFailure } from './file-source.ts';
import { RangeGone } from './http-source.ts';
import { PartialFile } from './partial-file.ts';

export type Download = {
  readonly source: FileSource;
  readonly path: string; // in the data set
  readonly final: string; // on the disk
  readonly sha256: string;
  /** What the checksum is of; the bytes of the file when undefined. */
  readonly contents?: FileContents | undefined;
  readonly expectedBytes: number | null;
  readonly signal: AbortSignal;
  readonly retry: RetryPolicy;
  progress(bytes: number, totalBytes: number | null): void;
};

/** How often a file is tried again without a byte of progress, and how long is waited: doubling, drawn evenly from zero to the bound. */
export type RetryPolicy = { readonly attempts: number; readonly baseMs: number; readonly maxMs: number };

export const usualRetries: RetryPolicy = { attempts: 6, baseMs: 500, maxMs: 30_000 };

/** Brings one file to its final name, or leaves a part that a later call continues. Returns its size. */
export async function download(job: Download): Promise<number> {
  const part = new PartialFile(job.final, job.sha256);
  let [failures, wrong, wrongFromStart] = [0, 0, 0];
  for (;;) {
    const before = (await part.left()).bytes;
    try {
      const { sha256, bytes, resumed } = await attempt(job, part);
      if (sha256 === job.sha256) {
        await part.finish();
        return bytes;
      }
      await part.discard();
      // A part joined to another file's rest is our doing, and a bit may turn on the way; wrong twice from its start is the source's answer.
      wrong += 1;
      if (!resumed) wrongFromStart += 1;
      if (wrongFromStart === 2 || wrong === 4) throw wrongBytes(job, sha256, bytes);
    } catch (cause) {
      if (job.signal.aborted) throw new DatasetError('FETCH_STOPPED', `${job.path}; run it again to go on where it stopped`);
      if (cause instanceof RangeGone || (cause instanceof DatasetError && cause.code === 'WRONG_BYTES')) await part.discard();
      if (!(cause instanceof PassingFailure)) throw lasting(job, cause);
      failures = (await part.left()).bytes > before ? 1 : failures + 1;
      if (failures >= job.retry.attempts) throw givenUp(job, failures, cause);
      await pause(job, failures, cause instanceof PassingFailure ? cause.afterMs : null);
    }
  }
}

async function attempt(job: Download, part: PartialFile): Promise<{ sha256: string; bytes: number; resumed: boolean }> {
  const left = await part.left();
  const opened = await job.source.open(job.path, left.bytes, left.validator, job.signal);
  const at = opened.startsAt;
  if (opened.totalBytes !== null && job.expectedBytes !== null && opened.totalBytes !== job.expectedBytes) {
    await cancel(opened);
    throw new DatasetError(
      'WRONG_BYTES',
      `${job.path} from ${job.source.name} has ${opened.totalBytes} bytes, expected ${job.expectedBytes}`,
    );
  }
  await part.begin(opened.validator ?? (at > 0 ? left.validator : null));
  await leaveRoom(job, opened, at);
  const hash = await part.hashOf(at);
  let bytes = at;
  const limit = opened.totalBytes ?? job.expectedBytes ?? Number.MAX_SAFE_INTEGER;
  job.progress(bytes, opened.totalBytes ?? job.expectedBytes);
  await part.write(at, passing(opened.body, job.signal), (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes > limit) throw new DatasetError('WRONG_BYTES', `${job.path} from ${job.source.name} goes on behind its ${limit} bytes`);
    job.progress(bytes, opened.totalBytes ?? job.expectedBytes);
  });
  if (opened.totalBytes !== null && bytes < opened.totalBytes)
    throw new PassingFailure(`${job.path} ended after ${bytes} of ${opened.totalBytes} bytes`);
  const sha256 = job.contents === undefined ? hash.digest('hex') : await checksumOf(part.path, job.contents);
  return { sha256, bytes, resumed: at > 0 };
}

/** The body, with a cut in its middle told as a failure that may pass. */
async function* passing(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await iterator.next().catch((cause: unknown) => {
        throw new PassingFailure(`the connection broke (${codeOf(cause)})`, null, { cause });
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.().catch(() => {}); // what matters was read, or has thrown already
  }
}

/** A disk that cannot take the file is not filled to its last byte. */
async function leaveRoom(job: Download, opened: OpenedFile, at: number): Promise<void> {
  if (opened.totalBytes === null) return;
  const { bavail, bsize } = await statfs(dirname(job.final));
  const missing = opened.totalBytes - at - bavail * bsize;
  if (missing <= 0) return;
  await cancel(opened);
  throw new DatasetError(
    'DISK_FULL',
    `${job.final} needs ${missing} bytes more than are free; free some space, or choose another place with --to`,
  );
}

async function cancel(opened: OpenedFile): Promise<void> {
  await opened.body[Symbol.asyncIterator]()
    .return?.()
    .catch(() => {}); // nobody wants the rest
}

async function pause(job: Download, failures: number, afterMs: number | null): Promise<void> {
  const bound = Math.min(job.retry.maxMs, job.retry.baseMs * 2 ** (failures - 1));
  const waitMs = Math.max(afterMs ?? 0, Math.random() * bound);
  await sleep(waitMs, undefined, { signal: job.signal }).catch(() => {}); // stopped: the caller looks
}

function lasting(job: Download, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new DatasetError('DISK_FULL', `${job.final}; what is there is kept: free some space and run it again`, { cause });
  return cause;
}

function givenUp(job: Download, failures: number, cause: unknown): DatasetError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new DatasetError(
    'SOURCE_UNREACHABLE',
    `${job.path}: ${said}; tried ${failures} times. Is this machine online? Behind a proxy set HTTPS_PROXY; a copy elsewhere is named with --mirror. What is there is kept: run it again to go on`,
    { cause },
  );
}

function wrongBytes(job: Download, sha256: string, bytes: number): DatasetError {
  if (sha256 === noArchive)
    return new DatasetError(
      'WRONG_BYTES',
      `${job.path} from ${job.source.name} is no archive of the collection (${bytes} bytes), perhaps a page for a browser: save the archives by hand into a folder bonn, and name the folder above it with --mirror`,
    );
  return new DatasetError(
    'WRONG_BYTES',
    `${job.path} from ${job.source.name} has ${job.contents === undefined ? 'SHA-256' : 'segments with SHA-256'} ${sha256} (${bytes} bytes), expected ${job.sha256}; nothing of it was kept`,
  );
}
