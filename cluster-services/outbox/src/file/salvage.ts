import { crc32 } from 'node:zlib';
import { bytesToUuid, derivedId, type EndReason, type Stream, uuidToBytes } from '@vitalwire/contract/wire';
import Database from 'better-sqlite3';
import { isOutOfSpace } from './damage.ts';
import { rankOf } from './rank.ts';

/** What could be carried over from a damaged file, and what could not. */
export type Salvage = {
  readonly rows: number;
  readonly lost: readonly LostRange[];
  /** Recordings whose end record was lost: open again. */
  readonly lostEnds: readonly { readonly recordingId: string; readonly reason: EndReason }[];
  /** Whether other records than chunks, starts and ends may be missing: gaps, alarms, births and deaths. */
  readonly lostRecords: boolean;
  /** False when even the small tables could not be read to their end. */
  readonly complete: boolean;
};
export type LostRange = {
  readonly recordingId: string;
  readonly device: string;
  readonly stream: Stream;
  readonly fromSeq: number;
  readonly toSeq: number;
};

export const nothingSaved: Salvage = { rows: 0, lost: [], lostEnds: [], lostRecords: true, complete: false };

type Row = { id: number; recording_id: Buffer; seq: number; crc32: number; message: Buffer } & Record<string, unknown>;
type Begun = { recording_id: Buffer; device_id: string; started_at_ms: number; start_message: Buffer; end_reason: EndReason | null };
type Entry = { readonly id: number; readonly seq: number };
type Known = { recording_id: Buffer; device_id: string; stream: Stream; next_seq: number };

const MAX_LOOKUPS = 5_000_000;
const ROWS_PER_COMMIT = 500;
const smallTables = ['meta', 'recording', 'capture', 'capture_hole', 'gap_counter', 'seen'] as const;
const columns = 'id, recording_id, seq, device_id, stream, rank, bytes, measured_at_us, end_us, created_at_ms, crc32, message';

/**
 * Copies whatever can be read and was not delivered yet from the damaged file, row by row. What was in it and cannot be read is
 * returned as ranges; where even that is unknown the ranges are too wide rather than too narrow, as a stored chunk beats a declared gap.
 * `usedId`: the highest id that is known to have been used. Every new row gets a higher one than any of the damaged file: with one that
 * counts as delivered it would never be sent.
 */
export function salvageInto(damagedPath: string, into: Database.Database, usedId: number, nowMs: number, hasRoom: () => boolean): Salvage {
  let from: Database.Database;
  try {
    from = new Database(damagedPath);
    from.pragma('locking_mode = EXCLUSIVE');
    from.prepare('SELECT count(*) FROM sqlite_master').get();
  } catch {
    setLastId(into, usedId);
    return nothingSaved;
  }
  try {
    return copyReadable(from, into, usedId, nowMs, hasRoom);
  } finally {
    try {
      from.close();
    } catch {
      // it is kept as evidence, whatever state it is in
    }
  }
}

function copyReadable(from: Database.Database, into: Database.Database, usedId: number, nowMs: number, hasRoom: () => boolean): Salvage {
  let complete = true;
  into.exec('BEGIN IMMEDIATE');
  for (const table of smallTables) complete = copyTable(from, into, table) && complete;
  const deliveredId = numberOr(0, () => (from.prepare('SELECT max(upto_id) AS n FROM delivery').get() as { n: number | null }).n);
  const lastId = Math.max(usedId, deliveredId, lastIdOf(from));
  setLastId(into, lastId);
  if (deliveredId > 0) into.prepare('INSERT INTO delivery (upto_id, acked_at_ms) VALUES (?, ?)').run(deliveredId, nowMs);
  const saved = copyRows(from, into, deliveredId, lastId, hasRoom);
  const lost = lostRanges(from, into, deliveredId, saved);
  const records = remakeRecords(from, into, deliveredId, saved);
  const lostRecords = isRecordLost(from, deliveredId, (id) => saved.has(id) || records.remade.has(id));
  into.exec('COMMIT');
  return { rows: saved.size, lost, lostEnds: records.ends, lostRecords, complete };
}

/** The highest id of a damaged file, by whatever of it can still be read. */
function lastIdOf(from: Database.Database): number {
  const ways = [
    "SELECT seq AS n FROM sqlite_sequence WHERE name = 'outbox'",
    'SELECT max(id) AS n FROM outbox NOT INDEXED',
    'SELECT max(id) AS n FROM outbox INDEXED BY outbox_by_rank WHERE rank IN (0, 1, 2, 3)',
  ];
  return Math.max(...ways.map((sql) => numberOr(0, () => (from.prepare(sql).get() as { n: number | null } | undefined)?.n ?? null)));
}

/** Ids of a file go on from here. */
export function setLastId(into: Database.Database, lastId: number): void {
  into.prepare("DELETE FROM sqlite_sequence WHERE name = 'outbox'").run();
  into.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)").run(lastId);
}

function copyTable(from: Database.Database, into: Database.Database, table: string): boolean {
  try {
    let insert: Database.Statement | null = null;
    for (const row of from.prepare(`SELECT * FROM ${table}`).iterate() as IterableIterator<Record<string, unknown>>) {
      const names = Object.keys(row);
      insert ??= into.prepare(`INSERT OR REPLACE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`);
      insert.run(...Object.values(row));
    }
    return true;
  } catch (error) {
    if (isOutOfSpace(error)) throw error;
    return false;
  }
}

function copyRows(
  from: Database.Database,
  into: Database.Database,
  deliveredId: number,
  lastId: number,
  hasRoom: () => boolean,
): Set<number> {
  const saved = new Set<number>();
  const insert = into.prepare(
    `INSERT INTO outbox (${columns}) VALUES (@id, @recording_id, @seq, @device_id, @stream, @rank, @bytes, @measured_at_us, @end_us, @created_at_ms, @crc32, @message)`,
  );
  const one = attempt(() => from.prepare(`SELECT ${columns} FROM outbox WHERE id = ?`));
  if (one === null) return saved;
  const end = Math.min(lastId, deliveredId + MAX_LOOKUPS);
  for (let id = deliveredId + 1; id <= end; id += 1) {
    const row = attempt(() => one.get(id) as Row | undefined);
    if (row == null || crc32(row.message) !== row.crc32) continue;
    if (attempt(() => insert.run(row)) === null) continue;
    saved.add(id);
    if (saved.size % ROWS_PER_COMMIT !== 0) continue;
    into.exec('COMMIT; BEGIN IMMEDIATE'); // or the log would take as much room again
    if (!hasRoom()) break;
  }
  return saved;
}

/** What was not delivered and not saved: from the index over identities if it can be read, else all a recording may ever have had. */
function lostRanges(from: Database.Database, into: Database.Database, deliveredId: number, saved: ReadonlySet<number>): LostRange[] {
  const recordings = into.prepare('SELECT recording_id, device_id, stream, next_seq FROM recording').all() as Known[];
  const entries = attempt(() =>
    from.prepare('SELECT id, seq FROM outbox INDEXED BY sqlite_autoindex_outbox_1 WHERE recording_id = ? ORDER BY seq'),
  );
  const kept = into.prepare('SELECT seq FROM outbox WHERE recording_id = ? ORDER BY seq');
  return recordings.flatMap((recording) => {
    if (rankOf(recording.stream) === 0) return [];
    const listed = attempt(() => (entries === null ? null : (entries.all(recording.recording_id) as Entry[])));
    const lost =
      listed !== null
        ? listed.filter(({ id }) => id > deliveredId && !saved.has(id)).map(({ seq }) => seq)
        : missingFrom(
            (kept.all(recording.recording_id) as { seq: number }[]).map(({ seq }) => seq),
            recording.next_seq,
          );
    return rangesOf(lost).map(([fromSeq, toSeq]) => ({
      recordingId: bytesToUuid(recording.recording_id),
      device: recording.device_id,
      stream: recording.stream,
      fromSeq,
      toSeq,
    }));
  });
}

/** A lost start record is sent again from its copy; a recording whose end was lost is open again, for it to be ended as it was. */
function remakeRecords(from: Database.Database, into: Database.Database, deliveredId: number, saved: ReadonlySet<number>) {
  const entries = attempt(() => from.prepare('SELECT id, seq FROM outbox INDEXED BY sqlite_autoindex_outbox_1 WHERE recording_id = ?'));
  const insert = into.prepare(
    `INSERT OR IGNORE INTO outbox (recording_id, seq, device_id, stream, rank, bytes, measured_at_us, end_us, created_at_ms, crc32, message)
     VALUES (?, 0, ?, 'recording', 0, ?, ?, ?, ?, ?, ?)`,
  );
  const reopen = into.prepare('UPDATE recording SET ended_at_ms = NULL, end_reason = NULL WHERE recording_id = ?');
  const ends: { recordingId: string; reason: EndReason }[] = [];
  const remade = new Set<number>(); // ids in the damaged file
  const begun = into.prepare('SELECT recording_id, device_id, started_at_ms, start_message, end_reason FROM recording').all() as Begun[];
  for (const row of begun) {
    const recordingId = bytesToUuid(row.recording_id);
    const derived = uuidToBytes(derivedId(recordingId, 'recording'));
    const listed = attempt(() => (entries === null ? null : (entries.all(derived) as Entry[])));
    const lost = listed?.filter(({ id }) => id > deliveredId && !saved.has(id)) ?? [];
    const startedAtUs = row.started_at_ms * 1000;
    const { start_message: message, end_reason: reason } = row;
    if (listed === null || lost.some(({ seq }) => seq === 0))
      insert.run(derived, row.device_id, message.byteLength, startedAtUs, startedAtUs, row.started_at_ms, crc32(message), message);
    if (reason !== null && lost.some(({ seq }) => seq === 1)) {
      reopen.run(row.recording_id);
      ends.push({ recordingId, reason });
    }
    for (const { id, seq } of lost) if (seq === 0 || reason !== null) remade.add(id);
  }
  return { ends, remade };
}

/** Whether a message that nothing else can name was lost: so it may be where the index over ranks cannot be read. */
function isRecordLost(from: Database.Database, deliveredId: number, isThere: (id: number) => boolean): boolean {
  const records = attempt(() => from.prepare('SELECT id FROM outbox INDEXED BY outbox_by_rank WHERE rank = 0 AND id > ?').all(deliveredId));
  return records === null || (records as { id: number }[]).some(({ id }) => !isThere(id));
}

function missingFrom(present: readonly number[], count: number): number[] {
  const there = new Set(present);
  return Array.from({ length: count }, (_, seq) => seq).filter((seq) => !there.has(seq));
}

function rangesOf(sorted: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const value of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === value - 1) last[1] = value;
    else ranges.push([value, value]);
  }
  return ranges;
}

function numberOr(fallback: number, read: () => number | null): number {
  return attempt(read) ?? fallback;
}

// A full disk says nothing about the damaged file: what does not fit is not lost.
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isOutOfSpace(error)) throw error;
    return null;
  }
}
