import { join } from 'node:path';
import { derivedId, detectionKind } from '@vitalwire/contract';
import { createLog, systemClock } from '@vitalwire/runtime';
import { hasMariaDb, type MariaDb, removeTempDir, startMariaDb, tempDir, until } from '@vitalwire/testkit';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { migrateReadings } from '../schema/migrate.ts';
import type { OpenDatabase } from '../schema/open-database.ts';
import { openReadings } from '../schema/open-database.ts';
import type { ReadingsTables } from '../schema/tables.ts';
import type { ChunkStore } from './chunk-store.ts';
import { openChunkStore, StorageError } from './index.ts';
import { eegRow, endRow, quarantineRow, rowOf, startRow, testRecordingId } from './test-rows.ts';
import { writerGrants } from './writer-grants.ts';

const log = createLog({ name: 'test', level: 'silent' });
const nowUs = Date.now() * 1000;
const DEADLINE_MS = 10_000;

type Bench = {
  readonly database: string;
  readonly admin: OpenDatabase<ReadingsTables>;
  readonly server?: MariaDb;
  stop(): Promise<void>;
};

async function sqliteBench(): Promise<Bench> {
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

async function mariaDbBench(): Promise<Bench> {
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

const kinds = [
  { name: 'SQLite', make: sqliteBench, skip: false },
  { name: 'MariaDB with the least-privilege user', make: mariaDbBench, skip: !hasMariaDb() },
];

describe.each(kinds)('a chunk store on $name', ({ make, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  let bench: Bench;
  let stores: ChunkStore[] = [];

  beforeAll(async () => {
    bench = await make();
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    stores = [];
  });
  afterAll(async () => {
    await bench.stop();
  });

  function store(): ChunkStore {
    const one = openChunkStore({ database: bench.database, clock: systemClock, log });
    stores.push(one);
    return one;
  }

  async function storedSeqs(recordingId: string): Promise<number[]> {
    const rows = await bench.admin.db
      .selectFrom('chunk')
      .select('seq')
      .where('recording_id', '=', idOf(recordingId))
      .orderBy('seq')
      .execute();
    return rows.map(({ seq }) => Number(seq));
  }

  test('a committed chunk is in the database, byte for byte, when commit returns', async () => {
    const recordingId = testRecordingId(nowUs);
    const row = eegRow({ recordingId, seq: 0 });
    expect(await store().commit([row], DEADLINE_MS)).toEqual(['committed']);
    const found = await bench.admin.db
      .selectFrom('chunk')
      .selectAll()
      .where('recording_id', '=', idOf(recordingId))
      .executeTakeFirstOrThrow();
    expect(Buffer.from(found.message).equals(Buffer.from(row.message))).toBe(true);
    expect({ ...found, message: undefined, recording_id: undefined, committed_at_us: undefined }).toMatchObject({
      seq: 0,
      stream: 2,
      measured_at_us: row.measuredAtUs,
      span_us: 250_000,
      first_sample: 0,
      samples: 50,
      crc32: row.crc32,
      message_bytes: row.message.byteLength,
    });
    expect(Math.abs(found.committed_at_us - Date.now() * 1000)).toBeLessThan(60_000_000);
  });

  test('a repeat changes nothing and is called a duplicate, in another batch and inside one', async () => {
    const recordingId = testRecordingId(nowUs);
    const one = store();
    const row = eegRow({ recordingId, seq: 0 });
    expect(await one.commit([row, row], DEADLINE_MS)).toEqual(['committed', 'duplicate']);
    expect(await one.commit([row], DEADLINE_MS)).toEqual(['duplicate']);
    expect(await store().commit([row, eegRow({ recordingId, seq: 1 }), row], DEADLINE_MS)).toEqual(['duplicate', 'committed', 'duplicate']);
    expect(await storedSeqs(recordingId)).toEqual([0, 1]);
  });

  test('other bytes under a known identity go to quarantine in the same transaction, once, and the stored ones stay', async () => {
    const recordingId = testRecordingId(nowUs);
    const one = store();
    const first = eegRow({ recordingId, seq: 0 });
    const other = eegRow({ recordingId, seq: 0, samples: Int16Array.from({ length: 50 }, () => 7) });
    expect(await one.commit([first], DEADLINE_MS)).toEqual(['committed']);
    expect(await one.commit([other, eegRow({ recordingId, seq: 1 })], DEADLINE_MS)).toEqual(['conflict', 'committed']);
    expect(await one.commit([other], DEADLINE_MS)).toEqual(['conflict']);
    const kept = await bench.admin.db.selectFrom('quarantine').selectAll().where('recording_id', '=', idOf(recordingId)).execute();
    expect(kept).toHaveLength(1);
    expect(kept[0]).toMatchObject({ seq: 0, reason: 'conflict', sender: 'gateway-1', message_bytes: other.message.byteLength });
    expect(Buffer.from(kept[0]?.message ?? []).equals(Buffer.from(other.message))).toBe(true);
    const stored = await bench.admin.db
      .selectFrom('chunk')
      .select('crc32')
      .where('recording_id', '=', idOf(recordingId))
      .where('seq', '=', 0)
      .executeTakeFirstOrThrow();
    expect(stored.crc32).toBe(first.crc32);
  });

  test('a conflict inside one batch is judged against the first of the batch', async () => {
    const recordingId = testRecordingId(nowUs);
    const first = eegRow({ recordingId, seq: 0 });
    const other = eegRow({ recordingId, seq: 0, samples: new Int16Array(50) });
    expect(await store().commit([first, other, first], DEADLINE_MS)).toEqual(['committed', 'conflict', 'duplicate']);
  });

  test('of two detections of one window the first stays; a different repeat is only counted', async () => {
    const subject = testRecordingId(nowUs);
    const one = store();
    const detection = (probability: number) => detectionRow(subject, 3, probability);
    expect(await one.commit([detection(0.5)], DEADLINE_MS)).toEqual(['committed']);
    expect(await one.commit([detection(0.75), detection(0.5)], DEADLINE_MS)).toEqual(['repeat-differs', 'duplicate']);
    const kept = await bench.admin.db
      .selectFrom('quarantine')
      .select('sha256')
      .where('recording_id', '=', idOf(detection(0.5).recordingId))
      .execute();
    expect(kept).toEqual([]);
  });

  test('what could not be understood is kept raw, keyed by its hash', async () => {
    const one = store();
    const row = quarantineRow(Buffer.from(`noise ${Math.random()}`), { seq: 2 ** 53 });
    expect(await one.commit([row, row], DEADLINE_MS)).toEqual(['committed', 'duplicate']);
    expect(await one.commit([quarantineRow(Buffer.from(`more ${Math.random()}`)), row], DEADLINE_MS)).toEqual(['committed', 'duplicate']);
    const kept = await bench.admin.db
      .selectFrom('quarantine')
      .selectAll()
      .where('sha256', '=', Buffer.from(row.sha256))
      .executeTakeFirstOrThrow();
    expect(Buffer.from(kept.message).equals(Buffer.from(row.message))).toBe(true);
    expect(kept).toMatchObject({ reason: 'damaged', recording_id: null, seq: null });
  });

  test('one index row per identity, and the columns of start and end records', async () => {
    const recordingId = testRecordingId(nowUs);
    const one = store();
    const rows = [
      startRow({ recordingId, channels: 2 }),
      eegRow({ recordingId, seq: 0, channels: 2 }),
      eegRow({ recordingId, seq: 1, channels: 2 }),
      endRow({ recordingId, lastSeq: 1 }),
    ];
    expect(await one.commit(rows, DEADLINE_MS)).toEqual(['committed', 'committed', 'committed', 'committed']);
    expect(await store().commit(rows, DEADLINE_MS)).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate']);
    const index = await bench.admin.db
      .selectFrom('stream_index')
      .select(['stream', 'device', 'gateway', 'subject'])
      .where((eb) => eb.or([eb('recording_id', '=', idOf(recordingId)), eb('subject', '=', idOf(recordingId))]))
      .orderBy('stream')
      .execute();
    expect(index.map(({ stream, device, gateway }) => [stream, device, gateway])).toEqual([
      ['eeg', 'eeg-1', 'gateway-1'],
      ['recording', 'eeg-1', 'gateway-1'],
    ]);
    const start = await bench.admin.db
      .selectFrom('recording_start')
      .selectAll()
      .where('recording_id', '=', idOf(recordingId))
      .executeTakeFirstOrThrow();
    expect(start).toMatchObject({
      rate_num: 200,
      rate_den: 1,
      capture_id: 'capture-1',
      replay_speed: 1,
      replay_source: 'test',
      predecessor: null,
    });
    expect(JSON.parse(start.channels)).toHaveLength(2);
    const end = await bench.admin.db
      .selectFrom('recording_end')
      .selectAll()
      .where('recording_id', '=', idOf(recordingId))
      .executeTakeFirstOrThrow();
    expect(end).toMatchObject({ last_seq: 1, readings: 100, reason: 'stopped' });
  });

  test('outcomes come in the order of the rows, however they are mixed', async () => {
    const [early, late] = [testRecordingId(nowUs), testRecordingId(nowUs + 1_000_000)];
    const one = store();
    await one.commit([eegRow({ recordingId: late, seq: 5 })], DEADLINE_MS);
    const noise = quarantineRow(Buffer.from(`noise ${Math.random()}`));
    const outcomes = await one.commit(
      [
        eegRow({ recordingId: late, seq: 7 }),
        eegRow({ recordingId: late, seq: 5 }),
        noise,
        eegRow({ recordingId: early, seq: 1 }),
        eegRow({ recordingId: late, seq: 5, samples: new Int16Array(50) }),
      ],
      DEADLINE_MS,
    );
    expect(outcomes).toEqual(['committed', 'duplicate', 'committed', 'committed', 'conflict']);
  });

  test('a batch of any size is one commit: nothing of it stays when one row cannot be stored', async () => {
    const recordingId = testRecordingId(nowUs);
    const one = store();
    const rows = Array.from({ length: 777 }, (_item, seq) => eegRow({ recordingId, seq }));
    await bench.admin.db.schema.alterTable('quarantine').renameTo('quarantine_away').execute();
    await expect(one.commit([...rows, quarantineRow(Buffer.from('x'))], DEADLINE_MS)).rejects.toSatisfy((error) => StorageError.is(error));
    expect(await storedSeqs(recordingId)).toEqual([]);
    await bench.admin.db.schema.alterTable('quarantine_away').renameTo('quarantine').execute();
    const outcomes = await one.commit(rows, DEADLINE_MS);
    expect(outcomes.every((outcome) => outcome === 'committed')).toBe(true);
    expect(await storedSeqs(recordingId)).toHaveLength(777);
  });

  test('two stores that commit the same rows in opposite order agree: each row once, no deadlock gets out', async () => {
    const recordings = Array.from({ length: 4 }, (_item, index) => testRecordingId(nowUs + index));
    const rows = recordings.flatMap((recordingId) => Array.from({ length: 10 }, (_item, seq) => eegRow({ recordingId, seq })));
    const [a, b] = [store(), store()];
    for (let round = 0; round < 15; round += 1) {
      const batch = rows.map((row) => eegRow({ recordingId: row.recordingId, seq: row.seq + 10 * round }));
      const [left, right] = await Promise.all([a.commit(batch, DEADLINE_MS), b.commit(batch.toReversed(), DEADLINE_MS)]);
      const fresh = left.map((outcome, index) => [outcome, right[batch.length - 1 - index]].filter((one) => one === 'committed').length);
      expect(fresh.every((count) => count === 1)).toBe(true);
      expect([...left, ...right].filter((outcome) => outcome !== 'committed' && outcome !== 'duplicate')).toEqual([]);
    }
    for (const recordingId of recordings) expect(await storedSeqs(recordingId)).toHaveLength(150);
  });

  test('generation() names the database, and changes with it', async () => {
    const one = store();
    const { generation } = await bench.admin.db.selectFrom('generation').select('generation').executeTakeFirstOrThrow();
    expect(await one.generation()).toBe(generation);
    await bench.admin.db.updateTable('generation').set({ generation: '00000000-0000-7000-8000-000000000000' }).execute();
    expect(await one.generation()).toBe('00000000-0000-7000-8000-000000000000');
    await bench.admin.db.updateTable('generation').set({ generation }).execute();
  });

  test('a schema that changes under an open store is told as such, never as a fault of the row', async () => {
    const one = store();
    const recordingId = testRecordingId(nowUs);
    await one.commit([eegRow({ recordingId, seq: 0 })], DEADLINE_MS);
    await sql`ALTER TABLE chunk RENAME COLUMN clock_quality TO clock_state`.execute(bench.admin.db);
    if (bench.server !== undefined) await sql`ALTER TABLE chunk ADD COLUMN more INT NULL`.execute(bench.admin.db);
    await expect(one.commit([eegRow({ recordingId, seq: 1 })], DEADLINE_MS)).rejects.toMatchObject({ retry: true });
    await sql`ALTER TABLE chunk RENAME COLUMN clock_state TO clock_quality`.execute(bench.admin.db);
    if (bench.server !== undefined) await sql`ALTER TABLE chunk DROP COLUMN more`.execute(bench.admin.db);
    expect(await one.commit([eegRow({ recordingId, seq: 1 })], DEADLINE_MS)).toEqual(['committed']);
  });

  test('a schema of a newer release is refused in one sentence, a missing one can be waited for', async () => {
    await sql`UPDATE readings_migration SET name = '9999-later'`.execute(bench.admin.db);
    await expect(store().open()).rejects.toMatchObject({ code: 'SCHEMA_NEWER', retry: false });
    await sql`UPDATE readings_migration SET name = '0000-earlier'`.execute(bench.admin.db);
    await expect(store().open()).rejects.toMatchObject({ code: 'SCHEMA_NEWER' });
    await sql`DELETE FROM readings_migration`.execute(bench.admin.db);
    const waiting = store();
    await expect(waiting.open()).rejects.toMatchObject({ code: 'NOT_MIGRATED', retry: true });
    await expect(waiting.commit([eegRow({ recordingId: testRecordingId(nowUs), seq: 0 })], 2_000)).rejects.toMatchObject({
      code: 'NOT_MIGRATED',
    });
    await sql`INSERT INTO readings_migration (name, timestamp) VALUES ('0001-readings', '2026')`.execute(bench.admin.db);
    expect(await waiting.commit([eegRow({ recordingId: testRecordingId(nowUs), seq: 0 })], DEADLINE_MS)).toEqual(['committed']);
  });

  test('after close nothing is taken, and closing again is fine', async () => {
    const one = store();
    const last = one.commit([eegRow({ recordingId: testRecordingId(nowUs), seq: 0 })], DEADLINE_MS);
    await one.close();
    expect(await last).toEqual(['committed']);
    await one.close();
    await expect(one.commit([eegRow({ recordingId: testRecordingId(nowUs), seq: 0 })], DEADLINE_MS)).rejects.toMatchObject({
      code: 'CLOSED',
    });
  });

  test('a row the tables cannot hold exactly is refused before it is sent', async () => {
    const row = eegRow({ recordingId: testRecordingId(nowUs), seq: 0 });
    const one = store();
    const bad = [
      { ...row, seq: -1 },
      { ...row, seq: 2 ** 53 },
      { ...row, measuredAtUs: 0.5 },
      { ...row, spanUs: 2 ** 32 },
      { ...row, crc32: -1 },
      { ...row, codec: 256 },
      { ...row, samples: -5 },
      { ...row, recordingId: 'not-a-uuid' },
      { ...row, device: 'd'.repeat(65) },
      { ...row, message: new Uint8Array(2 * 1024 * 1024) },
    ];
    for (const one of bad) await expect(store().commit([one], DEADLINE_MS)).rejects.toMatchObject({ code: 'BAD_ROW', retry: false });
    await expect(
      one.commit(
        Array.from({ length: 5_000 }, () => row),
        DEADLINE_MS,
      ),
    ).rejects.toMatchObject({ code: 'BAD_ROW' });
    expect(await one.commit([], DEADLINE_MS)).toEqual([]);
  });
});

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

describe.skipIf(!hasMariaDb())('MariaDB only', () => {
  let bench: Bench;
  let server: MariaDb;

  beforeAll(async () => {
    bench = await mariaDbBench();
    if (bench.server === undefined) throw new Error('no server');
    server = bench.server;
  });
  afterAll(async () => {
    await bench.stop();
  });

  test('kill -9 of the server in mid-commit: the batch fails, nothing acknowledged is missing, and the store recovers by itself', async () => {
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const recordingId = testRecordingId(nowUs);
    const acknowledged = new Set<number>();
    for (let round = 0; round < 3; round += 1) {
      let seq = round * 100_000;
      let failed = 0;
      let running = true;
      const writing = (async () => {
        while (running) {
          const batch = Array.from({ length: 40 }, (_item, index) => eegRow({ recordingId, seq: seq + index }));
          seq += 40;
          try {
            await store.commit(batch, 5_000);
            for (const row of batch) acknowledged.add(row.seq);
          } catch (error) {
            expect(error).toMatchObject({ retry: true });
            failed += 1;
            running = false;
          }
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 60 + 45 * round));
      await server.kill9();
      await writing;
      running = false;
      expect(failed).toBe(1);
      await server.restart();
      const again = eegRow({ recordingId, seq: round * 100_000 });
      await until(async () => (await store.commit([again], 2_000).catch(() => null)) !== null, 10_000);
    }
    const rows = await server.query<{ seq: number }>('SELECT seq FROM chunk WHERE recording_id = ?', [idOf(recordingId)]);
    const stored = new Set(rows.map(({ seq }) => Number(seq)));
    expect(acknowledged.size).toBeGreaterThan(0);
    expect([...acknowledged].filter((one) => !stored.has(one))).toEqual([]);
    await store.close();
  });

  test('a server that stands still: the commit fails at its deadline, the same rows go in once it answers again', async () => {
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const recordingId = testRecordingId(nowUs);
    await store.commit([eegRow({ recordingId, seq: 0 })], DEADLINE_MS);
    server.pause();
    const startedMs = performance.now();
    await expect(store.commit([eegRow({ recordingId, seq: 1 })], 500)).rejects.toMatchObject({ code: 'UNAVAILABLE', retry: true });
    await expect(store.commit([eegRow({ recordingId, seq: 1 })], 500)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    server.resume();
    const outcomes = await store.commit([eegRow({ recordingId, seq: 1 }), eegRow({ recordingId, seq: 2 })], DEADLINE_MS);
    expect(['committed', 'duplicate']).toContain(outcomes[0]);
    expect(outcomes[1]).toBe('committed');
    await store.close();
  });

  test('the least-privilege user cannot read a reading, change it, delete it or touch the schema', async () => {
    const { createConnection } = await import('mysql2/promise');
    const writer = await createConnection({ uri: bench.database });
    const denied = [
      'DELETE FROM chunk',
      'UPDATE chunk SET crc32 = 0',
      'SELECT message FROM chunk LIMIT 1',
      'TRUNCATE TABLE chunk',
      'DROP TABLE chunk',
      'ALTER TABLE chunk ADD COLUMN x INT',
      'CREATE TABLE mine (x INT)',
      'DELETE FROM quarantine',
      'UPDATE generation SET generation = generation',
      'SELECT * FROM registry_state',
    ];
    for (const text of denied)
      await expect(writer.query(text), text).rejects.toMatchObject({
        errno: expect.toSatisfy((errno: number) => [1142, 1143].includes(errno)),
      });
    await writer.end();
  });

  test('a recording of a clock that was never set, or is years ahead, lands in a partition that is never dropped', async () => {
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const [unset, today, future] = [testRecordingId(1_000_000_000), testRecordingId(nowUs), testRecordingId(4_000_000_000_000_000)];
    expect(
      await store.commit(
        [unset, today, future].map((recordingId) => eegRow({ recordingId, seq: 0 })),
        DEADLINE_MS,
      ),
    ).toEqual(['committed', 'committed', 'committed']);
    const inPartition = async (name: string, recordingId: string) =>
      (await server.query(`SELECT seq FROM chunk PARTITION (${name}) WHERE recording_id = ?`, [idOf(recordingId)])).length;
    expect(await inPartition('p_unset_clock', unset)).toBe(1);
    expect(await inPartition('p_future', future)).toBe(1);
    expect(await inPartition(`p_${new Date(nowUs / 1000).toISOString().slice(0, 10).replaceAll('-', '')}`, today)).toBe(1);
    await store.close();
  });

  test('the database restored under a store that stays connected: its index rows are written again', async () => {
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const recordingId = testRecordingId(nowUs);
    await store.commit([eegRow({ recordingId, seq: 0 })], DEADLINE_MS);
    await server.query('DELETE FROM stream_index');
    await server.query("UPDATE generation SET generation = '00000000-0000-7000-8000-000000000001'");
    await store.generation();
    await store.commit([eegRow({ recordingId, seq: 0 })], DEADLINE_MS);
    expect(await server.query('SELECT device FROM stream_index WHERE recording_id = ?', [idOf(recordingId)])).toHaveLength(1);
    await store.close();
  });

  test('prepared statements stay few, whatever the sizes of the batches', async () => {
    const store = openChunkStore({ database: bench.database, clock: systemClock, log });
    const recordingId = testRecordingId(nowUs);
    const before = await preparedStatements(server);
    let seq = 0;
    for (let size = 1; size <= 60; size += 1) {
      await store.commit(
        Array.from({ length: size }, () => eegRow({ recordingId, seq: seq++ })),
        DEADLINE_MS,
      );
    }
    expect((await preparedStatements(server)) - before).toBeLessThan(20);
    await store.close();
  });

  test('an address nobody answers at is unavailable, a wrong password is not a reason to hammer', async () => {
    const nobody = openChunkStore({ database: 'mysql://u:p@127.0.0.1:1/x', clock: systemClock, log });
    await expect(nobody.open()).rejects.toMatchObject({ code: 'UNAVAILABLE', retry: true });
    await nobody.close();
    const url = new URL(bench.database);
    url.password = 'wrong';
    const stranger = openChunkStore({ database: url.href, clock: systemClock, log });
    await expect(stranger.open()).rejects.toMatchObject({ code: 'DENIED', retry: false });
    await expect(stranger.open()).rejects.not.toMatchObject({ message: expect.stringContaining('wrong') });
    await stranger.close();
  });
});

async function preparedStatements(server: MariaDb): Promise<number> {
  const rows = await server.query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'");
  return Number(rows[0]?.Value ?? 0);
}

function detectionRow(subject: string, window: number, probability: number) {
  return rowOf({
    stream: 'detection',
    recordingId: derivedId(subject, detectionKind('model-a')),
    seq: window,
    measuredAtUs: nowUs,
    clock: { offsetUs: 0, uncertaintyUs: 0, source: 'none' },
    subject,
    gateway: 'gateway-1',
    device: 'eeg-1',
    channel: 0,
    modelHash: 'model-a',
    modelVersion: '1',
    firstSample: window * 178,
    samples: 178,
    probability,
    verdict: 'quiet',
    reason: null,
    baseline: null,
    channelProbabilities: [],
    fence: 1,
  });
}

function idOf(recordingId: string): Buffer {
  return Buffer.from(recordingId.replaceAll('-', ''), 'hex');
}
