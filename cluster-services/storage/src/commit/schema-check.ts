import { StorageError } from '../errors.ts';
import { compareSchema, readingsMigrationNames } from '../schema/migration-names.ts';

/** Throws unless the database has exactly the migrations this release knows. */
export function assertSchema(where: string, executed: readonly string[], known: readonly string[] = readingsMigrationNames): void {
  const verdict = compareSchema(executed, known);
  if (verdict === 'newer')
    throw new StorageError('SCHEMA_NEWER', `${where}; use that release, or a copy of the database made before it was upgraded`);
  if (verdict === 'older') throw new StorageError('NOT_MIGRATED', `${where}; the storage service migrates it when it starts`);
}
