import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { withSideCars } from './annotations/side-cars.ts';
import { bonnSegmentSamples } from './bonn/segments.ts';
import { openBonnSegment, openBonnText } from './bonn/source.ts';
import { DatasetError } from './dataset-error.ts';
import { openEdf } from './edf/edf-source.ts';
import { formatOf } from './edf/header.ts';
import type { SignalSource } from './signal-source.ts';
import { cellsOf, guessDelimiter, parseCell } from './text/csv-cells.ts';
import type { CsvOptions } from './text/csv-layout.ts';
import { openCsv } from './text/csv-source.ts';

export type SourceFormat = 'edf' | 'bonn' | 'csv';

/** How to read a file that does not say everything itself. */
export type OpenOptions = {
  /** Instead of looking at the file. */
  readonly format?: SourceFormat;
  /** Whether annotation files beside the recording are joined into its annotations; they are unless this is false. */
  readonly sideCars?: boolean;
  readonly csv?: CsvOptions;
};

/** How much of a file is looked at to tell its format: a Bonn segment is looked at whole. */
const LOOK_BYTES = 64 * 1024;

const MAX_ROWS_LOOKED_AT = 50;

/** Opens any recording: EDF, EDF+, BDF, BDF+, CSV, a Bonn text file, or `bonn:S065` for one of the Bonn collection. The caller closes it. */
export async function openSource(path: string, options: OpenOptions = {}): Promise<SignalSource> {
  if (path.startsWith('bonn:')) return openBonnSegment(path);
  const format = options.format ?? (await formatOfFile(path));
  try {
    const source = await openAs(format, path, options);
    return options.sideCars === false ? source : await withSideCars(path, source);
  } catch (cause) {
    throw readable(path, cause);
  }
}

/** By what the file holds, not by how it is called: names lie more often than first bytes. */
async function formatOfFile(path: string): Promise<SourceFormat> {
  const start = await look(path);
  if (formatOf(start) !== null) return 'edf';
  const format = start.includes(0) ? null : formatOfText(new TextDecoder().decode(start));
  if (format !== null) return format;
  throw new DatasetError('FORMAT_UNKNOWN', `${basename(path)}; we read EDF, EDF+, BDF, BDF+, CSV and Bonn text`);
}

function openAs(format: SourceFormat, path: string, options: OpenOptions): Promise<SignalSource> {
  if (format === 'edf') return openEdf(path);
  return format === 'bonn' ? openBonnText(path) : openCsv(path, options.csv);
}

/** Exactly as many whole numbers as a Bonn segment has are one; rows of numbers under at most one header are CSV. */
function formatOfText(text: string): SourceFormat | null {
  const rows = text.split(/\r?\n/).filter((row) => row.trim() !== '');
  if (rows.length === bonnSegmentSamples && rows.every((row) => /^\s*-?\d+\s*$/.test(row))) return 'bonn';
  const looked = rows.slice(0, MAX_ROWS_LOOKED_AT);
  const delimiter = guessDelimiter(looked);
  const [, second] = looked.map((row) => cellsOf(row, delimiter));
  return second?.some((cell) => parseCell(cell) != null) === true ? 'csv' : null;
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
