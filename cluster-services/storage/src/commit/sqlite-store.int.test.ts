import { join } from 'node:path';
import { systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { openChunkStore } from './index.ts';
import { eegRow, testRecordingId } from './test-rows.ts';
import { DEADLINE_MS, log, nowUs, sqliteBench } from './test-stores.ts';

describe('SQLite only', () => {
  test('a database locked by somebody else: the commit fails in time, later ones work again by themselves', async () => {
    const bench = await sqliteBench();
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const recordingId = testRecordingId(nowUs);
    await store.commit([eegRow({ recordingId, seq: 0 })], DEADLINE_MS);
    await sql`BEGIN EXCLUSIVE`.execute(bench.admin.db);
    const startedMs = performance.now();
    await expect(store.commit([eegRow({ recordingId, seq: 1 })], 400)).rejects.toMatchObject({ code: 'UNAVAILABLE', retry: true });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    await expect(store.generation()).rejects.toMatchObject({ code: 'UNAVAILABLE' }); // it could be read: that is no answer
    await sql`COMMIT`.execute(bench.admin.db);
    expect((await store.commit([eegRow({ recordingId, seq: 1 }), eegRow({ recordingId, seq: 2 })], DEADLINE_MS))[1]).toBe('committed');
    await store.close();
    await bench.stop();
  });

  test('a database file that is moved away takes no further commit', async () => {
    const { renameSync } = await import('node:fs');
    const bench = await sqliteBench();
    const dir = bench.database.slice('sqlite:'.length);
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const recordingId = testRecordingId(nowUs);
    await store.commit([eegRow({ recordingId, seq: 0 })], DEADLINE_MS);
    renameSync(join(dir, 'readings.sqlite'), join(dir, 'away.sqlite'));
    await expect(store.commit([eegRow({ recordingId, seq: 1 })], 1_000)).rejects.toMatchObject({ code: 'NOT_MIGRATED' });
    await store.close();
    await bench.stop();
  });

  test('a file that is no database is called damaged', async () => {
    const { writeFileSync } = await import('node:fs');
    const dir = tempDir();
    writeFileSync(join(dir, 'readings.sqlite'), 'this was a database once'.repeat(500));
    const store = openChunkStore({ database: `sqlite:${dir}`, clock: systemClock, log });
    await expect(store.open()).rejects.toMatchObject({ code: 'DAMAGED' });
    await store.close();
    removeTempDir(dir);
  });

  test('the file belongs to its owner alone and keeps FULL when opened again', async () => {
    const { statSync } = await import('node:fs');
    const bench = await sqliteBench();
    const path = join(bench.database.slice('sqlite:'.length), 'readings.sqlite');
    expect(statSync(path).mode & 0o077).toBe(0);
    await bench.admin.db.destroy();
    const { openSqlite } = await import('./sqlite-file.ts');
    const again = openSqlite({ path, create: false, busyTimeoutMs: 100 });
    expect(again.pragma('synchronous', { simple: true })).toBe(2);
    expect(again.pragma('auto_vacuum', { simple: true })).toBe(2);
    again.close();
  });
});
