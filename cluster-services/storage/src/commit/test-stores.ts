import { createLog } from '@vitalwire/runtime';
import { type MariaDb, removeTempDir, startMariaDb, tempDir } from '@vitalwire/testkit';
import { migrateReadings } from '../schema/migrate.ts';
import type { OpenDatabase } from '../schema/open-database.ts';
import { openReadings } from '../schema/open-database.ts';
import type { ReadingsTables } from '../schema/tables.ts';
import { writerGrants } from './writer-grants.ts';

export const log = createLog({ name: 'test', level: 'silent' });
export const nowUs = Date.now() * 1000;
export const DEADLINE_MS = 10_000;

export type Bench = {
  readonly database: string;
  readonly admin: OpenDatabase<ReadingsTables>;
  readonly server?: MariaDb;
  stop(): Promise<void>;
};

export async function sqliteBench(): Promise<Bench> {
  const dir = tempDir();
  const admin = openReadings(`sqlite:${dir}`);
  await migrateReadings(admin.db, admin.dialect, nowUs, admin.where);
  return {
    database: `sqlite:${dir}`,
    admin,
    stop: async () => {
      await admin.db.destroy();
      removeTempDir(dir);
    },
  };
}

export async function mariaDbBench(): Promise<Bench> {
  const server = await startMariaDb();
  const admin = openReadings(server.adminUrl);
  await migrateReadings(admin.db, admin.dialect, nowUs, admin.where);
  const database = await server.createUser('writer', writerGrants('writer@%', server.database));
  return {
    database,
    admin,
    server,
    stop: async () => {
      await admin.db.destroy();
      await server.stop();
    },
  };
}

export function idOf(recordingId: string): Buffer {
  return Buffer.from(recordingId.replaceAll('-', ''), 'hex');
}
