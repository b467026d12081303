import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log } from '@vitalwire/runtime';
import type { z } from 'zod';

/** What a small file holds; null if it is not there (a first start) or cannot be understood, which costs a warning, not the start. */
export function readSmallFile<Schema extends z.ZodType>(path: string, schema: Schema, log: Pick<Log, 'warn'>): z.output<Schema> | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      log.warn({ err: error, path }, 'a file cannot be read; it is made anew');
    return null;
  }
}

/** Replaced as a whole. A full disk must not stop alarms: it costs a warning. */
export function writeSmallFile(path: string, value: unknown, log: Pick<Log, 'warn'>): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    log.warn({ err: error, path }, 'a file could not be written; what it holds is kept in memory');
  }
}
