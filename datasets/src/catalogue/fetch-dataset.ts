import { statSync } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatasetError } from '../dataset-error.ts';
import { isAddress } from '../recordings/places.ts';
import { alone, checksumOf, type DatasetLock, pin, readLock, writeLock } from './dataset-lock.ts';
import { download, type RetryPolicy, usualRetries } from './download.ts';
import { checksumsNamed, type Dataset } from './entry.ts';
import { codeOf, directorySource, type FileSource, PassingFailure } from './file-source.ts';
import { httpSource } from './http-source.ts';
import { asChecksums, maxListingBytes, parseListing } from './listing.ts';
import { pathPattern } from './path-pattern.ts';

export type FetchOptions = {
  readonly dataset: Dataset;
  /** Where the files go; made if it is not there. */
  readonly directory: string;
  /** A directory or an address with a copy of this set, instead of the data set's own. */
  readonly from?: string | undefined;
  /** A directory or an address with copies of sets, each in a folder of its name. */
  readonly mirror?: string | undefined;
  /** Patterns of the wanted paths; all when empty. */
  readonly files?: readonly string[];
  readonly parallel?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly retry?: RetryPolicy;
  readonly silenceMs?: number;
  readonly ca?: string;
  onProgress?(progress: FetchProgress): void;
};

/** What happens to one file. */
export type FetchProgress = {
  readonly path: string;
  readonly state: 'reading' | 'fetched' | 'there' | 'failed';
  readonly bytes: number;
  readonly totalBytes: number | null;
  readonly filesDone: number;
  readonly filesWanted: number;
};

export type FetchResult = {
  readonly dataset: string;
  readonly directory: string;
  readonly source: string;
  readonly checksumsFrom: string;
  readonly fetched: readonly string[];
  readonly alreadyThere: readonly string[];
  readonly setAside: readonly string[]; // had wrong bytes before: now <path>.damaged
  readonly failed: readonly { readonly path: string; readonly code: string; readonly reason: string }[];
  readonly bytes: number; // of the files fetched now
};

export const fetchLimits = { maxParallel: 8, usualParallel: 3, silenceMs: 30_000 } as const;

/** Fetches what is wanted and not yet there. One file's refusal does not stop the others; a full disk, a wish to stop and a silent source do. */
export async function fetchDataset(options: FetchOptions): Promise<FetchResult> {
  const source = sourceOf(options);
  try {
    return await alone(options.directory, () => fetchFrom(source, options));
  } finally {
    await source.close();
  }
}

function sourceOf(options: FetchOptions): FileSource {
  const { dataset, env = {}, silenceMs = fetchLimits.silenceMs, parallel = fetchLimits.usualParallel, ca } = options;
  const copy = options.from ?? (options.mirror === undefined ? undefined : inMirror(options.mirror, dataset.name));
  if (copy !== undefined && !isAddress(copy)) return directorySource(copy);
  const url = copy ?? dataset.url;
  if (url === undefined)
    throw new DatasetError('OPTION_REFUSED', `${dataset.name} has no address of its own: name a copy with --from or --mirror`);
  if (!URL.canParse(url)) throw new DatasetError('OPTION_REFUSED', `${JSON.stringify(url)} is no address: expected http://… or https://…`);
  const own =
    copy === undefined ? (dataset.files ?? []).flatMap((file) => (file.url === undefined ? [] : [[file.path, file.url] as const])) : [];
  return httpSource(url, { env, silenceMs, connections: parallel, addresses: new Map(own), ...(ca === undefined ? {} : { ca }) });
}

/** The folder of a set in a mirror; a mirror without one is taken for the set itself. */
function inMirror(mirror: string, name: string): string {
  if (isAddress(mirror)) return `${mirror.replace(/\/+$/, '')}/${name}/`;
  const folder = join(mirror, name);
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? folder : mirror;
}

async function fetchFrom(source: FileSource, options: FetchOptions): Promise<FetchResult> {
  const { dataset, directory, files = [], parallel = fetchLimits.usualParallel } = options;
  const lock = await pinnedLock(source, options);
  let saving = Promise.resolve();
  const save = () => {
    saving = saving.then(() => writeLock(directory, lock)); // one after the other: they share a temporary name
    return saving;
  };
  await save();
  const patterns = files.map(pathPattern);
  const wanted = Object.keys(lock.files)
    .filter((path) => patterns.length === 0 || patterns.some((fits) => fits(path)))
    .sort();
  if (wanted.length === 0)
    throw new DatasetError('NOTHING_TO_FETCH', `no file of ${dataset.name} fits ${files.join(' ')}; there are ${examples(lock)}`);

  const done: Done = { fetched: [], alreadyThere: [], setAside: [], failed: [], bytes: 0 };
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const queue = [...wanted];
  let fatal: unknown;
  const work = async () => {
    for (let path = queue.shift(); path !== undefined && !signal.aborted; path = queue.shift()) {
      try {
        await fetchOne(path, lock, source, options, signal, done, wanted.length);
        await save();
      } catch (cause) {
        if (!(cause instanceof DatasetError && (cause.code === 'SOURCE_REFUSED' || cause.code === 'WRONG_BYTES'))) {
          fatal ??= cause;
          stop.abort();
          return;
        }
        done.failed.push({ path, code: cause.code, reason: cause.message });
        tell(options, path, 'failed', 0, null, done, wanted.length);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, wanted.length) }, work));
  await saving;
  if (fatal !== undefined) throw fatal;
  if (options.signal.aborted) throw new DatasetError('FETCH_STOPPED', `${directory}; run it again to go on where it stopped`);
  for (const paths of [done.fetched, done.alreadyThere, done.setAside]) paths.sort();
  done.failed.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { dataset: dataset.name, directory, source: source.name, checksumsFrom: lock.checksumsFrom, ...done };
}

type Done = {
  readonly fetched: string[];
  readonly alreadyThere: string[];
  readonly setAside: string[];
  readonly failed: { path: string; code: string; reason: string }[];
  bytes: number;
};

async function fetchOne(
  path: string,
  lock: DatasetLock,
  source: FileSource,
  options: FetchOptions,
  signal: AbortSignal,
  done: Done,
  filesWanted: number,
): Promise<void> {
  const locked = lock.files[path];
  if (locked === undefined) throw new RangeError(path);
  const final = join(options.directory, ...path.split('/'));
  const there = await stat(final).catch(() => null);
  if (there !== null) {
    const unchanged = locked.verified?.bytes === there.size && locked.verified.modifiedMs === there.mtimeMs;
    if (unchanged || (await checksumOf(final, locked.contents)) === locked.sha256) {
      locked.verified = { bytes: there.size, modifiedMs: there.mtimeMs };
      done.alreadyThere.push(path);
      tell(options, path, 'there', there.size, there.size, done, filesWanted);
      return;
    }
    await rename(final, `${final}.damaged`); // wrong bytes never keep the name
    done.setAside.push(path);
  }
  const bytes = await download({
    source,
    path,
    final,
    sha256: locked.sha256,
    contents: locked.contents,
    expectedBytes: options.dataset.files?.find((file) => file.path === path)?.bytes ?? null,
    signal,
    retry: options.retry ?? usualRetries,
    progress: (read, total) => tell(options, path, 'reading', read, total, done, filesWanted),
  });
  locked.verified = { bytes, modifiedMs: (await stat(final)).mtimeMs };
  done.fetched.push(path);
  done.bytes += bytes;
  tell(options, path, 'fetched', bytes, bytes, done, filesWanted);
}

/** The checksums to hold the files against: ours where the catalogue has them, else the publisher's, pinned when first met. */
async function pinnedLock(source: FileSource, options: FetchOptions): Promise<DatasetLock> {
  const { dataset, directory } = options;
  const before = await readLock(directory);
  if (before !== null && before.dataset !== dataset.name)
    throw new DatasetError('OPTION_REFUSED', `${directory} holds ${before.dataset}, not ${dataset.name}: choose another place with --to`);
  if (dataset.files !== undefined) {
    const checksumsFrom = checksumsNamed(dataset);
    const listed = new Map(dataset.files.map((file) => [file.path, file]));
    return pin(before ?? emptyLock(dataset.name, checksumsFrom), listed, checksumsFrom, directory);
  }
  const listing = dataset.listing ?? '';
  let text: string;
  try {
    text = await readListing(source, listing, options);
  } catch (cause) {
    // A copy without the listing will do once the checksums are pinned.
    if (before !== null && cause instanceof DatasetError && cause.code === 'SOURCE_REFUSED') return before;
    throw cause;
  }
  const checksumsFrom = `the publisher's ${listing} as found at ${source.name}`;
  return pin(
    before ?? emptyLock(dataset.name, checksumsFrom),
    asChecksums(parseListing(text, `${source.name} ${listing}`)),
    source.name,
    directory,
  );
}

async function readListing(source: FileSource, listing: string, options: FetchOptions): Promise<string> {
  const { attempts, baseMs } = options.retry ?? usualRetries;
  for (let failures = 1; ; failures++) {
    try {
      const opened = await source.open(listing, 0, null, options.signal);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of opened.body) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxListingBytes)
          throw new DatasetError('LISTING_MALFORMED', `${source.name} ${listing} is larger than ${maxListingBytes} bytes`);
      }
      if (opened.totalBytes !== null && bytes !== opened.totalBytes)
        throw new PassingFailure(`${listing} ended after ${bytes} of ${opened.totalBytes} bytes`);
      return Buffer.concat(chunks).toString('utf8');
    } catch (cause) {
      if (options.signal.aborted) throw new DatasetError('FETCH_STOPPED', listing);
      if (cause instanceof DatasetError) throw cause;
      // The first request tells whether anything is there at all: three tries are enough to say so.
      if (failures >= Math.min(3, attempts)) throw offline(source, cause);
      // It rejects when stopped, and the next request says so.
      await sleep(Math.random() * baseMs * 2 ** failures, undefined, { signal: options.signal }).catch(() => {});
    }
  }
}

function offline(source: FileSource, cause: unknown): DatasetError {
  const said = cause instanceof PassingFailure ? cause.message : `${source.name}: ${codeOf(cause)}`;
  return new DatasetError(
    'SOURCE_UNREACHABLE',
    `${said}. Is this machine online? Behind a proxy set HTTPS_PROXY; a copy elsewhere is named with --mirror DIR or --mirror URL`,
    { cause },
  );
}

function emptyLock(dataset: string, checksumsFrom: string): DatasetLock {
  return { version: 1, dataset, checksumsFrom, pinnedAt: new Date().toISOString(), files: {} };
}

function examples(lock: DatasetLock): string {
  const paths = Object.keys(lock.files);
  return `${paths.length} files, such as ${paths.slice(0, 3).join(', ')}`;
}

function tell(
  options: FetchOptions,
  path: string,
  state: FetchProgress['state'],
  bytes: number,
  totalBytes: number | null,
  done: Done,
  filesWanted: number,
): void {
  const filesDone = done.fetched.length + done.alreadyThere.length + done.failed.length;
  options.onProgress?.({ path, state, bytes, totalBytes, filesDone, filesWanted });
}
