import type Database from 'better-sqlite3';
import { OutboxError } from '../errors.ts';

// Append only: a migration that has been released is never changed. user_version counts those a file has been through.
export const migrations: readonly string[] = [
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE recording (
     recording_id BLOB NOT NULL UNIQUE CHECK (length(recording_id) = 16),
     device_id TEXT NOT NULL, stream TEXT NOT NULL, capture_id TEXT NOT NULL,
     next_seq INTEGER NOT NULL DEFAULT 0, readings INTEGER NOT NULL DEFAULT 0,
     started_at_ms INTEGER NOT NULL, last_us INTEGER, ended_at_ms INTEGER, end_reason TEXT,
     start_message BLOB NOT NULL) STRICT;
   CREATE INDEX recording_by_device ON recording (device_id, stream);
   CREATE INDEX recording_open ON recording (recording_id) WHERE ended_at_ms IS NULL;
   CREATE TABLE capture (
     device_id TEXT NOT NULL, stream TEXT NOT NULL, capture_id TEXT NOT NULL,
     next_sample INTEGER NOT NULL, used_at_ms INTEGER NOT NULL,
     PRIMARY KEY (device_id, stream, capture_id)) STRICT, WITHOUT ROWID;
   CREATE INDEX capture_by_use ON capture (used_at_ms);
   CREATE TABLE outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     recording_id BLOB NOT NULL, seq INTEGER NOT NULL,
     device_id TEXT NOT NULL, stream TEXT NOT NULL, rank INTEGER NOT NULL, bytes INTEGER NOT NULL,
     measured_at_us INTEGER NOT NULL, end_us INTEGER NOT NULL, created_at_ms INTEGER NOT NULL,
     crc32 INTEGER NOT NULL, message BLOB NOT NULL,
     UNIQUE (recording_id, seq)) STRICT;
   CREATE INDEX outbox_by_rank ON outbox (rank, id, bytes);
   CREATE TABLE delivery (upto_id INTEGER PRIMARY KEY, acked_at_ms INTEGER NOT NULL) STRICT;
   CREATE TABLE gap_counter (subject BLOB PRIMARY KEY, next_seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE seen (
     device_id TEXT NOT NULL, metric TEXT NOT NULL, at_us INTEGER NOT NULL, digest INTEGER NOT NULL,
     PRIMARY KEY (device_id, metric, at_us)) STRICT, WITHOUT ROWID;
   CREATE TABLE capture_hole (
     device_id TEXT NOT NULL, stream TEXT NOT NULL, capture_id TEXT NOT NULL, from_sample INTEGER NOT NULL, to_sample INTEGER NOT NULL,
     PRIMARY KEY (device_id, stream, capture_id, from_sample)) STRICT, WITHOUT ROWID;`,
];

// auto_vacuum must come before WAL, or it stays 0 for ever. It is the one that may differ, in a file that was copied by other tools: then
// freed pages are used again but not given back, which is no reason to stay away.
const pragmas: readonly (readonly [name: string, value: string, readBack: string | number])[] = [
  ['locking_mode', 'EXCLUSIVE', 'exclusive'],
  ['busy_timeout', '5000', 5000],
  ['auto_vacuum', 'INCREMENTAL', 2],
  ['journal_mode', 'WAL', 'wal'],
  ['synchronous', 'FULL', 2],
  ['wal_autocheckpoint', '1000', 1000],
  ['journal_size_limit', '67108864', 67_108_864],
  ['temp_store', 'MEMORY', 2],
];

/**
 * Sets every pragma and reads it back. A reopened WAL file of this SQLite build reports synchronous NORMAL, so durability would drop
 * silently at the second start if they were trusted to last.
 */
export function setPragmas(db: Database.Database): void {
  for (const [name, value, expected] of pragmas) {
    // Setting auto_vacuum writes to the file even where it says so already, and a full disk must not keep an agent from opening its outbox.
    if (name !== 'auto_vacuum' || db.pragma(name, { simple: true }) !== expected) db.pragma(`${name} = ${value}`);
    const actual: unknown = db.pragma(name, { simple: true });
    if (actual !== expected && name !== 'auto_vacuum')
      throw new OutboxError('OUTBOX_UNUSABLE', `${name} is ${String(actual)} instead of ${expected}`);
  }
}

/** Brings a file to the newest schema, each step in its own transaction. Refuses a file from the future. */
export function migrate(db: Database.Database, path: string): void {
  const found = Number(db.pragma('user_version', { simple: true }));
  if (found > migrations.length) {
    throw new OutboxError(
      'OUTBOX_NEWER',
      `${path} has schema ${found}, this release knows ${migrations.length}; start the newer release again, or another data directory`,
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < found) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${index + 1}`);
    }).immediate();
  }
}
