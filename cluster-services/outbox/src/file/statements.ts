import type { DataStream, Stream } from '@vitalwire/contract/wire';
import type Database from 'better-sqlite3';

export type RecordingRow = {
  device_id: string;
  stream: DataStream;
  next_seq: number;
  readings: number;
  started_at_ms: number;
  last_us: number | null;
  ended_at_ms: number | null;
};
export type MessageRow = {
  id: number;
  recording_id: Buffer;
  seq: number;
  device_id: string;
  stream: Stream;
  created_at_ms: number;
  crc32: number;
  message: Buffer;
};
export type EvictedRow = {
  id: number;
  recording_id: Buffer;
  seq: number;
  device_id: string;
  stream: Stream;
  bytes: number;
  measured_at_us: number;
  end_us: number;
};

/** A prepared statement. An interface, because the declaration file cannot name the add-on's own type. */
export interface Prepared extends Database.Statement<unknown[]> {}
export type Statements = ReturnType<typeof prepareStatements>;

/** Every statement the outbox runs, prepared once per connection. */
export function prepareStatements(db: Database.Database) {
  const prepare = (statement: string): Prepared => db.prepare(statement);
  return {
    ...transactionStatements(prepare),
    ...recordingStatements(prepare),
    ...captureStatements(prepare),
    ...queueStatements(prepare),
  };
}

type Prepare = (statement: string) => Prepared;

/** Transactions, and what is known of the file as a whole. */
function transactionStatements(prepare: Prepare) {
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    savepoint: prepare('SAVEPOINT append'),
    rollbackTo: prepare('ROLLBACK TO append'),
    release: prepare('RELEASE append'),
    meta: prepare('SELECT value FROM meta WHERE name = ?'),
    setMeta: prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'),
  };
}

/** Recordings and the numbers of their messages. */
function recordingStatements(prepare: Prepare) {
  return {
    addRecording: prepare(
      'INSERT INTO recording (recording_id, device_id, stream, capture_id, started_at_ms, start_message) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    recording: prepare(
      'SELECT device_id, stream, next_seq, readings, started_at_ms, last_us, ended_at_ms FROM recording WHERE recording_id = ?',
    ),
    moveRecording: prepare(
      'UPDATE recording SET next_seq = next_seq + 1, readings = readings + ?, last_us = max(coalesce(last_us, ?), ?) WHERE recording_id = ?',
    ),
    endRecording: prepare('UPDATE recording SET ended_at_ms = ?, end_reason = ? WHERE recording_id = ?'),
    openRecordings: prepare('SELECT recording_id FROM recording WHERE ended_at_ms IS NULL ORDER BY rowid'),
    openStarts: prepare('SELECT device_id, started_at_ms, start_message FROM recording WHERE ended_at_ms IS NULL ORDER BY rowid'),
    recordingsOfCapture: prepare(
      'SELECT recording_id, next_seq, start_message FROM recording WHERE device_id = ? AND stream = ? AND capture_id = ? ORDER BY rowid DESC',
    ),
    recordingsOfDevice: prepare('SELECT recording_id, start_message, end_reason FROM recording WHERE device_id = ?'),
    reopenRecording: prepare('UPDATE recording SET ended_at_ms = NULL, end_reason = NULL WHERE recording_id = ?'),
    lastRecording: prepare(
      'SELECT recording_id, last_us, end_reason FROM recording WHERE device_id = ? AND stream = ? ORDER BY rowid DESC LIMIT 1',
    ),
    pruneRecordings: prepare(
      `DELETE FROM recording WHERE rowid IN (
         SELECT old.rowid FROM recording old WHERE old.ended_at_ms < ?
           AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.recording_id = old.recording_id)
           AND EXISTS (SELECT 1 FROM recording later WHERE later.device_id = old.device_id AND later.stream = old.stream AND later.rowid > old.rowid)
         LIMIT 200)`,
    ),
    nextGap: prepare(
      `INSERT INTO gap_counter (subject, next_seq) VALUES (?, ? + 1)
       ON CONFLICT (subject) DO UPDATE SET next_seq = next_seq + 1 RETURNING next_seq - 1 AS next`,
    ),
    pruneGapCounters: prepare('DELETE FROM gap_counter WHERE subject < ? AND subject NOT IN (SELECT recording_id FROM recording)'),
  };
}

/** What devices have sent: captures, and points of exports. */
function captureStatements(prepare: Prepare) {
  return {
    capture: prepare('SELECT next_sample FROM capture WHERE device_id = ? AND stream = ? AND capture_id = ?'),
    setCapture: prepare(
      `INSERT INTO capture (device_id, stream, capture_id, next_sample, used_at_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (device_id, stream, capture_id) DO UPDATE SET next_sample = excluded.next_sample, used_at_ms = excluded.used_at_ms`,
    ),
    holes: prepare(
      'SELECT from_sample AS "from", to_sample AS "to" FROM capture_hole WHERE device_id = ? AND stream = ? AND capture_id = ?',
    ),
    addHole: prepare(
      'INSERT INTO capture_hole (device_id, stream, capture_id, from_sample, to_sample) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    trimHoles: prepare(
      `DELETE FROM capture_hole WHERE device_id = @device AND stream = @stream AND capture_id = @captureId AND from_sample IN (
         SELECT from_sample FROM capture_hole WHERE device_id = @device AND stream = @stream AND capture_id = @captureId
         ORDER BY from_sample DESC LIMIT -1 OFFSET @most)`,
    ),
    pruneHoles: prepare(
      `DELETE FROM capture_hole WHERE NOT EXISTS (SELECT 1 FROM capture
         WHERE capture.device_id = capture_hole.device_id AND capture.stream = capture_hole.stream AND capture.capture_id = capture_hole.capture_id)`,
    ),
    pruneCaptures: prepare(
      `DELETE FROM capture WHERE (device_id, stream, capture_id) IN (
         SELECT device_id, stream, capture_id FROM capture ORDER BY used_at_ms LIMIT max(0, (SELECT count(*) FROM capture) - ?))`,
    ),
    seenDigest: prepare('SELECT digest FROM seen WHERE device_id = ? AND metric = ? AND at_us = ?'),
    setSeen: prepare(
      `INSERT INTO seen (device_id, metric, at_us, digest) VALUES (?, ?, ?, ?)
       ON CONFLICT (device_id, metric, at_us) DO UPDATE SET digest = excluded.digest`,
    ),
    pruneSeen: prepare(
      `DELETE FROM seen WHERE (device_id, metric, at_us) IN (
         SELECT device_id, metric, at_us FROM seen ORDER BY at_us LIMIT max(0, (SELECT count(*) FROM seen) - ?))`,
    ),
  };
}

/** Messages, and how far they are delivered. */
function queueStatements(prepare: Prepare) {
  return {
    chunkFrom: prepare('SELECT seq, crc32, message FROM outbox WHERE recording_id = ? AND seq >= ? ORDER BY seq LIMIT 1'),
    insert: prepare(
      `INSERT INTO outbox (recording_id, seq, device_id, stream, rank, bytes, measured_at_us, end_us, created_at_ms, crc32, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    readFrom: prepare(
      'SELECT id, recording_id, seq, device_id, stream, created_at_ms, crc32, message FROM outbox WHERE id > ? ORDER BY id LIMIT ?',
    ),
    recentFrom: prepare(
      'SELECT min(id) AS id FROM (SELECT id, created_at_ms FROM outbox ORDER BY id DESC LIMIT ?) WHERE created_at_ms >= ?',
    ),
    remove: prepare('DELETE FROM outbox WHERE id = ? RETURNING id, recording_id, seq, device_id, stream, bytes, measured_at_us, end_us'),
    evict: prepare(
      `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_by_rank WHERE rank = ? AND id > ? ORDER BY id LIMIT ?)
       RETURNING id, recording_id, seq, device_id, stream, bytes, measured_at_us, end_us`,
    ),
    dropDelivered: prepare('DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id <= ? ORDER BY id LIMIT ?) RETURNING bytes'),
    lastDelivery: prepare('SELECT upto_id, acked_at_ms FROM delivery ORDER BY upto_id DESC LIMIT 1'),
    addDelivery: prepare('INSERT INTO delivery (upto_id, acked_at_ms) VALUES (?, ?)'),
    moveDelivery: prepare('UPDATE delivery SET upto_id = ? WHERE upto_id = ?'),
    expiredDelivery: prepare('SELECT max(upto_id) AS upto_id FROM delivery WHERE acked_at_ms <= ?'),
    dropDeliveries: prepare('DELETE FROM delivery WHERE upto_id <= ? AND upto_id < (SELECT max(upto_id) FROM delivery)'),
    forgetDeliveries: prepare('DELETE FROM delivery'),
    countBetween: prepare('SELECT count(*) AS chunks, coalesce(sum(bytes), 0) AS bytes FROM outbox WHERE id > ? AND id <= ?'),
    countAfter: prepare(
      'SELECT count(*) AS chunks, coalesce(sum(bytes), 0) AS bytes FROM outbox INDEXED BY outbox_by_rank WHERE id > ? AND rank IN (0, 1, 2, 3)',
    ),
    countUpTo: prepare(
      'SELECT count(*) AS chunks, coalesce(sum(bytes), 0) AS bytes FROM outbox INDEXED BY outbox_by_rank WHERE id <= ? AND rank IN (0, 1, 2, 3)',
    ),
    oldestPending: prepare('SELECT created_at_ms FROM outbox WHERE id > ? ORDER BY id LIMIT 1'),
    lastRow: prepare('SELECT created_at_ms FROM outbox ORDER BY id DESC LIMIT 1'),
    lastId: prepare("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"),
  };
}
