import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledDataUrl } from '../bundled-file.ts';
import { DatasetError } from '../dataset-error.ts';
import { lockName, readLock, sha256Of } from './dataset-lock.ts';
import { type Dataset, publisherListing } from './entry.ts';
import { parseListing } from './listing.ts';

export type VerifyResult = {
  readonly directory: string;
  readonly checksumsFrom: string;
  readonly right: readonly string[];
  readonly wrong: readonly { readonly path: string; readonly found: string; readonly expected: string }[];
  /** Listed and not there: not a fault, whoever fetched a part of a set has the rest missing. */
  readonly absent: readonly string[];
};

/** Reads every byte that is there and compares it with what is pinned, or, without a lock file, with the listing beside the files. */
export async function verifyDirectory(
  directory: string,
  signal: AbortSignal,
  onFile?: (path: string, right: boolean) => void,
): Promise<VerifyResult> {
  const { sums, checksumsFrom } = await expectedSums(directory);
  return compare(directory, sums, checksumsFrom, signal, onFile);
}

/** The same for what is part of this software. */
export async function verifyBundled(
  dataset: Dataset,
  signal: AbortSignal,
  onFile?: (path: string, right: boolean) => void,
): Promise<VerifyResult> {
  const directory = fileURLToPath(new URL(`${dataset.name}/`, bundledDataUrl));
  const sums = new Map((dataset.files ?? []).map((file) => [file.path, file.sha256]));
  return compare(directory, sums, 'this software, measured', signal, onFile);
}

async function compare(
  directory: string,
  sums: ReadonlyMap<string, string>,
  checksumsFrom: string,
  signal: AbortSignal,
  onFile: ((path: string, right: boolean) => void) | undefined,
): Promise<VerifyResult> {
  const result = { right: [] as string[], wrong: [] as { path: string; found: string; expected: string }[], absent: [] as string[] };
  for (const [path, expected] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (signal.aborted) throw new DatasetError('FETCH_STOPPED', `verify ${directory}`);
    const file = join(directory, ...path.split('/'));
    if (!(await isFile(file))) {
      result.absent.push(path);
      continue;
    }
    const found = await sha256Of(file);
    if (found === expected) result.right.push(path);
    else result.wrong.push({ path, found, expected });
    onFile?.(path, found === expected);
  }
  return { directory, checksumsFrom, ...result };
}

async function expectedSums(directory: string): Promise<{ sums: ReadonlyMap<string, string>; checksumsFrom: string }> {
  const lock = await readLock(directory);
  if (lock !== null)
    return { sums: new Map(Object.entries(lock.files).map(([path, { sha256 }]) => [path, sha256])), checksumsFrom: lock.checksumsFrom };
  const listing = join(directory, publisherListing);
  const text = await readFile(listing, 'utf8').catch((cause: unknown) => {
    throw new DatasetError('DATA_FILE_MISSING', `${directory} has neither ${lockName} nor ${publisherListing}: nothing to compare with`, {
      cause,
    });
  });
  return { sums: parseListing(text, listing), checksumsFrom: `${publisherListing} beside the files, not pinned` };
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isFile() ?? false;
}
