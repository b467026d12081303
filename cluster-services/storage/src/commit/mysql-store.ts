import { readFileSync } from 'node:fs';
import { bytesToUuid } from '@vitalwire/contract';
import { type Clock, type Log, within } from '@vitalwire/runtime';
import type { Connection as RawConnection } from 'mysql2';
import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { StorageError } from '../errors.ts';
import { readingsMigrationTable } from '../schema/migration-names.ts';
import type { ChunkStore } from './chunk-store.ts';
import { chunkValues, endValues, idBytes, indexValues, quarantineValues, startValues, type Value } from './column-values.ts';
import { type ChunkRow, type CommitOutcome, type CommitRow, checkRow, indexEntries, type QuarantineRow, rowLimits } from './commit-row.ts';
import { conflictRow } from './conflict-row.ts';
import type { MysqlDatabase } from './database.ts';
import { KnownIdentities } from './known-identities.ts';
import { mysqlError } from './mysql-error.ts';
import { assertSchema } from './schema-check.ts';

const OPEN_DEADLINE_MS = 10_000;
const LOCK_WAIT_S = 4; // below the front door's deadline: a row locked by a connection that died must not cost the whole of it
const GENERATION_CHECK_MS = 5_000;
const LOCK_RETRY_MS = 20;

// Statements are prepared and cached per text, and a server bounds their number: only these sizes are ever sent.
const LADDER = [200, 128, 64, 32, 16, 8, 4, 2, 1] as const;

type Insert = { readonly table: string; readonly columns: number };

/** Commits to MySQL or MariaDB over one connection; connects again by itself. Several stores may write the same database. */
export class MysqlStore implements ChunkStore {
  readonly #database: MysqlDatabase;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new KnownIdentities();
  #raw: RawConnection | null = null;
  #connecting: RawConnection | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #lastCommittedAtUs = 0;
  #generation: string | null = null;
  #generationCheckedMs = 0;
  #closed = false;

  constructor(options: { database: MysqlDatabase; clock: Clock; log: Log }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  async open(): Promise<void> {
    await this.#exclusive(OPEN_DEADLINE_MS, (deadline) => this.#connected(deadline));
  }

  async commit(rows: readonly CommitRow[], deadlineMs: number): Promise<CommitOutcome[]> {
    if (rows.length === 0) return [];
    if (rows.length > rowLimits.rowsPerCommit)
      throw new StorageError('BAD_ROW', `${rows.length} rows in one commit, at most ${rowLimits.rowsPerCommit}`);
    for (const row of rows) checkRow(row);
    return this.#exclusive(deadlineMs, async (deadline) => {
      for (;;) {
        const connection = await this.#connected(deadline);
        try {
          return await this.#transaction(connection, rows);
        } catch (cause) {
          const error = mysqlError(cause, this.#where());
          if (!error.lockConflict) {
            // After anything but a plain refusal the connection's state is not known: the next batch starts on a new one.
            if (error.error.code === 'REFUSED') await this.#rollback(connection);
            else if (this.#raw !== null) this.#drop(this.#raw);
            throw error.error;
          }
          // A deadlock or a lock held elsewhere: nothing of ours is stored, so the same rows may go again.
          await this.#rollback(connection);
          if (deadline.leftMs() <= LOCK_RETRY_MS) throw error.error;
          await this.#clock.sleep(Math.random() * LOCK_RETRY_MS);
        }
      }
    });
  }

  async generation(): Promise<string> {
    return this.#exclusive(OPEN_DEADLINE_MS, async (deadline) => this.#readGeneration(await this.#connected(deadline)));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn.catch(() => {}); // its caller has heard of it
    const raw = this.#raw;
    this.#raw = null;
    if (raw === null) return;
    // A server that does not answer any more must not hold us up.
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(1_000, () => resolve());
      raw.end(() => {
        timer.cancel();
        resolve();
      });
    });
    raw.destroy();
  }

  /** One at a time, in order, each with its own deadline; when it passes, the connection is destroyed, for its outcome is unknown. */
  #exclusive<T>(deadlineMs: number, work: (deadline: Deadline) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StorageError('CLOSED'));
    const startedMs = this.#clock.monotonicMs();
    const leftMs = (): number => deadlineMs - (this.#clock.monotonicMs() - startedMs);
    const late = (): StorageError => new StorageError('UNAVAILABLE', `no answer from ${this.#where()} within ${deadlineMs} ms`);
    const run = async (): Promise<T> => {
      if (leftMs() <= 0) throw late();
      const onLate = (): StorageError => {
        for (const raw of [this.#raw, this.#connecting]) if (raw !== null) this.#drop(raw);
        return late();
      };
      try {
        return await within(this.#clock, leftMs(), work({ leftMs }), onLate);
      } catch (cause) {
        throw mysqlError(cause, this.#where()).error;
      }
    };
    const result = this.#turn.then(run, run);
    this.#turn = result.catch(() => {}); // told to its caller; the next one's turn comes all the same
    return result;
  }

  async #connected(deadline: Deadline): Promise<Connection> {
    if (this.#raw !== null) return this.#raw.promise();
    const { host, port, user, password, database, socketPath, caPath } = this.#database;
    const { createConnection } = await import('mysql2'); // only where it is needed: it costs a process on SQLite 9 MB and 0.2 s of its start
    this.#known.clear(); // the database may have been restored while we were away
    this.#generation = null;
    const raw = createConnection({
      user,
      password,
      database,
      ...(socketPath === null ? { host, port } : { socketPath }),
      ...(caPath === null ? {} : { ssl: { ca: readFileSync(caPath) } }),
      connectTimeout: Math.max(1, Math.floor(deadline.leftMs())),
      flags: ['-FOUND_ROWS'], // affectedRows then counts fresh rows only
      supportBigNumbers: true,
      charset: 'utf8mb4_bin',
    });
    this.#connecting = raw;
    // Errors of an idle connection arrive here: without a listener they would end the process.
    raw.on('error', (error: Error) => {
      if (this.#raw === raw) this.#log.warn({ err: error }, 'the connection to the database broke');
      this.#drop(raw);
    });
    const connection = raw.promise();
    try {
      await connected(raw);
      await connection.query(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
      );
      await connection.query(`SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_S}`);
      await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'); // each statement sees what other replicas have committed by then
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT name FROM ${readingsMigrationTable}`);
      assertSchema(
        this.#where(),
        rows.map(({ name }) => String(name)),
      );
      await this.#readGeneration(connection);
    } catch (error) {
      this.#drop(raw);
      throw error;
    }
    if (deadline.leftMs() <= 0 || this.#connecting !== raw) {
      this.#drop(raw); // nobody waits for it any more
      throw new StorageError('UNAVAILABLE', `${this.#where()} answered too late`);
    }
    this.#connecting = null;
    this.#raw = raw;
    return connection;
  }

  async #readGeneration(connection: Connection): Promise<string> {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT generation FROM generation WHERE id = 1');
    const generation = rows[0]?.generation;
    if (typeof generation !== 'string') throw new StorageError('NOT_MIGRATED', `${this.#where()} has no generation`);
    // Another database behind the same address: what we believed to have written there is not there.
    if (this.#generation !== generation) this.#known.clear();
    this.#generation = generation;
    this.#generationCheckedMs = this.#clock.monotonicMs();
    return generation;
  }

  async #transaction(connection: Connection, rows: readonly CommitRow[]): Promise<CommitOutcome[]> {
    if (this.#clock.monotonicMs() - this.#generationCheckedMs > GENERATION_CHECK_MS) await this.#readGeneration(connection);
    // Strictly rising, because it also tells our fresh rows from those that were there before.
    const committedAtUs = Math.max(this.#clock.nowUs(), this.#lastCommittedAtUs + 1);
    this.#lastCommittedAtUs = committedAtUs;
    const chunks = rows.filter((row) => row.kind === 'chunk');
    const firsts = firstPerIdentity(chunks);
    const entries = [...firsts.values()].flatMap((row) => indexEntries(row)).filter(({ recordingId }) => !this.#known.has(recordingId));
    const unseen = [...new Map(entries.toReversed().map((entry) => [entry.recordingId, entry])).values()]; // the first of each counts

    await connection.beginTransaction();
    // The same order of tables and of keys in every replica: two batches that share rows then wait for each other instead of deadlocking.
    await insertAll(
      connection,
      indexTable,
      sortById(unseen).map((row) => indexValues(row, committedAtUs)),
    );
    const fresh = await insertAll(
      connection,
      chunkTable,
      sortById([...firsts.values()]).map((row) => chunkValues(row, committedAtUs)),
    );
    const stored = fresh === firsts.size ? null : await readChecksums(connection, [...firsts.values()]);
    const outcomes = judge(rows, firsts, stored, committedAtUs);
    const committed = rows.filter((row, index): row is ChunkRow => row.kind === 'chunk' && outcomes[index] === 'committed');
    await insertRecordings(connection, committed, committedAtUs);
    await insertQuarantine(connection, rows, outcomes, committedAtUs);
    await connection.commit();
    for (const { recordingId } of unseen) this.#known.add(recordingId);
    return outcomes;
  }

  async #rollback(connection: Connection): Promise<void> {
    try {
      await connection.rollback();
    } catch {
      if (this.#raw !== null) this.#drop(this.#raw); // the server rolls back what it does not hear of again
    }
  }

  #drop(raw: RawConnection): void {
    if (this.#raw === raw) this.#raw = null;
    if (this.#connecting === raw) this.#connecting = null;
    raw.destroy();
  }

  #where(): string {
    const { host, port, database, socketPath } = this.#database;
    return `mysql://${socketPath ?? `${host}:${port}`}/${database}`;
  }
}

type Deadline = { leftMs(): number };

// The columns of each table in the order of its migration: the store writes only where exactly the known migrations have run.
const indexTable: Insert = { table: 'stream_index', columns: 8 };
const chunkTable: Insert = { table: 'chunk', columns: 13 };
const startTable: Insert = { table: 'recording_start', columns: 17 };
const endTable: Insert = { table: 'recording_end', columns: 7 };
const quarantineTable: Insert = { table: 'quarantine', columns: 9 };

function connected(raw: RawConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    raw.connect((error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** Inserts rows, already sorted by key, in as few statements as the ladder allows; answers how many were fresh. */
async function insertAll(connection: Connection, { table, columns }: Insert, rows: readonly (readonly Value[])[]): Promise<number> {
  let fresh = 0;
  for (const piece of pieces(rows)) {
    const tuple = `(${Array.from({ length: columns }, () => '?').join(',')})`;
    // Never INSERT IGNORE: it turns "no partition", "out of range" and NOT NULL into warnings, and we would acknowledge a row that is not there.
    // No column list: given one, MariaDB asks for UPDATE on every listed column, and our user has it on `seq` alone.
    const text = `INSERT INTO ${table} VALUES ${piece.map(() => tuple).join(',')} ON DUPLICATE KEY UPDATE seq = seq`;
    const [result] = await connection.execute<ResultSetHeader>(text, piece.flat());
    if (result.warningStatus !== 0)
      throw new StorageError('REFUSED', `${table}: the server stored ${piece.length} rows with ${result.warningStatus} warnings`);
    fresh += result.affectedRows;
  }
  return fresh;
}

function* pieces(rows: readonly (readonly Value[])[]): Generator<readonly (readonly Value[])[]> {
  let from = 0;
  while (from < rows.length) {
    let bytes = 0;
    let fits = 0;
    for (let index = from; index < rows.length && fits < LADDER[0]; index += 1) {
      bytes += rowBytes(rows[index] ?? []);
      if (fits > 0 && bytes > rowLimits.bytesPerStatement) break;
      fits += 1;
    }
    const size = LADDER.find((step) => step <= fits) ?? 1;
    yield rows.slice(from, from + size);
    from += size;
  }
}

function rowBytes(row: readonly Value[]): number {
  return row.reduce<number>((sum, value) => sum + (typeof value === 'number' || value === null ? 8 : value.length), 0);
}

/** Of rows with the same identity the first one counts; the others are judged against it. */
function firstPerIdentity(rows: readonly ChunkRow[]): Map<string, ChunkRow> {
  const firsts = new Map<string, ChunkRow>();
  for (const row of rows) if (!firsts.has(keyOf(row))) firsts.set(keyOf(row), row);
  return firsts;
}

function keyOf(row: ChunkRow): string {
  return `${row.recordingId}/${row.seq}`;
}

// Lower-case hexadecimal compares like the 16 bytes do.
function sortById<Row extends { readonly recordingId: string; readonly seq: number }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => (a.recordingId === b.recordingId ? a.seq - b.seq : a.recordingId < b.recordingId ? -1 : 1));
}

type Stored = { readonly crc32: number; readonly bytes: number; readonly committedAtUs: number };

async function readChecksums(connection: Connection, rows: readonly ChunkRow[]): Promise<Map<string, Stored>> {
  const stored = new Map<string, Stored>();
  for (const piece of pieces(sortById(rows).map((row) => [idBytes(row.recordingId), row.seq]))) {
    // As a list of pairs: the same keys joined by OR took five times as long to plan.
    const text = `SELECT recording_id, seq, crc32, message_bytes, committed_at_us FROM chunk WHERE (recording_id, seq) IN (${piece.map(() => '(?,?)').join(',')})`;
    const [found] = await connection.execute<RowDataPacket[]>(text, piece.flat());
    for (const row of found) {
      const id: Buffer = row['recording_id'];
      stored.set(`${bytesToUuid(id)}/${Number(row['seq'])}`, {
        crc32: Number(row['crc32']),
        bytes: Number(row['message_bytes']),
        committedAtUs: Number(row['committed_at_us']),
      });
    }
  }
  return stored;
}

function judge(
  rows: readonly CommitRow[],
  firsts: ReadonlyMap<string, ChunkRow>,
  stored: ReadonlyMap<string, Stored> | null,
  committedAtUs: number,
): CommitOutcome[] {
  const judged = new Set<string>();
  return rows.map((row): CommitOutcome => {
    if (row.kind === 'quarantine') return 'committed'; // settled when it is inserted
    const key = keyOf(row);
    const isFirst = !judged.has(key);
    judged.add(key);
    const first = firsts.get(key);
    const kept: Stored | undefined =
      stored === null && first !== undefined ? { crc32: first.crc32, bytes: first.message.byteLength, committedAtUs } : stored?.get(key);
    if (kept === undefined)
      throw new StorageError('UNAVAILABLE', `a row just inserted cannot be read back (recording ${row.recordingId}, seq ${row.seq})`);
    if (isFirst && kept.committedAtUs === committedAtUs) return 'committed';
    if (kept.crc32 === row.crc32 && kept.bytes === row.message.byteLength) return 'duplicate';
    return row.firstWriteWins ? 'repeat-differs' : 'conflict';
  });
}

async function insertRecordings(connection: Connection, rows: readonly ChunkRow[], committedAtUs: number): Promise<void> {
  const messages = rows
    .flatMap(({ recording }) => (recording === undefined ? [] : [recording]))
    .toSorted((a, b) => (a.subject < b.subject ? -1 : 1));
  const starts = messages.filter((message) => message.kind === 'start').map((message) => startValues(message, committedAtUs));
  const ends = messages.filter((message) => message.kind === 'end').map((message) => endValues(message, committedAtUs));
  await insertAll(connection, startTable, starts);
  await insertAll(connection, endTable, ends);
}

/** Stores the rows for quarantine and those that turned out to be conflicts; a repeat of the same bytes becomes 'duplicate'. */
async function insertQuarantine(
  connection: Connection,
  rows: readonly CommitRow[],
  outcomes: CommitOutcome[],
  seenAtUs: number,
): Promise<void> {
  const hashes = rows.map((row, index) => {
    const kept = row.kind === 'quarantine' ? row : outcomes[index] === 'conflict' ? conflictRow(row) : null;
    return kept === null ? null : { kept, hash: Buffer.from(kept.sha256).toString('hex') };
  });
  const unique = new Map<string, QuarantineRow>();
  for (const entry of hashes) if (entry !== null && !unique.has(entry.hash)) unique.set(entry.hash, entry.kept);
  if (unique.size === 0) return;
  const sorted = [...unique].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  const fresh = await insertAll(
    connection,
    quarantineTable,
    sorted.map((row) => quarantineValues(row, seenAtUs)),
  );
  const ours = fresh === sorted.length ? new Set(unique.keys()) : await readFreshHashes(connection, sorted, seenAtUs);
  rows.forEach((row, index) => {
    const hash = hashes[index]?.hash;
    // The first of several copies in one batch is the fresh one: taken out of the set, the others are repeats.
    if (row.kind === 'quarantine' && hash !== undefined) outcomes[index] = ours.delete(hash) ? 'committed' : 'duplicate';
  });
}

async function readFreshHashes(connection: Connection, rows: readonly QuarantineRow[], seenAtUs: number): Promise<Set<string>> {
  const fresh = new Set<string>();
  for (const piece of pieces(rows.map(({ sha256 }) => [Buffer.from(sha256)]))) {
    const text = `SELECT sha256, first_seen_us FROM quarantine WHERE sha256 IN (${piece.map(() => '?').join(',')})`;
    const [found] = await connection.execute<RowDataPacket[]>(text, piece.flat());
    for (const row of found) if (Number(row['first_seen_us']) === seenAtUs) fresh.add(Buffer.from(row['sha256']).toString('hex'));
  }
  return fresh;
}
