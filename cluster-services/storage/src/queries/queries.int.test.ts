import { createLog, systemClock } from '@vitalwire/runtime';
import { hasMariaDb, removeTempDir, startMariaDb, tempDir } from '@vitalwire/testkit';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChunkStore } from '../commit/chunk-store.ts';
import { openChunkStore } from '../commit/index.ts';
import { eegRow, startRow, testRecordingId } from '../commit/test-rows.ts';
import { migrateReadings, migrateRegistry } from '../schema/migrate.ts';
import { type OpenDatabase, openReadings, openRegistry } from '../schema/open-database.ts';
import type { ReadingsTables } from '../schema/tables.ts';
import { addPartitions, beat } from '../service/upkeep.ts';
import { findRecording } from './recordings.ts';
import { readSamples, seqsBetween } from './samples.ts';
import { countOf, toRanges } from './seq-ranges.ts';
import { StoredSeqsReader } from './stored-seqs.ts';

const log = createLog({ name: 'test', level: 'silent' });
const nowUs = Math.floor(Date.now() / 1000) * 1_000_000;

describe('on SQLite', () => {
  let dir: string;
  let open: OpenDatabase<ReadingsTables>;
  let store: ChunkStore;
  beforeAll(async () => {
    dir = tempDir();
    open = openReadings(`sqlite:${dir}`);
    await migrateReadings(open.db, open.dialect, nowUs, open.where);
    store = openChunkStore({ database: `sqlite:${dir}`, clock: systemClock, log });
  });
  afterAll(async () => {
    await store.close();
    await open.db.destroy();
    removeTempDir(dir);
  });

  test('the stored seqs are those committed, whatever the order and however often they are asked for in between', async () => {
    const batches = fc.array(fc.uniqueArray(fc.nat(300), { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(batches, async (lists) => {
        const recordingId = testRecordingId(nowUs);
        const kept = new StoredSeqsReader(open.db);
        const committed = new Set<number>();
        for (const list of lists) {
          await store.commit(
            list.map((seq) => eegRow({ recordingId, seq })),
            10_000,
          );
          for (const seq of list) committed.add(seq);
          const expected = toRanges([...committed].sort((a, b) => a - b));
          for (const reader of [kept, new StoredSeqsReader(open.db)]) {
            expect(await reader.read(recordingId)).toMatchObject({
              ranges: expected,
              chunks: committed.size,
              samples: committed.size * 50,
            });
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  test('with more holes than are looked into one by one the count stays right', async () => {
    const recordingId = testRecordingId(nowUs);
    const reader = new StoredSeqsReader(open.db);
    const commit = (seqs: number[]) =>
      store.commit(
        seqs.map((seq) => eegRow({ recordingId, seq })),
        10_000,
      );
    await commit(Array.from({ length: 200 }, (_item, index) => index * 2));
    expect(await reader.read(recordingId)).toMatchObject({ chunks: 200, samples: 10_000 });
    await commit([1, 3, 301, 500]);
    const stored = await reader.read(recordingId);
    expect(stored).toMatchObject({ chunks: 204, samples: 10_200 });
    expect(countOf(stored.ranges)).toBe(204);
  });

  test('a time range finds exactly the chunks that reach into it, across holes', async () => {
    const recordingId = testRecordingId(nowUs);
    const seqs = [...Array(60).keys()].filter((seq) => seq % 7 !== 3 && (seq < 20 || seq > 40));
    await store.commit(
      [startRow({ recordingId, startUs: nowUs }), ...seqs.map((seq) => eegRow({ recordingId, seq, startUs: nowUs }))],
      10_000,
    );
    const recording = await findRecording(open.db, recordingId);
    if (recording === null) throw new Error('not found');
    const stored = await new StoredSeqsReader(open.db).read(recordingId);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -5, max: 260 }), fc.integer({ min: 1, max: 120 }), async (fromTenths, tenths) => {
        const [fromUs, toUs] = [nowUs + fromTenths * 62_500, nowUs + (fromTenths + tenths) * 62_500];
        const found = await seqsBetween(open.db, recording, stored, fromUs, toUs);
        const expected = seqs.filter((seq) => nowUs + (seq + 1) * 250_000 > fromUs && nowUs + seq * 250_000 < toUs);
        expect(found.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_item, index) => from + index))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  test('a heavy query lets others go first, and ends when nobody waits for it', async () => {
    const recordingId = testRecordingId(nowUs);
    const samples = Int16Array.from({ length: 32 * 256 }, (_item, index) => (index * 7919) % 1000);
    for (let from = 0; from < 400; from += 50) {
      await store.commit(
        Array.from({ length: 50 }, (_item, index) => eegRow({ recordingId, seq: from + index, samples, channels: 32, startUs: nowUs })),
        10_000,
      );
    }
    const recording = await findRecording(open.db, recordingId);
    if (recording === null) throw new Error('not found');
    const stored = await new StoredSeqsReader(open.db).read(recordingId);
    let turns = 0;
    let isRunning = true;
    const count = (): void => {
      turns += 1;
      if (isRunning) setImmediate(count);
    };
    count();
    const startedMs = performance.now();
    await readSamples(open.db, recording, stored, { points: 1000 });
    const ms = performance.now() - startedMs;
    isRunning = false;
    expect(turns).toBeGreaterThan(ms / 60); // a turn at least every 60 ms, on a busy machine
    expect(turns).toBeGreaterThan(3);
    const abort = new AbortController();
    const abandoned = readSamples(open.db, recording, stored, { points: 1000 }, abort.signal);
    setImmediate(() => abort.abort());
    await expect(abandoned).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('while queries run the write-ahead log does not grow without end', async () => {
    const { statSync } = await import('node:fs');
    const recordingId = testRecordingId(nowUs);
    const reader = new StoredSeqsReader(open.db);
    const samples = Int16Array.from({ length: 8 * 256 }, (_item, index) => (index * 7919) % 30_000);
    for (let round = 0; round < 60; round += 1) {
      await store.commit(
        Array.from({ length: 50 }, (_item, index) =>
          eegRow({ recordingId, seq: round * 50 + index, samples, channels: 8, startUs: nowUs }),
        ),
        10_000,
      );
      await reader.read(recordingId);
    }
    const database = statSync(`${dir}/readings.sqlite`).size;
    const wal = statSync(`${dir}/readings.sqlite-wal`).size;
    expect(database).toBeGreaterThan(8_000_000);
    expect(wal).toBeLessThan(8_000_000); // 1000 pages and what one batch adds
  });
});

const databases = [
  { name: 'SQLite', skip: false, start: async () => ({ url: `sqlite:${tempDir()}`, stop: async () => {} }) },
  {
    name: 'MariaDB',
    skip: !hasMariaDb(),
    start: async () => {
      const server = await startMariaDb();
      return { url: server.adminUrl, stop: () => server.stop() };
    },
  },
];

describe.each(databases)('upkeep on $name', ({ start, skip }) => {
  if (skip) {
    test.skip('needs a database server that is not installed', () => {});
    return;
  }
  let server: Awaited<ReturnType<typeof start>>;
  let open: OpenDatabase<ReadingsTables>;
  beforeAll(async () => {
    server = await start();
    open = openReadings(server.url);
    await migrateReadings(open.db, open.dialect, nowUs, open.where);
  });
  afterAll(async () => {
    await open.db.destroy();
    await server.stop();
  });

  test('migrating twice changes nothing; what a crash left half done is finished', async () => {
    const before = await open.db.selectFrom('generation').selectAll().executeTakeFirstOrThrow();
    await migrateReadings(open.db, open.dialect, nowUs, open.where);
    expect(await open.db.selectFrom('generation').selectAll().executeTakeFirstOrThrow()).toEqual(before);
    if (open.dialect === 'mysql') {
      // DDL cannot be rolled back there: the migration died after its tables and before it was noted.
      await sql`DELETE FROM readings_migration`.execute(open.db);
      await migrateReadings(open.db, open.dialect, nowUs, open.where);
      expect(await open.db.selectFrom('generation').selectAll().executeTakeFirstOrThrow()).toEqual(before);
    }
  });

  test('readings that fall behind the pulse of the registry were restored: a new generation; a replaced database keeps its own', async () => {
    const registry = openRegistry(server.url);
    await migrateRegistry(registry.db, registry.dialect, nowUs, registry.where);
    const before = await open.db.selectFrom('generation').selectAll().executeTakeFirstOrThrow();
    for (let round = 0; round < 3; round += 1) expect(await beat(open.db, registry.db, nowUs)).toBeNull();
    await open.db.updateTable('generation').set({ pulse: 1 }).execute(); // as in a backup
    const renewed = await beat(open.db, registry.db, nowUs + 5);
    expect(renewed).not.toBeNull();
    expect(renewed).not.toBe(before.generation);
    expect(await open.db.selectFrom('generation').selectAll().executeTakeFirstOrThrow()).toMatchObject({
      generation: renewed,
      reason: 'restored',
      created_at_us: nowUs + 5,
    });
    expect(await beat(open.db, registry.db, nowUs)).toBeNull();
    await open.db.updateTable('generation').set({ generation: before.generation, pulse: 0 }).execute(); // another, newer database
    expect(await beat(open.db, registry.db, nowUs)).toBeNull();
    await registry.db.destroy();
  });

  test('the partitions of the coming week are made, and rows that were ahead of them move along', async () => {
    if (open.dialect !== 'mysql') {
      expect(await addPartitions(open.db, open, nowUs, log)).toEqual([]);
      return;
    }
    const store = openChunkStore({ database: server.url, clock: systemClock, log });
    const inTenDaysUs = nowUs + 10 * 86_400_000_000;
    const recordingId = testRecordingId(inTenDaysUs);
    await store.commit([eegRow({ recordingId, seq: 0 })], 10_000);
    expect(await addPartitions(open.db, open, nowUs, log)).toEqual([]);
    const made = await addPartitions(open.db, open, nowUs + 4 * 86_400_000_000, log);
    expect(made).toHaveLength(4);
    const day = `p_${new Date(inTenDaysUs / 1000).toISOString().slice(0, 10).replaceAll('-', '')}`;
    expect(made).toContain(day);
    const { rows } = await sql<{ seq: number }>`SELECT seq FROM chunk PARTITION (${sql.raw(day)})`.execute(open.db);
    expect(rows).toHaveLength(1);
    expect(await store.commit([eegRow({ recordingId, seq: 0 }), eegRow({ recordingId, seq: 1 })], 10_000)).toEqual([
      'duplicate',
      'committed',
    ]);
    await store.close();
  });
});
