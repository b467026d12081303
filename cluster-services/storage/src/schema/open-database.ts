import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Sqlite from 'better-sqlite3';
import { Kysely, MysqlDialect, SqliteDialect } from 'kysely';
import { type Database, type MysqlDatabase, parseDatabase } from '../commit/database.ts';
import { mysqlError } from '../commit/mysql-error.ts';
import { openSqlite, sqliteError } from '../commit/sqlite-file.ts';
import { StorageError } from '../errors.ts';
import { ImpatientPool } from './impatient-pool.ts';
import { keepingStatements } from './kept-statements.ts';
import type { Dialect } from './readings-migrations.ts';
import type { ReadingsTables, RegistryTables } from './tables.ts';

/** A database the service reads and migrates; `where` names it in messages, without its password. */
export type OpenDatabase<Tables> = {
  readonly db: Kysely<Tables>;
  readonly dialect: Dialect;
  readonly where: string;
  /** Lets go of queries that wait for a server which does not answer. */
  readonly abandon: () => void;
};

const LOCK_WAIT_MS = 250; // the service runs SQLite on its event loop: a lock held elsewhere becomes a 503, not a standstill
const CONNECT_MS = 5_000;
const QUERY_MS = 10_000;
const SCHEMA_MS = 600_000;
const POOL_SIZE = 8;

/** Opens the readings. On SQLite each statement is a transaction of its own, so that the log of the writer never grows behind a reader. */
export function openReadings(database: string): OpenDatabase<ReadingsTables> {
  const parsed = parseDatabase(database);
  return parsed.kind === 'mysql' ? openMysql(parsed) : openSqliteDatabase(parsed, parsed.readingsPath);
}

/** Opens the registry: its own file beside the readings, or the given database, or tables beside the readings in MySQL. */
export function openRegistry(database: string): OpenDatabase<RegistryTables> {
  const parsed = parseDatabase(database);
  return parsed.kind === 'mysql' ? openMysql(parsed) : openSqliteDatabase(parsed, parsed.registryPath);
}

/** Sorts whatever a query threw into our errors; anything that is none of the database's is handed back as it is. */
export function databaseError(error: unknown, where: string): unknown {
  if (StorageError.is(error)) return error;
  if (error instanceof Sqlite.SqliteError) return sqliteError(error, where);
  if (error instanceof Error && ('errno' in error || 'sqlState' in error || 'fatal' in error)) return mysqlError(error, where).error;
  return error;
}

function openSqliteDatabase<Tables>(database: Extract<Database, { kind: 'sqlite' }>, path: string): OpenDatabase<Tables> {
  try {
    mkdirSync(database.dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw new StorageError('UNAVAILABLE', `the directory ${database.dir} cannot be made (${code})`, { cause });
  }
  const sqlite = openSqlite({ path, create: true, busyTimeoutMs: LOCK_WAIT_MS });
  return {
    db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: keepingStatements(sqlite) }) }),
    dialect: 'sqlite',
    where: path,
    abandon: () => {},
  };
}

function openMysql<Tables>(database: MysqlDatabase): OpenDatabase<Tables> {
  const { host, port, user, password, socketPath, caPath } = database;
  // Only where it is needed: it costs a process on SQLite 9 MB and 0.2 s of its start.
  const { createPool } = createRequire(import.meta.url)('mysql2') as typeof import('mysql2');
  const pool = createPool({
    user,
    password,
    database: database.database,
    ...(socketPath === null ? { host, port } : { socketPath }),
    ...(caPath === null ? {} : { ssl: { ca: readFileSync(caPath) } }),
    connectionLimit: POOL_SIZE,
    maxIdle: 2,
    idleTimeout: 60_000,
    connectTimeout: CONNECT_MS,
    supportBigNumbers: true,
    charset: 'utf8mb4_bin',
    flags: ['-FOUND_ROWS'],
  });
  const where = `mysql://${socketPath ?? `${host}:${port}`}/${database.database}`;
  const impatient = new ImpatientPool({ pool, where, queryMs: QUERY_MS, schemaMs: SCHEMA_MS });
  return {
    db: new Kysely<Tables>({ dialect: new MysqlDialect({ pool: impatient }) }),
    dialect: 'mysql',
    where,
    abandon: () => impatient.abandon(),
  };
}
