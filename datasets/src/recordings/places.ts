import { existsSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, parse, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where other people's recordings are on this machine. None of them is part of this software. */
export type RecordingPlaces = {
  /** What we fetched: one folder of the user, `<cache>/<data set>/…`, shared by all checkouts and data directories. */
  readonly cache: string;
  /** A copy that somebody else keeps, `<mirror>/<data set>/…`: a folder, used as it is and never written to, or an address. */
  readonly mirror: string | null;
};

/** A folder of that name beside the checkout is a mirror without being told. */
const besideCheckout = fileURLToPath(new URL('../../../../shared/data', import.meta.url));

/**
 * `VITALWIRE_DATASETS` names the cache (else the platform's folder for data), `VITALWIRE_DATASETS_MIRROR` the mirror (else `shared/data` beside
 * the checkout where there is one; `none` means no mirror).
 */
export function recordingPlaces(env: Environment = process.env, platform: NodeJS.Platform = process.platform): RecordingPlaces {
  const given = env['VITALWIRE_DATASETS']?.trim();
  const cache = given === undefined || given === '' ? join(dataFolder(env, platform), 'vitalwire', 'datasets') : resolve(given);
  const mirror = env['VITALWIRE_DATASETS_MIRROR']?.trim() ?? '';
  if (mirror === 'none') return { cache, mirror: null };
  if (mirror !== '') return { cache, mirror: isAddress(mirror) ? mirror : resolve(mirror) };
  return { cache, mirror: existsSync(besideCheckout) ? besideCheckout : null };
}

/** Where a file such as `bonn/S.zip` is: in the cache, else in a mirror that is a folder; null if in neither. */
export function findRecording(path: string, places: RecordingPlaces = recordingPlaces()): string | null {
  const folders = [places.cache, ...mirrorFolder(places)];
  return folders.map((folder) => join(folder, ...path.split('/'))).find(isFile) ?? null;
}

/** The mirror when it is a folder: nothing can be read from an address without fetching it. */
export function mirrorFolder({ mirror }: RecordingPlaces): string[] {
  return mirror === null || isAddress(mirror) ? [] : [mirror];
}

export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** The folder for an application's data, as each platform has it. */
function dataFolder(env: Environment, platform: NodeJS.Platform): string {
  const home = homeFolder(env);
  if (platform === 'darwin') return join(home, 'Library', 'Application Support');
  if (platform === 'win32') return env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local');
  const told = env['XDG_DATA_HOME'];
  return told?.startsWith('/') === true ? told : join(home, '.local', 'share');
}

/** A HOME that is empty or relative would be another folder in every directory; a user without an entry has none that is known. */
function homeFolder(env: Environment): string {
  const given = env['HOME'] ?? '';
  if (isAbsolute(given)) return given;
  for (const ask of [homedir, () => userInfo().homedir]) {
    try {
      if (isAbsolute(ask())) return ask();
    } catch {
      // Nobody of that number is known here: the next may know.
    }
  }
  return parse(process.cwd()).root;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
