import { derivedId, detectionKind } from '@vitalwire/contract';
import { systemClock } from '@vitalwire/runtime';
import { hasMariaDb } from '@vitalwire/testkit';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ChunkStore } from './chunk-store.ts';
import { openChunkStore, StorageError } from './index.ts';
import { eegRow, endRow, quarantineRow, rowOf, startRow, testRecordingId } from './test-rows.ts';
import { type Bench, DEADLINE_MS, idOf, log, mariaDbBench, nowUs, sqliteBench } from './test-stores.ts';

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
