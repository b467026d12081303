import { randomBytes } from 'node:crypto';
import { newRecordingId } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { assertSchema } from '../commit/schema-check.ts';
import { StorageError } from '../errors.ts';
import { readingsMigrationNames, readingsMigrationTable, registryMigrationNames, registryMigrationTable } from './migration-names.ts';
import { type Dialect, type MigrationEnv, readingsMigrations } from './readings-migrations.ts';
import { registryMigrations } from './registry-migrations.ts';
import type { ReadingsTables, RegistryTables } from './tables.ts';

/** Brings a readings database to this release's schema; refuses one of a newer release and changes nothing in it. */
export async function migrateReadings(db: Kysely<ReadingsTables>, dialect: Dialect, nowUs: number, where: string): Promise<void> {
  const env: MigrationEnv = { dialect, nowUs, newGeneration: newGeneration(nowUs) };
  await migrate(db, readingsMigrationTable, readingsMigrationNames, readingsMigrations(env), where);
}

export async function migrateRegistry(db: Kysely<RegistryTables>, dialect: Dialect, nowUs: number, where: string): Promise<void> {
  const env: MigrationEnv = { dialect, nowUs, newGeneration: '' };
  await migrate(db, registryMigrationTable, registryMigrationNames, registryMigrations(env), where);
}

/** A new identity for a database: made when it is created, restored or replaced. */
export function newGeneration(nowUs: number): string {
  return newRecordingId('storage', Math.floor(nowUs / 1000), randomBytes(6));
}

async function migrate(
  db: Kysely<ReadingsTables> | Kysely<RegistryTables>,
  table: string,
  names: readonly string[],
  migrations: ReturnType<typeof readingsMigrations>,
  where: string,
): Promise<void> {
  const anyDb = db as Kysely<unknown>;
  const executed = await executedMigrations(anyDb, table);
  if (executed.some((name) => !names.includes(name))) assertSchema(where, executed, names);
  if (names.every((name) => executed.includes(name))) return;
  const migrator = new Migrator({
    db: anyDb,
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableName: table,
    migrationLockTableName: `${table}_lock`,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  assertSchema(where, await executedMigrations(anyDb, table), names);
}

async function executedMigrations(db: Kysely<unknown>, table: string): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === table)) return [];
  const { rows } = await sql<{ name: string }>`SELECT name FROM ${sql.table(table)} ORDER BY name`.execute(db);
  return rows.map(({ name }) => name);
}

/** The number of the newest migration, for people: '0001-readings' is schema 1. */
export function schemaVersion(names: readonly string[] = readingsMigrationNames): number {
  const newest = Number.parseInt(names.at(-1) ?? '', 10);
  if (Number.isNaN(newest)) throw new StorageError('NOT_MIGRATED', 'a migration name does not begin with its number');
  return newest;
}
