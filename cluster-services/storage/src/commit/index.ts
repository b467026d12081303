import type { ChunkStore, ChunkStoreOptions } from './chunk-store.ts';
import { parseDatabase } from './database.ts';
import { MysqlStore } from './mysql-store.ts';
import { SqliteStore } from './sqlite-store.ts';

export { StorageError, storageErrors } from '../errors.ts';
export type { ChunkStore, ChunkStoreOptions } from './chunk-store.ts';
export type { ChunkRow, CommitOutcome, CommitRow, QuarantineRow } from './commit-row.ts';
export { rowLimits } from './commit-row.ts';
export { writerGrants } from './writer-grants.ts';

/** Makes the store for `sqlite:DIR` or `mysql://…`; nothing is opened before `open` or the first commit. */
export function openChunkStore({ database, clock, log }: ChunkStoreOptions): ChunkStore {
  const parsed = parseDatabase(database);
  return parsed.kind === 'sqlite'
    ? new SqliteStore({ path: parsed.readingsPath, clock, log })
    : new MysqlStore({ database: parsed, clock, log });
}
