import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { limitsOf } from '../registry/alarm-limits.ts';
import { databaseKinds } from '../service/test-service.ts';
import { migrateRegistry } from './migrate.ts';
import { openRegistry } from './open-database.ts';

const NOW_US = 1_800_000_000_000_000;
const before = { low: 40, high: null, extremeDelta: 15 };

describe.each(databaseKinds)('$name', ({ skip, make }) => {
  test.skipIf(skip)('limits that were set before other vitals had any stay the limits of the heart rate', async () => {
    const database = await make();
    const registry = openRegistry(database.admin);
    const { db, dialect, where } = registry;
    try {
      await migrateRegistry(db, dialect, NOW_US, where);
      await sql`INSERT INTO patient (id, label, notes, updated_at_us) VALUES ('p1', NULL, NULL, 0)`.execute(db);
      await db.schema.dropTable('limit_change').execute();
      await sql.raw(limitsOfRelease3[dialect]).execute(db);
      for (const [change, low] of [30, before.low].entries())
        await sql`INSERT INTO limit_change VALUES ('p1', ${change}, ${low}, NULL, ${before.extremeDelta}, 'dr-1', ${NOW_US + change})`.execute(
          db,
        );
      await sql`DELETE FROM registry_migration WHERE name = '0004-limits-of-every-vital'`.execute(db);

      await migrateRegistry(db, dialect, NOW_US, where);
      const set = { patient: 'p1', stream: 'heart-rate', limits: before, changedAtUs: NOW_US + 1, changedBy: 'dr-1' } as const;
      expect(await limitsOf(db, { patient: 'p1', stream: 'heart-rate' })).toEqual(set);
      expect(await limitsOf(db, { patient: 'p1', stream: 'spo2' })).toMatchObject({ changedBy: null });

      if (dialect === 'mysql') {
        // Its server died between the change and the note of it.
        await sql`DELETE FROM registry_migration WHERE name = '0004-limits-of-every-vital'`.execute(db);
        await migrateRegistry(db, dialect, NOW_US, where);
        expect(await limitsOf(db, { patient: 'p1', stream: 'heart-rate' })).toEqual(set);
      }
    } finally {
      await db.destroy();
      await database.stop();
    }
  });
});

const limitsOfRelease3 = {
  sqlite: `CREATE TABLE limit_change (patient TEXT NOT NULL, change INTEGER NOT NULL, low REAL, high REAL, extreme_delta REAL, by_id TEXT NOT NULL,
    at_us INTEGER NOT NULL, PRIMARY KEY (patient, change)) STRICT, WITHOUT ROWID`,
  mysql: `CREATE TABLE limit_change (patient VARCHAR(64) NOT NULL, \`change\` BIGINT NOT NULL, low DOUBLE NULL, high DOUBLE NULL, extreme_delta DOUBLE NULL,
    by_id VARCHAR(255) NOT NULL, at_us BIGINT NOT NULL, PRIMARY KEY (patient, \`change\`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`,
} as const;
