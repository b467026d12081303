import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { dayPartitions, partitionList } from './partitions.ts';

export type Dialect = 'sqlite' | 'mysql';

/** What a migration needs to know besides the database. */
export type MigrationEnv = { readonly dialect: Dialect; readonly nowUs: number; readonly newGeneration: string };

// MySQL commits each DDL statement by itself, so every statement must be repeatable: a migration cut short runs again.
export function readingsMigrations(env: MigrationEnv): Record<string, Migration> {
  const statements = env.dialect === 'sqlite' ? sqliteReadings0001 : mysqlReadings0001(env.nowUs);
  return {
    '0001-readings': {
      up: async (db: Kysely<unknown>) => {
        for (const statement of statements) await sql.raw(statement).execute(db);
        // Read first: an INSERT that is ignored on a repeat would need a clause the two dialects spell differently.
        const { rows } = await sql<{ id: number }>`SELECT id FROM generation WHERE id = 1`.execute(db);
        if (rows.length > 0) return;
        await sql`INSERT INTO generation (id, generation, created_at_us, reason, pulse) VALUES (1, ${env.newGeneration}, ${env.nowUs}, 'created', 0)`.execute(
          db,
        );
      },
    },
  };
}

// One message per row, keyed by its identity. `message` comes last: SQLite then finds the small columns without reading its overflow pages.
const sqliteReadings0001 = [
  `CREATE TABLE chunk (
    recording_id BLOB NOT NULL CHECK (length(recording_id) = 16), seq INTEGER NOT NULL CHECK (seq >= 0), stream INTEGER NOT NULL,
    measured_at_us INTEGER NOT NULL, committed_at_us INTEGER NOT NULL, span_us INTEGER NOT NULL, codec INTEGER NOT NULL, clock_quality INTEGER NOT NULL,
    first_sample INTEGER, samples INTEGER, crc32 INTEGER NOT NULL, message_bytes INTEGER NOT NULL, message BLOB NOT NULL,
    UNIQUE (recording_id, seq)) STRICT`,
  `CREATE TABLE stream_index (
    recording_id BLOB PRIMARY KEY CHECK (length(recording_id) = 16), seq INTEGER NOT NULL, subject BLOB, gateway TEXT NOT NULL, device TEXT NOT NULL,
    stream TEXT NOT NULL, first_measured_at_us INTEGER NOT NULL, first_committed_at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  'CREATE INDEX stream_index_device ON stream_index (device, stream, first_measured_at_us)',
  'CREATE INDEX stream_index_gateway ON stream_index (gateway, stream, first_measured_at_us)',
  'CREATE INDEX stream_index_stream ON stream_index (stream, first_measured_at_us)',
  'CREATE INDEX stream_index_subject ON stream_index (subject, stream)',
  `CREATE TABLE recording_start (
    recording_id BLOB PRIMARY KEY CHECK (length(recording_id) = 16), seq INTEGER NOT NULL, gateway TEXT NOT NULL, device TEXT NOT NULL, stream TEXT NOT NULL,
    measured_at_us INTEGER NOT NULL, committed_at_us INTEGER NOT NULL, rate_num INTEGER, rate_den INTEGER, channels TEXT NOT NULL, montage_hash TEXT NOT NULL,
    predecessor BLOB, capture_id TEXT NOT NULL, capture_first_sample INTEGER NOT NULL, replay_speed REAL, replay_source TEXT, source TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE recording_end (
    recording_id BLOB PRIMARY KEY CHECK (length(recording_id) = 16), seq INTEGER NOT NULL, measured_at_us INTEGER NOT NULL, committed_at_us INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, readings INTEGER NOT NULL, reason TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE quarantine (
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32), seq INTEGER, recording_id BLOB, sender TEXT NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL,
    first_seen_us INTEGER NOT NULL, message_bytes INTEGER NOT NULL, message BLOB NOT NULL) STRICT`,
  'CREATE INDEX quarantine_identity ON quarantine (recording_id, seq)',
  'CREATE INDEX quarantine_seen ON quarantine (first_seen_us)',
  `CREATE TABLE generation (
    id INTEGER PRIMARY KEY CHECK (id = 1), generation TEXT NOT NULL, created_at_us INTEGER NOT NULL, reason TEXT NOT NULL, pulse INTEGER NOT NULL) STRICT`,
];

const mysqlReadings0001 = (nowUs: number): string[] => [
  `CREATE TABLE IF NOT EXISTS chunk (
    recording_id BINARY(16) NOT NULL, seq BIGINT UNSIGNED NOT NULL, stream TINYINT UNSIGNED NOT NULL,
    measured_at_us BIGINT NOT NULL, committed_at_us BIGINT NOT NULL, span_us INT UNSIGNED NOT NULL, codec TINYINT UNSIGNED NOT NULL,
    clock_quality TINYINT UNSIGNED NOT NULL, first_sample BIGINT UNSIGNED NULL, samples BIGINT UNSIGNED NULL, crc32 INT UNSIGNED NOT NULL,
    message_bytes INT UNSIGNED NOT NULL, message MEDIUMBLOB NOT NULL, PRIMARY KEY (recording_id, seq))
    ${innodb} PARTITION BY RANGE COLUMNS (recording_id) (${partitionList(dayPartitions(nowUs))})`,
  `CREATE TABLE IF NOT EXISTS stream_index (
    recording_id BINARY(16) NOT NULL PRIMARY KEY, seq BIGINT UNSIGNED NOT NULL, subject BINARY(16) NULL, gateway VARCHAR(64) NOT NULL, device VARCHAR(64) NOT NULL,
    stream VARCHAR(16) NOT NULL, first_measured_at_us BIGINT NOT NULL, first_committed_at_us BIGINT NOT NULL,
    KEY stream_index_device (device, stream, first_measured_at_us), KEY stream_index_gateway (gateway, stream, first_measured_at_us),
    KEY stream_index_stream (stream, first_measured_at_us), KEY stream_index_subject (subject, stream)) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS recording_start (
    recording_id BINARY(16) NOT NULL PRIMARY KEY, seq BIGINT UNSIGNED NOT NULL, gateway VARCHAR(64) NOT NULL, device VARCHAR(64) NOT NULL, stream VARCHAR(16) NOT NULL,
    measured_at_us BIGINT NOT NULL, committed_at_us BIGINT NOT NULL, rate_num BIGINT NULL, rate_den BIGINT NULL, channels MEDIUMTEXT NOT NULL, montage_hash VARCHAR(32) NOT NULL,
    predecessor BINARY(16) NULL, capture_id VARCHAR(255) NOT NULL, capture_first_sample BIGINT NOT NULL, replay_speed DOUBLE NULL, replay_source VARCHAR(255) NULL,
    source VARCHAR(255) NOT NULL) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS recording_end (
    recording_id BINARY(16) NOT NULL PRIMARY KEY, seq BIGINT UNSIGNED NOT NULL, measured_at_us BIGINT NOT NULL, committed_at_us BIGINT NOT NULL,
    last_seq BIGINT NOT NULL, readings BIGINT NOT NULL, reason VARCHAR(64) NOT NULL) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS quarantine (
    sha256 BINARY(32) NOT NULL PRIMARY KEY, seq BIGINT UNSIGNED NULL, recording_id BINARY(16) NULL, sender VARCHAR(64) NOT NULL, topic VARCHAR(255) NOT NULL,
    reason VARCHAR(64) NOT NULL, first_seen_us BIGINT NOT NULL, message_bytes INT UNSIGNED NOT NULL, message MEDIUMBLOB NOT NULL,
    KEY quarantine_identity (recording_id, seq), KEY quarantine_seen (first_seen_us)) ${innodb}`,
  `CREATE TABLE IF NOT EXISTS generation (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY, generation CHAR(36) NOT NULL, created_at_us BIGINT NOT NULL, reason VARCHAR(64) NOT NULL, pulse BIGINT NOT NULL) ${innodb}`,
];

// A binary collation: ids compare byte for byte, as in SQLite.
const innodb = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin';
