import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { OutboxError } from '../errors.ts';
import { isInUse, isOutOfSpace } from './damage.ts';
import { migrate, setPragmas } from './schema.ts';

const QUICK_CHECK_BYTES = 64 * 1024 * 1024; // larger files are checked as they are read: a whole check would hold up the start

/** Makes the directory and an empty file, readable by their owner alone. */
export function makePlace(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600); // SQLite does not encrypt patient data; its log inherits these rights
}

/** Opens a file as it must be: pragmas read back, migrated, and checked unless it is too large to check now. Throws what SQLite says. */
export function openDatabase(path: string, onStatement?: () => void): Database.Database {
  const db = new Database(path, { timeout: 5_000, ...(onStatement === undefined ? {} : { verbose: onStatement }) });
  try {
    setPragmas(db);
    migrate(db, path);
    if (statSync(path).size <= QUICK_CHECK_BYTES) {
      const found: unknown = db.pragma('quick_check(1)', { simple: true });
      if (found !== 'ok') throw Object.assign(new Error(String(found)), { code: 'SQLITE_CORRUPT' });
    }
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** What a failure to open means to whoever started the agent. */
export function describeOpenFailure(path: string, error: unknown): unknown {
  if (OutboxError.is(error)) return error;
  if (isInUse(error))
    return new OutboxError('OUTBOX_IN_USE', `${path}; stop the other agent or choose another data directory`, { cause: error });
  if (isOutOfSpace(error)) return new OutboxError('DISK_FULL', `${path}; free some space and start again`, { cause: error });
  return new OutboxError('OUTBOX_UNUSABLE', `${path} (${error instanceof Error ? error.message : String(error)})`, { cause: error });
}

export function closeQuietly(db: Database.Database): void {
  try {
    db.close();
  } catch {
    // a damaged file may fail to fold its log; the files are kept as they are
  }
}
