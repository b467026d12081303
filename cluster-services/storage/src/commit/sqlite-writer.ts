import type { Database as SqliteDatabase, Statement } from 'better-sqlite3';
import { StorageError } from '../errors.ts';
import { readingsMigrationTable } from '../schema/migration-names.ts';
import { chunkValues, endValues, idBytes, indexValues, quarantineValues, startValues } from './column-values.ts';
import { type ChunkRow, type CommitOutcome, type CommitRow, indexEntries, type QuarantineRow } from './commit-row.ts';
import { conflictRow } from './conflict-row.ts';
import { KnownIdentities } from './known-identities.ts';
import { assertSchema } from './schema-check.ts';
import { fileIdentity, openSqlite, sqliteError } from './sqlite-file.ts';

const IDLE_WAL_BYTES = 1024 * 1024;

/** Writes batches into readings.sqlite; synchronous, so it belongs into a worker thread. Opens, and opens again, by itself. */
export class SqliteWriter {
  readonly #path: string;
  readonly #known = new KnownIdentities();
  #open: OpenDatabase | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** One transaction for all rows; throws a StorageError and leaves nothing behind when it cannot be made permanent. */
  commit(rows: readonly CommitRow[], committedAtUs: number, busyTimeoutMs: number): CommitOutcome[] {
    const { db, statements } = this.#ready(busyTimeoutMs);
    const fresh = new Set<string>();
    try {
      db.exec('BEGIN IMMEDIATE'); // takes the write lock now: a busy database is told from a failed statement
      const outcomes = rows.map((row) =>
        row.kind === 'chunk' ? this.#chunk(statements, row, committedAtUs, fresh) : quarantine(statements, row, committedAtUs),
      );
      db.exec('COMMIT');
      for (const id of fresh) this.#known.add(id);
      return outcomes;
    } catch (error) {
      const failure = sqliteError(error, this.#path);
      try {
        if (db.inTransaction) db.exec('ROLLBACK');
      } catch {
        this.#drop(); // a transaction that cannot be rolled back ends with its connection
      }
      if (failure.code === 'DAMAGED' || failure.message.includes('IOERR')) this.#drop();
      throw failure;
    }
  }

  /** Takes the write lock for a moment: a file that can be read but not written must not count as a database that answers. */
  generation(): string {
    const { db } = this.#ready(1_000);
    try {
      db.exec('BEGIN IMMEDIATE; ROLLBACK');
      const row = db.prepare<[], { generation: string }>('SELECT generation FROM generation WHERE id = 1').get();
      if (row === undefined) throw new StorageError('NOT_MIGRATED', `${this.#path} has no generation`);
      return row.generation;
    } catch (error) {
      throw sqliteError(error, this.#path);
    }
  }

  /** Opens the file if it is not open; throws NOT_MIGRATED, SCHEMA_NEWER, DAMAGED or UNAVAILABLE. */
  open(): void {
    this.#ready(1_000);
  }

  /** When nothing is written: bring a large write-ahead log back into the database. */
  idle(): void {
    if (this.#open === null) return;
    const wal = this.#open.db.pragma('wal_checkpoint(PASSIVE)') as { log: number }[];
    if ((wal[0]?.log ?? 0) * 4096 > IDLE_WAL_BYTES) this.#open.db.pragma('wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    if (this.#open === null) return;
    try {
      this.#open.db.pragma('busy_timeout = 200');
      this.#open.db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // Only tidying: everything is committed already.
    }
    this.#drop();
  }

  #ready(busyTimeoutMs: number): OpenDatabase {
    // A file moved away or replaced under us would take our commits to where nobody looks for them.
    if (this.#open !== null && fileIdentity(this.#path) !== this.#open.identity) this.#drop();
    this.#open ??= openDatabase(this.#path, busyTimeoutMs);
    this.#open.db.pragma(`busy_timeout = ${Math.max(1, Math.floor(busyTimeoutMs))}`);
    return this.#open;
  }

  #drop(): void {
    const open = this.#open;
    this.#open = null;
    this.#known.clear();
    try {
      open?.db.close();
    } catch {
      // The connection is unusable either way.
    }
  }

  #chunk(statements: Statements, row: ChunkRow, committedAtUs: number, fresh: Set<string>): CommitOutcome {
    for (const entry of indexEntries(row)) {
      if (this.#known.has(entry.recordingId) || fresh.has(entry.recordingId)) continue;
      statements.index.run(...indexValues(entry, committedAtUs));
      fresh.add(entry.recordingId);
    }
    const inserted = statements.chunk.run(...chunkValues(row, committedAtUs));
    if (inserted.changes === 1) {
      if (row.recording !== undefined) writeRecording(statements, row.recording, committedAtUs);
      return 'committed';
    }
    const stored = statements.checksum.get(idBytes(row.recordingId), row.seq);
    if (stored !== undefined && stored.crc32 === row.crc32 && stored.message_bytes === row.message.byteLength) return 'duplicate';
    if (row.firstWriteWins) return 'repeat-differs';
    quarantine(statements, conflictRow(row), committedAtUs);
    return 'conflict';
  }
}

type OpenDatabase = { readonly db: SqliteDatabase; readonly statements: Statements; readonly identity: string | null };

type Statements = {
  readonly index: Statement;
  readonly chunk: Statement;
  readonly checksum: Statement<[Buffer, number], { crc32: number; message_bytes: number }>;
  readonly quarantine: Statement;
  readonly start: Statement;
  readonly end: Statement;
};

function openDatabase(path: string, busyTimeoutMs: number): OpenDatabase {
  const db = openSqlite({ path, create: false, busyTimeoutMs });
  try {
    const hasTable = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(readingsMigrationTable) !== undefined;
    const executed = hasTable ? db.prepare<[], { name: string }>(`SELECT name FROM ${readingsMigrationTable}`).all() : [];
    assertSchema(
      path,
      executed.map(({ name }) => name),
    );
    return { db, statements: prepareStatements(db), identity: fileIdentity(path) };
  } catch (error) {
    db.close();
    throw sqliteError(error, path);
  }
}

// Never OR IGNORE: it would also swallow a violated NOT NULL or CHECK, and we would acknowledge a row that is not there.
function prepareStatements(db: SqliteDatabase): Statements {
  return {
    index: db.prepare(
      'INSERT INTO stream_index (recording_id, seq, subject, gateway, device, stream, first_measured_at_us, first_committed_at_us) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (recording_id) DO NOTHING',
    ),
    chunk: db.prepare(
      `INSERT INTO chunk (recording_id, seq, stream, measured_at_us, committed_at_us, span_us, codec, clock_quality, first_sample, samples, crc32, message_bytes, message)
       VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (recording_id, seq) DO NOTHING`,
    ),
    checksum: db.prepare<[Buffer, number], { crc32: number; message_bytes: number }>(
      'SELECT crc32, message_bytes FROM chunk WHERE recording_id = ? AND seq = ?',
    ),
    quarantine: db.prepare(
      'INSERT INTO quarantine (sha256, seq, recording_id, sender, topic, reason, first_seen_us, message_bytes, message) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (sha256) DO NOTHING',
    ),
    start: db.prepare(
      `INSERT INTO recording_start (recording_id, seq, gateway, device, stream, measured_at_us, committed_at_us, rate_num, rate_den, channels, montage_hash, predecessor,
       capture_id, capture_first_sample, replay_speed, replay_source, source) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (recording_id) DO NOTHING`,
    ),
    end: db.prepare(
      'INSERT INTO recording_end (recording_id, seq, measured_at_us, committed_at_us, last_seq, readings, reason) VALUES (?,?,?,?,?,?,?) ON CONFLICT (recording_id) DO NOTHING',
    ),
  };
}

function writeRecording(statements: Statements, message: NonNullable<ChunkRow['recording']>, committedAtUs: number): void {
  if (message.kind === 'end') statements.end.run(...endValues(message, committedAtUs));
  else statements.start.run(...startValues(message, committedAtUs));
}

function quarantine(statements: Statements, row: QuarantineRow, seenAtUs: number): CommitOutcome {
  return statements.quarantine.run(...quarantineValues(row, seenAtUs)).changes === 1 ? 'committed' : 'duplicate';
}
