import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  type Dataset,
  datasetNamed,
  type FetchOptions,
  type FetchResult,
  fetchDataset,
  fetchedFiles,
  findRecording,
  mirrorFolder,
  type RecordingPlaces,
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
  return ['Z', 'O', 'N', 'F', 'S'].every((set) => findRecording(`bonn/${set}.zip`, places) !== null);
}

/** Makes sure the Bonn collection is here: on a terminal one key fetches it; elsewhere the error says what to do. */
export async function ensureBonn(io: Io): Promise<void> {
  if (hasBonn(io)) return;
  const places = recordingPlaces(io.env);
  const bonn = datasetNamed(await readCatalogue(null), 'bonn');
  const missing = new CliError(
    'NO_RECORDINGS',
    `bonn is not on this machine (looked in ${[places.cache, ...mirrorFolder(places)].join(' and ')}). 'vitalwire datasets fetch bonn' fetches it (${bonn.size}, ${bonn.licence}); VITALWIRE_DATASETS_MIRROR names a folder with a copy. 'vitalwire replay synth' needs nothing`,
  );
  if (!io.isTerminal || io.keyboard === undefined) throw missing;
  noteLine(
    io,
    `bonn is not on this machine: ${bonn.title}, ${bonn.size}, ${bonn.licence}. Press ${FETCH_KEY} to fetch it now, any other key to leave.`,
  );
  if ((await nextKey(io, io.keyboard)) !== FETCH_KEY) throw missing;
  const result = await fetchRecordings(io, { dataset: bonn, directory: cacheOf(bonn, places) });
  if (result.failed.length > 0) throw new CliError('NO_RECORDINGS', result.failed.map(({ reason }) => reason).join('; '));
}

/** Fetches with a bar on stderr; licence and citation are told when the first file of a set comes. */
export async function fetchRecordings(io: Io, options: Omit<FetchOptions, 'signal' | 'env' | 'onProgress'>): Promise<FetchResult> {
  const view = new FetchView(io);
  let told = (await fetchedFiles(options.directory)).of !== null;
  try {
    const result = await fetchDataset({
      ...options,
      mirror: options.mirror ?? usualMirror(io, options.dataset),
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

/** The mirror of this machine, where it has the set; an address is asked. */
function usualMirror({ env }: Io, { name }: Dataset): string | undefined {
  const { mirror } = recordingPlaces(env);
  if (mirror === null) return undefined;
  return /^https?:/i.test(mirror) || existsSync(path.join(mirror, name)) ? mirror : undefined;
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
  noteLine(io, `${title}: ${[licence, licenceUrl].filter(Boolean).join(', ')}\ncite: ${citation}`);
}
