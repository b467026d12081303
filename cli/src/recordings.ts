import path from 'node:path';
import {
  bonnSets,
  type Dataset,
  DatasetError,
  datasetNamed,
  type FetchOptions,
  type FetchResult,
  fetchDataset,
  filesHere,
  findRecording,
  isAddress,
  isWhole,
  mirrorFolder,
  type RecordingPlaces,
  readBonnSegment,
  readCatalogue,
  recordingPlaces,
} from '@vitalwire/datasets';
import { CliError } from './errors.ts';
import { FetchView } from './fetch-view.ts';
import { type Io, noteLine } from './io.ts';

const FETCH_KEY = 'f';

/** Whether every file of the Bonn collection is on this machine. */
export function hasBonn(io: Pick<Io, 'env'>): boolean {
  const places = recordingPlaces(io.env);
  return bonnSets.every((set) => findRecording(`bonn/${set}.zip`, places) !== null);
}

/** Reads every archive of the collection that is here: a damaged one is told before anything starts, not in the middle. Null if all is right. */
export function bonnProblem(io: Pick<Io, 'env'>): DatasetError | null {
  const places = recordingPlaces(io.env);
  try {
    for (const set of bonnSets) readBonnSegment(set, 1, places);
    return null;
  } catch (error) {
    if (error instanceof DatasetError) return error;
    throw error;
  }
}

/**
 * Makes sure the Bonn collection is here. Who asked for it by an option has said yes; else one key on a terminal fetches it, and elsewhere the
 * error says what to do.
 */
export async function ensureBonn(io: Io, { isAskedFor = false } = {}): Promise<void> {
  if (hasBonn(io)) {
    const problem = bonnProblem(io);
    if (problem !== null) throw problem;
    return;
  }
  const places = recordingPlaces(io.env);
  const bonn = datasetNamed(await readCatalogue(null), 'bonn');
  const missing = new CliError(
    'NO_RECORDINGS',
    `bonn is not on this machine (looked in ${[places.cache, ...mirrorFolder(places)].join(' and ')}). 'vitalwire datasets fetch bonn' fetches it (${bonn.size}, ${bonn.licence}); VITALWIRE_DATASETS_MIRROR names a folder with a copy. 'vitalwire replay synth' needs nothing`,
  );
  if (!isAskedFor) {
    if (!io.isTerminal || io.keyboard === undefined) throw missing;
    noteLine(
      io,
      `bonn is not on this machine: ${bonn.title}, ${bonn.size}, ${bonn.licence}. Press ${FETCH_KEY} to fetch it now, any other key to leave.`,
    );
    if ((await nextKey(io, io.keyboard)) !== FETCH_KEY) throw missing;
  }
  const result = await fetchRecordings(io, { dataset: bonn, directory: cacheOf(bonn, places) });
  const [first, ...others] = result.failed;
  if (first === undefined) return;
  throw new CliError('NO_RECORDINGS', `${first.reason}${others.length > 0 ? ` (and ${others.length} more files like it)` : ''}`);
}

/** Fetches with a bar on stderr; licence and citation are told when the first file of a set comes. */
export async function fetchRecordings(io: Io, options: Omit<FetchOptions, 'signal' | 'env' | 'onProgress'>): Promise<FetchResult> {
  const view = new FetchView(io);
  let told = (await filesHere(options.dataset, options.directory)).files > 0;
  try {
    const result = await fetchDataset({
      ...(await withUsualMirror(io, options)),
      env: io.env,
      signal: io.signal,
      onProgress: (progress) => {
        if (!told && progress.state === 'reading') tellLicence(io, options.dataset);
        told ||= progress.state === 'reading';
        view.take(progress);
      },
    });
    return result;
  } finally {
    view.end();
  }
}

type Wish = Pick<FetchOptions, 'dataset' | 'directory' | 'from' | 'mirror' | 'files'>;

/**
 * Where nobody named a source: the mirror of this machine if it is an address, or a folder with all that is wanted. A folder with a part is read
 * where it lies, so that the cache takes only what it does not have, from the publisher.
 */
async function withUsualMirror<Options extends Wish>(io: Io, options: Options): Promise<Options> {
  const places = recordingPlaces(io.env);
  const { dataset, directory, files } = options;
  if (options.from !== undefined || options.mirror !== undefined || places.mirror === null) return options;
  if (isAddress(places.mirror)) return { ...options, mirror: places.mirror };
  const there = await filesHere(dataset, path.join(places.mirror, dataset.name), files);
  if (isWhole(there)) return { ...options, mirror: places.mirror };
  if (there.files === 0 || there.of === null || directory !== cacheOf(dataset, places)) return options;
  noteLine(io, `${places.mirror} has ${there.files} of ${there.of} files; the others come from the publisher`);
  return { ...options, files: there.absent };
}

/** The next key that is pressed; in this mode Ctrl-C is a key as well. */
function nextKey({ signal }: Io, keyboard: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve) => {
    const end = (key: string): void => {
      keyboard.off('data', onKey);
      signal.removeEventListener('abort', onAbort);
      keyboard.setRawMode(false);
      keyboard.pause();
      resolve(key);
    };
    const onKey = (bytes: Buffer): void => end(bytes.toString('utf8'));
    const onAbort = (): void => end('');
    keyboard.setRawMode(true);
    keyboard.on('data', onKey);
    keyboard.resume();
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

export function cacheOf({ name }: Dataset, { cache }: RecordingPlaces): string {
  return path.join(cache, name);
}

function tellLicence(io: Io, { title, licence, licenceUrl, citation }: Dataset): void {
  noteLine(io, `${title}: ${[licence, licenceUrl].filter(Boolean).join(', ')}`);
  noteLine(io, `cite: ${citation}`);
}
