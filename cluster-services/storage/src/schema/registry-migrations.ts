import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { MigrationEnv } from './readings-migrations.ts';

export function registryMigrations(env: MigrationEnv): Record<string, Migration> {
  const statements = env.dialect === 'sqlite' ? sqliteRegistry0001 : mysqlRegistry0001;
  return {
    '0001-registry': {
      up: async (db: Kysely<unknown>) => {
        for (const statement of statements) await sql.raw(statement).execute(db);
        const { rows } = await sql<{ id: number }>`SELECT id FROM registry_state WHERE id = 1`.execute(db);
        if (rows.length > 0) return;
        await sql`INSERT INTO registry_state (id, revision, readings_generation, readings_pulse) VALUES (1, 0, '', 0)`.execute(db);
      },
    },
    '0002-alarm-limits-and-leases': {
      up: async (db: Kysely<unknown>) => {
        for (const statement of env.dialect === 'sqlite' ? sqliteRegistry0002 : mysqlRegistry0002) await sql.raw(statement).execute(db);
      },
    },
    '0003-device-owners': {
      up: async (db: Kysely<unknown>) => {
        for (const statement of env.dialect === 'sqlite' ? sqliteRegistry0003 : mysqlRegistry0003) await sql.raw(statement).execute(db);
        // What was registered with its gateway is that gateway's; a repeat of this migration adds nothing.
        await sql`INSERT INTO device_owner (device, move, gateway, from_us, by_id, at_us)
          SELECT id, 0, gateway, NULL, 'registry', updated_at_us FROM device
          WHERE gateway IS NOT NULL AND NOT EXISTS (SELECT 1 FROM device_owner WHERE device_owner.device = device.id)`.execute(db);
      },
    },
    '0004-limits-of-every-vital': {
      up: async (db: Kysely<unknown>) => {
        const isDone = env.dialect === 'mysql' && (await hasStream(db)); // MySQL commits each ALTER at once: a repeat finds it
        if (isDone) return;
        for (const statement of env.dialect === 'sqlite' ? sqliteRegistry0004 : mysqlRegistry0004) await sql.raw(statement).execute(db);
      },
    },
  };
}

const sqliteRegistry0001 = [
  'CREATE TABLE patient (id TEXT PRIMARY KEY, label TEXT, notes TEXT, updated_at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID',
  'CREATE TABLE device (id TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT, gateway TEXT, updated_at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID',
  `CREATE TABLE assignment (device TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER, patient TEXT NOT NULL, updated_at_us INTEGER NOT NULL,
    PRIMARY KEY (device, from_us)) STRICT, WITHOUT ROWID`,
  'CREATE INDEX assignment_patient ON assignment (patient, from_us)',
  `CREATE TABLE registry_state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, readings_generation TEXT NOT NULL,
    readings_pulse INTEGER NOT NULL) STRICT`,
];

// Every change of a limit stays, with who and when; the newest of a patient is what holds.
const sqliteRegistry0002 = [
  `CREATE TABLE limit_change (patient TEXT NOT NULL, change INTEGER NOT NULL, low REAL, high REAL, extreme_delta REAL, by_id TEXT NOT NULL,
    at_us INTEGER NOT NULL, PRIMARY KEY (patient, change)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE lease (kind TEXT NOT NULL, shard INTEGER NOT NULL, worker TEXT NOT NULL, fence INTEGER NOT NULL, until_us INTEGER NOT NULL,
    PRIMARY KEY (kind, shard)) STRICT, WITHOUT ROWID`,
];

// Whose a device is, and every move of it: who said so, and when. The first owner has it from the beginning.
const sqliteRegistry0003 = [
  `CREATE TABLE device_owner (device TEXT NOT NULL, move INTEGER NOT NULL, gateway TEXT NOT NULL, from_us INTEGER, by_id TEXT NOT NULL,
    at_us INTEGER NOT NULL, PRIMARY KEY (device, move)) STRICT, WITHOUT ROWID`,
];

// The limits that were there are the heart rate's: no other vital had any.
const sqliteRegistry0004 = [
  `CREATE TABLE limit_change_of_vital (patient TEXT NOT NULL, stream TEXT NOT NULL, change INTEGER NOT NULL, low REAL, high REAL,
    extreme_delta REAL, by_id TEXT NOT NULL, at_us INTEGER NOT NULL, PRIMARY KEY (patient, stream, change)) STRICT, WITHOUT ROWID`,
  `INSERT INTO limit_change_of_vital (patient, stream, change, low, high, extreme_delta, by_id, at_us)
    SELECT patient, 'heart-rate', change, low, high, extreme_delta, by_id, at_us FROM limit_change`,
  'DROP TABLE limit_change',
  'ALTER TABLE limit_change_of_vital RENAME TO limit_change',
];

const innodb = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin';

const mysqlRegistry0001 = [
  `CREATE TABLE IF NOT EXISTS patient (id VARCHAR(64) NOT NULL PRIMARY KEY, label VARCHAR(64) NULL, notes TEXT NULL, updated_at_us BIGINT NOT NULL) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS device (id VARCHAR(64) NOT NULL PRIMARY KEY, kind VARCHAR(16) NOT NULL, label VARCHAR(64) NULL, gateway VARCHAR(64) NULL,
    updated_at_us BIGINT NOT NULL) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS assignment (device VARCHAR(64) NOT NULL, from_us BIGINT NOT NULL, to_us BIGINT NULL, patient VARCHAR(64) NOT NULL,
    updated_at_us BIGINT NOT NULL, PRIMARY KEY (device, from_us), KEY assignment_patient (patient, from_us)) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS registry_state (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, revision BIGINT NOT NULL, readings_generation CHAR(36) NOT NULL,
    readings_pulse BIGINT NOT NULL) ${innodb}`,
];

const mysqlRegistry0002 = [
  `CREATE TABLE IF NOT EXISTS limit_change (patient VARCHAR(64) NOT NULL, \`change\` BIGINT NOT NULL, low DOUBLE NULL, high DOUBLE NULL, extreme_delta DOUBLE NULL,
    by_id VARCHAR(255) NOT NULL, at_us BIGINT NOT NULL, PRIMARY KEY (patient, \`change\`)) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS lease (kind VARCHAR(32) NOT NULL, shard SMALLINT UNSIGNED NOT NULL, worker VARCHAR(64) NOT NULL, fence BIGINT NOT NULL,
    until_us BIGINT NOT NULL, PRIMARY KEY (kind, shard)) ${innodb}`,
];

const mysqlRegistry0003 = [
  `CREATE TABLE IF NOT EXISTS device_owner (device VARCHAR(64) NOT NULL, move BIGINT NOT NULL, gateway VARCHAR(64) NOT NULL, from_us BIGINT NULL,
    by_id VARCHAR(255) NOT NULL, at_us BIGINT NOT NULL, PRIMARY KEY (device, move)) ${innodb}`,
];

// One statement, so that a server that dies has done all of it or nothing.
const mysqlRegistry0004 = [
  `ALTER TABLE limit_change ADD COLUMN stream VARCHAR(64) NOT NULL DEFAULT 'heart-rate' AFTER patient, DROP PRIMARY KEY,
    ADD PRIMARY KEY (patient, stream, \`change\`)`,
];

async function hasStream(db: Kysely<unknown>): Promise<boolean> {
  const { rows } = await sql`SELECT 1 AS one FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'limit_change' AND column_name = 'stream'`.execute(db);
  return rows.length > 0;
}
