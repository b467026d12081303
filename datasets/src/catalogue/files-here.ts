import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lockName, readLock } from './dataset-lock.ts';
import { type Dataset, publisherListing } from './entry.ts';
import { parseListing } from './listing.ts';
import { pathPattern } from './path-pattern.ts';

/** What a folder holds of a data set, counted in files that are there. */
export type FilesHere = {
  readonly files: number;
  /** Of how many; null where nothing tells which there are. */
  readonly of: number | null;
  /** Those that are not there, by their paths. */
  readonly absent: readonly string[];
};

/** Looks at every file, not at the folder: an empty folder and half a copy are no data set. `patterns` as in a fetch. */
export async function filesHere(dataset: Dataset, directory: string, patterns: readonly string[] = []): Promise<FilesHere> {
  const named = await pathsOf(dataset, directory);
  if (named === null) return { files: (await entriesOf(directory)).length, of: null, absent: [] };
  const fits = patterns.map(pathPattern);
  const wanted = named.filter((path) => fits.length === 0 || fits.some((one) => one(path))).sort();
  const absent: string[] = [];
  for (const path of wanted) {
    const found = await stat(join(directory, ...path.split('/'))).catch(() => null);
    if (found?.isFile() !== true) absent.push(path);
  }
  return { files: wanted.length - absent.length, of: wanted.length, absent };
}

export function isWhole({ files, of }: FilesHere): boolean {
  return files > 0 && files === of;
}

/** Which files there are: as pinned when fetched, as the catalogue says, or as the publisher's listing beside the files does. */
async function pathsOf(dataset: Dataset, directory: string): Promise<string[] | null> {
  const lock = await readLock(directory);
  if (lock !== null) return Object.keys(lock.files);
  if (dataset.files !== undefined) return dataset.files.map(({ path }) => path);
  const listing = join(directory, dataset.listing ?? publisherListing);
  try {
    return [...parseListing(await readFile(listing, 'utf8'), listing).keys()];
  } catch {
    return null; // none, or not one: verify says what is wrong with it
  }
}

async function entriesOf(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => name !== lockName && !name.startsWith('.'));
}
