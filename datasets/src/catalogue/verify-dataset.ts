import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError } from '../dataset-error.ts';
import { type Checksum, checksumOf, lockName, readLock } from './dataset-lock.ts';
import { checksumsNamed, type Dataset, publisherListing } from './entry.ts';
import { asChecksums, parseListing } from './listing.ts';

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

/** The same for a folder that need not have been fetched, such as one in a mirror: where we know the checksums, they count. */
export async function verifyDataset(
  dataset: Dataset,
  directory: string,
  signal: AbortSignal,
  onFile?: (path: string, right: boolean) => void,
): Promise<VerifyResult> {
  if (dataset.files === undefined || (await readLock(directory)) !== null) return verifyDirectory(directory, signal, onFile);
  const sums = new Map(dataset.files.map((file) => [file.path, file]));
  return compare(directory, sums, checksumsNamed(dataset), signal, onFile);
}

async function compare(
  directory: string,
  sums: ReadonlyMap<string, Checksum>,
  checksumsFrom: string,
  signal: AbortSignal,
  onFile: ((path: string, right: boolean) => void) | undefined,
): Promise<VerifyResult> {
  const result = { right: [] as string[], wrong: [] as { path: string; found: string; expected: string }[], absent: [] as string[] };
  for (const [path, { sha256: expected, contents }] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (signal.aborted) throw new DatasetError('FETCH_STOPPED', `verify ${directory}`);
    const file = join(directory, ...path.split('/'));
    if (!(await isFile(file))) {
      result.absent.push(path);
      continue;
    }
    const found = await checksumOf(file, contents);
    if (found === expected) result.right.push(path);
    else result.wrong.push({ path, found, expected });
    onFile?.(path, found === expected);
  }
  return { directory, checksumsFrom, ...result };
}

async function expectedSums(directory: string): Promise<{ sums: ReadonlyMap<string, Checksum>; checksumsFrom: string }> {
  const lock = await readLock(directory);
  if (lock !== null) return { sums: new Map(Object.entries(lock.files)), checksumsFrom: lock.checksumsFrom };
  const listing = join(directory, publisherListing);
  const text = await readFile(listing, 'utf8').catch((cause: unknown) => {
    throw new DatasetError('DATA_FILE_MISSING', `${directory} has neither ${lockName} nor ${publisherListing}: nothing to compare with`, {
      cause,
    });
  });
  return { sums: asChecksums(parseListing(text, listing)), checksumsFrom: `${publisherListing} beside the files, not pinned` };
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isFile() ?? false;
}
