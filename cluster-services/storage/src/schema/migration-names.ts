/**
 * Every migration of the readings database, oldest first; append only. The front door compares this list with the
 * database before it writes: a name it does not know means a newer release, a missing one means storage has yet to migrate.
 */
export const readingsMigrationNames = ['0001-readings'] as const;

export const registryMigrationNames = [
  '0001-registry',
  '0002-alarm-limits-and-leases',
  '0003-device-owners',
  '0004-limits-of-every-vital',
] as const;

export const readingsMigrationTable = 'readings_migration';
export const registryMigrationTable = 'registry_migration';

export type SchemaVerdict = 'current' | 'older' | 'newer';

/** Compares what a database has had done to it with what this release knows. */
export function compareSchema(executed: readonly string[], known: readonly string[]): SchemaVerdict {
  if (executed.some((name) => !known.includes(name))) return 'newer';
  return known.every((name) => executed.includes(name)) ? 'current' : 'older';
}
