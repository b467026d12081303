import { chmodSync, existsSync, statSync } from 'node:fs';
import Sqlite, { type Database as SqliteDatabase } from 'better-sqlite3';
import { StorageError } from '../errors.ts';

export type OpenSqlite = {
  readonly path: string;
  readonly create: boolean; // only the storage service makes databases
  readonly busyTimeoutMs: number;
};

/**
 * Opens a database file for writing and makes sure that a commit is on the disk when it returns. The settings are read back:
 * a WAL file opened again would otherwise silently report `synchronous=NORMAL`.
 */
export function openSqlite({ path, create, busyTimeoutMs }: OpenSqlite): SqliteDatabase {
  const isNew = !existsSync(path);
  if (isNew && !create) throw new StorageError('NOT_MIGRATED', `${path} does not exist yet`);
  let db: SqliteDatabase | null = null;
  try {
    db = new Sqlite(path, { fileMustExist: !create, timeout: busyTimeoutMs });
    if (isNew) {
      chmodSync(path, 0o600); // readings of patients: SQLite does not encrypt them
      db.pragma('auto_vacuum = INCREMENTAL'); // before WAL: afterwards it stays 0
    }
    if (db.pragma('journal_mode', { simple: true }) !== 'wal') db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('wal_autocheckpoint = 1000');
    db.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
    db.pragma('temp_store = MEMORY');
    db.pragma('trusted_schema = OFF');
    expectPragma(db, path, 'journal_mode', 'wal');
    expectPragma(db, path, 'synchronous', 2);
    expectPragma(db, path, 'wal_autocheckpoint', 1000);
    return db;
  } catch (error) {
    db?.close();
    throw error instanceof StorageError ? error : sqliteError(error, path);
  }
}

/** What makes two files the same file: a database that was moved away or replaced under us must not take another commit. */
export function fileIdentity(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}

/** Sorts a failure of SQLite into ours. */
export function sqliteError(error: unknown, path: string): StorageError {
  if (StorageError.is(error)) return error as StorageError;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code))
    return new StorageError('DAMAGED', `${path} (${message}); restore a backup, or move the file away to begin an empty one`, {
      cause: error,
    });
  if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/.test(code)) return new StorageError('REFUSED', `${path} (${message})`, { cause: error });
  if (code.startsWith('SQLITE_FULL')) return new StorageError('UNAVAILABLE', `the disk of ${path} is full`, { cause: error });
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new StorageError('UNAVAILABLE', `another process holds ${path} locked`, { cause: error });
  return new StorageError('UNAVAILABLE', `${path} (${message})`, { cause: error });
}

function expectPragma(db: SqliteDatabase, path: string, name: string, expected: string | number): void {
  const actual = db.pragma(name, { simple: true });
  if (actual !== expected) throw new StorageError('UNAVAILABLE', `${path} does not keep ${name} = ${expected} (it says ${String(actual)})`);
}
