import { systemClock } from '@vitalwire/runtime';
import { hasMariaDb, type MariaDb, until } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openChunkStore } from './index.ts';
import { eegRow, testRecordingId } from './test-rows.ts';
import { type Bench, DEADLINE_MS, idOf, log, mariaDbBench, nowUs } from './test-stores.ts';

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
