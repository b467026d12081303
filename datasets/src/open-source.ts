import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { withSideCars } from './annotations/side-cars.ts';
import { DatasetError } from './dataset-error.ts';
import { openEdf } from './edf/edf-source.ts';
import { formatOf } from './edf/header.ts';
import type { SignalSource } from './signal-source.ts';
import { openBonnText, openBundledBonn } from './text/bonn-source.ts';

export type SourceFormat = 'edf' | 'bonn';

/** How to read a file that does not say everything itself. */
export type OpenOptions = {
  /** Instead of looking at the file. */
  readonly format?: SourceFormat;
  /** Whether annotation files beside the recording are joined into its annotations; they are unless this is false. */
  readonly sideCars?: boolean;
};

/** How much of a file is looked at to tell its format. */
const LOOK_BYTES = 4_096;

/** Opens any recording: EDF, EDF+, BDF, BDF+, a Bonn text file, or `bonn:S065` for a bundled one. The caller closes it. */
export async function openSource(path: string, options: OpenOptions = {}): Promise<SignalSource> {
  if (path.startsWith('bonn:')) return openBundledBonn(path);
  const format = options.format ?? (await formatOfFile(path));
  try {
    const source = format === 'edf' ? await openEdf(path) : await openBonnText(path);
    return options.sideCars === false ? source : await withSideCars(path, source);
  } catch (cause) {
    throw readable(path, cause);
  }
}

/** By what the file holds, not by how it is called: names lie more often than first bytes. */
export async function formatOfFile(path: string): Promise<SourceFormat> {
  const start = await look(path);
  if (formatOf(start) !== null) return 'edf';
  const text = new TextDecoder('latin1').decode(start);
  if (/^\s*-?\d+\s*(?:\r?\n\s*-?\d+\s*)*/.test(text)) return 'bonn';
  throw new DatasetError('FORMAT_UNKNOWN', `${basename(path)}; we read EDF, EDF+, BDF, BDF+ and Bonn text`);
}

async function look(path: string): Promise<Uint8Array> {
  try {
    if ((await stat(path)).isDirectory()) throw new DatasetError('FORMAT_UNKNOWN', `${path} is a directory; name one file in it`);
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOOK_BYTES), 0, LOOK_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw readable(path, cause);
  }
}

/** What the file system refuses, as a failure of this package that names the file. */
function readable(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !('syscall' in cause)) return cause;
  const code = 'code' in cause ? String(cause.code) : '';
  const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'no permission to read it' : cause.message;
  return new DatasetError('DATA_FILE_UNREADABLE', `${path}: ${why}`, { cause });
}
