import { renameSync, rmSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import {
  bytesToUuid,
  type ClockState,
  type DataStream,
  derivedId,
  type EndReason,
  encodeMessage,
  type Message,
  type MessageDraft,
  type Stream,
  uuidToBytes,
} from '@vitalwire/contract';
import type Database from 'better-sqlite3';
import type {
  Appended,
  AppendStep,
  CaptureClaim,
  CaptureMatch,
  CapturePosition,
  ChunkDraft,
  GapDraft,
  Hole,
  OutboxRow,
  OutboxState,
  SeenPoint,
  StartDraft,
} from './append.ts';
import { compareCapture } from './capture-compare.ts';
import { finishReplacing, isDamage, isOutOfSpace, isRefusal } from './damage.ts';
import { DiskReserve, diskBytes, freeBytes } from './disk-reserve.ts';
import { OutboxError, type OutboxErrorCode } from './errors.ts';
import { closeQuietly, describeOpenFailure, makePlace, openDatabase } from './open-database.ts';
import { evictableRanks, rankOf } from './rank.ts';
import { type Salvage, salvageInto } from './salvage.ts';
import { type EvictedRow, type MessageRow, prepareStatements, type RecordingRow, type Statements } from './statements.ts';

export type OutboxFileOptions = {
  readonly path: string;
  readonly owner: string; // the gateway or service whose messages these are
  readonly maxBytes: number;
  readonly ringMs: number;
  readonly minFreeBytes: number; // of the disk; below it the outbox stops growing
  readonly nowMs: () => number;
};

export type Session = { readonly sessionId: string; readonly version: string; readonly announce: boolean };
export type Begun = { readonly previousSession: string | null; readonly endedRecordings: number };
export type AppendResult =
  | { readonly ok: true; readonly value: Appended }
  | { readonly ok: false; readonly code: OutboxErrorCode; readonly detail: string };
/** What an open or a repair found: the damaged file is kept under `asidePath`. */
export type Replacement = {
  readonly asidePath: string;
  readonly reason: string;
  readonly salvaged: number;
  readonly lost: number;
  readonly complete: boolean;
};

type PendingCount = { chunks: number; bytes: number };

const EVICT_ROWS = 256;
const EXPIRE_ROWS = 500;
const VACUUM_PAGES = 256;
const DELIVERY_STEP_MS = 10_000; // deliveries closer together share a row; the ring's age is that much coarse
const AUTOCHECKPOINT_PAGES = 1_000;
const SHRINK_TO = 0.85;
const SALVAGE_LEAVES_BYTES = 32 * 1024 * 1024; // of the disk: a copy of a damaged file stops there, and the rest is declared lost
const MAX_CAPTURES = 50_000;
const MAX_HOLES = 1_000; // per capture; what was passed over before the oldest of them is refused all the same, as nothing there can be compared
const MAX_SEEN_POINTS = 2_000_000;
const MIN_USEFUL_BYTES = 16 * 1024 * 1024; // what a small disk is used for even when it has less free than it should
const DAY_MS = 86_400_000;
const GAP_COUNTER_MS = 30 * DAY_MS;
const noClock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

/**
 * The outbox file: everything the worker does, synchronous, one connection. Sequence numbers, capture positions and chunks move in
 * the same transaction; what `append` has returned is on the disk.
 */
export class OutboxFile {
  readonly #options: OutboxFileOptions;
  readonly #reserve: DiskReserve;
  #db: Database.Database;
  #sql: Statements;
  #clock: ClockState = noClock;
  #pending: PendingCount = { chunks: 0, bytes: 0 };
  #ring: PendingCount = { chunks: 0, bytes: 0 };
  #deliveredId = 0;
  #lastId = 0;
  #pageSize = 4096;
  #maxBytes: number;
  #evictedChunks = 0;
  #damagedChunks = 0;
  #damagedFiles = 0;
  #rowsForLive: OutboxRow[] | null = null;
  #lastPruneMs = 0;
  #refused = false; // the last append did not fit
  #squeezed = false; // the disk was full, and there is no reserve again yet

  private constructor(options: OutboxFileOptions, db: Database.Database) {
    this.#options = options;
    this.#reserve = new DiskReserve(options.path);
    this.#maxBytes = options.maxBytes;
    this.#db = db;
    this.#sql = prepareStatements(db);
  }

  /** Opens the outbox, whatever state it is in: a damaged file is set aside, what can be read of it is kept, the rest is declared. */
  static open(options: OutboxFileOptions): { file: OutboxFile; replacement: Replacement | null } {
    try {
      finishReplacing(options.path, options.nowMs());
      return { file: OutboxFile.#openAt(options).#claimed(), replacement: null };
    } catch (error) {
      if (!isDamage(error)) throw describeOpenFailure(options.path, error);
      try {
        const replacement = OutboxFile.#replace(options, error, (file) => file.#salvage(0));
        const file = OutboxFile.#openAt(options).#claimed();
        file.#damagedFiles = 1;
        return { file, replacement };
      } catch (second) {
        throw describeOpenFailure(options.path, second);
      }
    }
  }

  /** A file that turned out to be damaged while in use: sets it aside and goes on with a new one. Ids go on rising. */
  repair(cause: unknown): Replacement {
    const lastId = this.#lastId;
    const { generation } = this;
    closeQuietly(this.#db);
    const replacement = OutboxFile.#replace(this.#options, cause, (file) => {
      file.#clock = this.#clock;
      if (generation !== null) file.#sql.setMeta.run('generation', generation);
      return file.#salvage(lastId);
    });
    const fresh = OutboxFile.#openAt(this.#options);
    this.#db = fresh.#db;
    this.#sql = fresh.#sql;
    this.#damagedFiles += 1;
    this.#recount();
    return replacement;
  }

  /**
   * Builds the new file beside the damaged one and puts it in its place once it is whole: who is killed on the way begins again,
   * and never goes on with an empty outbox as if nothing had been in it.
   */
  static #replace(options: OutboxFileOptions, cause: unknown, fill: (file: OutboxFile) => Salvage): Replacement {
    const { path, nowMs } = options;
    let saved: Salvage;
    try {
      saved = OutboxFile.#buildBeside(options, fill);
    } catch {
      // No room, or worse. The damaged file stays for whoever can read more of it, and it will be told that something is missing.
      new DiskReserve(path).giveUp();
      saved = OutboxFile.#buildBeside(options, (file) => {
        file.#sql.setMeta.run('unknown_loss', '1');
        return { rows: 0, lost: [], lastId: 0, complete: false };
      });
    }
    renameSync(`${path}.repairing`, `${path}.repaired`);
    return {
      asidePath: finishReplacing(path, nowMs()) ?? path,
      reason: cause instanceof Error ? cause.message : String(cause),
      salvaged: saved.rows,
      lost: saved.lost.reduce((sum, one) => sum + one.toSeq - one.fromSeq + 1, 0),
      complete: saved.complete,
    };
  }

  static #buildBeside(options: OutboxFileOptions, fill: (file: OutboxFile) => Salvage): Salvage {
    const besidePath = `${options.path}.repairing`;
    for (const part of ['', '-wal', '-shm']) rmSync(besidePath + part, { force: true });
    makePlace(besidePath);
    const file = new OutboxFile(options, openDatabase(besidePath));
    file.#recount();
    try {
      const saved = fill(file);
      file.checkpoint(); // all of it lies in the one file that is renamed
      return saved;
    } finally {
      file.close();
    }
  }

  static #openAt(options: OutboxFileOptions): OutboxFile {
    makePlace(options.path);
    const file = new OutboxFile(options, openDatabase(options.path));
    file.#recount();
    file.#watchDisk();
    return file;
  }

  /**
   * Messages carry their owner's name. Sent by another they would be refused, the first of them again and again, and nothing behind
   * it would ever arrive: so an outbox with anything in it stays with its owner.
   */
  #claimed(): this {
    const { owner, path } = this.#options;
    const claimedBy = this.#meta('owner');
    if (claimedBy !== null && claimedBy !== owner && this.#pending.chunks + this.#ring.chunks > 0) {
      this.close();
      throw new OutboxError(
        'OUTBOX_UNUSABLE',
        `${path} holds messages of '${claimedBy}'; start under that name until they are delivered and expired, or choose another data directory for '${owner}'`,
      );
    }
    if (claimedBy !== owner) this.#sql.setMeta.run('owner', owner);
    return this;
  }

  /** The database generation these messages were last delivered to; null before the first. */
  get generation(): string | null {
    try {
      return this.#meta('generation');
    } catch {
      return null; // asked while repairing: an unreadable file has none
    }
  }

  /** What the gateway knows about its clock: goes into the records the outbox makes itself. */
  setClock(clock: ClockState): void {
    this.#clock = clock;
  }

  /** Ends what an earlier agent left open, and says that a new session has begun. */
  begin(session: Session): Begun {
    return this.#transaction(() => {
      const previousSession = this.#meta('session');
      const endedRecordings = this.#endOpen('crash');
      if (session.announce) {
        // The dead cannot say that they died; the next one does, with the last moment they are known to have lived.
        if (previousSession !== null && this.#meta('session_open') === '1')
          this.#announceDeath(previousSession, 'crash', this.#lastSignOfLifeUs());
        this.#insertMessage(this.#options.owner, {
          stream: 'status',
          recordingId: derivedId(session.sessionId, 'status'),
          seq: 0,
          measuredAtUs: this.#options.nowMs() * 1000,
          clock: this.#clock,
          subject: session.sessionId,
          gateway: this.#options.owner,
          kind: 'birth',
          version: session.version,
          reason: previousSession === null ? 'first start' : 'start',
          previousSession,
        });
      }
      this.#sql.setMeta.run('session', session.sessionId);
      this.#sql.setMeta.run('session_version', session.version);
      this.#sql.setMeta.run('session_open', session.announce ? '1' : '0');
      if (session.announce) this.#declareUnknownLoss(session.sessionId);
      return { previousSession, endedRecordings };
    });
  }

  /** Ends all recordings, and the session: nothing is appended afterwards. */
  finish(): number {
    return this.#transaction(() => {
      const ended = this.#endOpen('stopped');
      const session = this.#meta('session');
      if (session !== null && this.#meta('session_open') === '1') this.#announceDeath(session, 'stopped', this.#options.nowMs() * 1000);
      this.#sql.setMeta.run('session_open', '0');
      return ended;
    });
  }

  /** Commits a group of appends with one sync. An append that is refused leaves nothing behind and does not hold back the others. */
  appendGroup(appends: readonly (readonly AppendStep[])[], live: boolean): { results: AppendResult[]; liveRows: OutboxRow[] } {
    this.#rowsForLive = live ? [] : null;
    try {
      const results = this.#transaction(() => {
        const full = this.#makeRoom(appends);
        return appends.map((steps) => this.#appendOne(steps, full));
      });
      return { results, liveRows: this.#rowsForLive ?? [] };
    } finally {
      this.#rowsForLive = null;
    }
  }

  /** The oldest messages behind `afterId`, in send order; one at least, if there is one. A message that is not what was written is given up. */
  read(afterId: number, maxRows: number, maxBytes: number): OutboxRow[] {
    const rows: OutboxRow[] = [];
    const damaged: MessageRow[] = [];
    let bytes = 0;
    for (const row of this.#sql.readFrom.iterate(afterId, maxRows) as IterableIterator<MessageRow>) {
      if (crc32(row.message) !== row.crc32) {
        damaged.push(row);
        continue;
      }
      bytes += row.message.byteLength;
      if (rows.length > 0 && bytes > maxBytes) break;
      rows.push({
        id: row.id,
        device: row.device_id,
        stream: row.stream,
        createdAtMs: row.created_at_ms,
        message: new Uint8Array(row.message),
      });
    }
    if (damaged.length > 0) this.#giveUp(damaged);
    // Nothing but damage: what lies behind it, or was put in its place, is next.
    return rows.length === 0 && damaged.length > 0 ? this.read(damaged.at(-1)?.id ?? afterId, maxRows, maxBytes) : rows;
  }

  /** The last messages, acknowledged or not, in send order: those not older than `sinceMs`, `maxRows` at most. */
  recent(sinceMs: number, maxRows: number): OutboxRow[] {
    const { id } = this.#sql.recentFrom.get(maxRows, sinceMs) as { id: number | null };
    return id === null ? [] : this.read(id - 1, maxRows, Number.POSITIVE_INFINITY);
  }

  /** Everything up to `uptoId` has been committed by the cluster: from here on it is ring. */
  ack(uptoId: number): void {
    if (uptoId <= this.#deliveredId) return;
    this.#transaction(() => {
      const nowMs = this.#options.nowMs();
      const last = this.#sql.lastDelivery.get() as { upto_id: number; acked_at_ms: number } | undefined;
      if (last !== undefined && Math.abs(nowMs - last.acked_at_ms) < DELIVERY_STEP_MS) this.#sql.moveDelivery.run(uptoId, last.upto_id);
      else this.#sql.addDelivery.run(uptoId, nowMs);
      const moved = this.#sql.countBetween.get(this.#deliveredId, uptoId) as PendingCount;
      this.#pending = { chunks: this.#pending.chunks - moved.chunks, bytes: this.#pending.bytes - moved.bytes };
      this.#ring = { chunks: this.#ring.chunks + moved.chunks, bytes: this.#ring.bytes + moved.bytes };
      this.#deliveredId = uptoId;
    });
  }

  /** The cluster's database has been restored or replaced: all that is still here counts as un-acknowledged again. False if it has not. */
  newGeneration(generation: string): boolean {
    const known = this.#meta('generation');
    if (known === generation) return false;
    this.#transaction(() => {
      this.#sql.setMeta.run('generation', generation);
      if (known !== null) this.#sql.forgetDeliveries.run();
    });
    if (known !== null) this.#recount();
    return known !== null;
  }

  capturePosition(device: string, stream: DataStream, captureId: string, atLeast: number): CapturePosition {
    const stored = this.#sql.capture.get(device, stream, captureId) as { next_sample: number } | undefined;
    const nextSample = Math.max(stored?.next_sample ?? 0, atLeast);
    // After a repair the file may know less than the appender, whose devices have been answered: it takes over what they were told.
    if (atLeast > (stored?.next_sample ?? 0)) this.#sql.setCapture.run(device, stream, captureId, atLeast, this.#options.nowMs());
    const last = this.#sql.lastRecording.get(device, stream) as
      | { recording_id: Buffer; last_us: number | null; end_reason: EndReason | null }
      | undefined;
    return {
      nextSample,
      holes: this.#sql.holes.all(device, stream, captureId) as Hole[],
      predecessor:
        last === undefined ? null : { recordingId: bytesToUuid(last.recording_id), lastUs: last.last_us, endReason: last.end_reason },
    };
  }

  /** Whether readings at a place of a capture that was taken before are the ones that were taken. */
  compareCapture(claim: CaptureClaim): CaptureMatch {
    return compareCapture(this.#sql, claim);
  }

  /** Of these points those that are new, or carry other values than when they were last seen. */
  unseen(device: string, metric: string, points: readonly SeenPoint[]): number[] {
    return points.flatMap((point, index) => {
      const known = this.#sql.seenDigest.get(device, metric, point.atUs) as { digest: number } | undefined;
      return known?.digest === point.digest ? [] : [index];
    });
  }

  /** The start records of all open recordings: who looks at the live lane alone needs their scales. */
  openStarts(): OutboxRow[] {
    const rows = this.#sql.openStarts.all() as { device_id: string; started_at_ms: number; start_message: Buffer }[];
    return rows.map((row) => ({
      id: 0,
      device: row.device_id,
      stream: 'recording',
      createdAtMs: row.started_at_ms,
      message: new Uint8Array(row.start_message),
    }));
  }

  state(): OutboxState {
    const oldest = this.#sql.oldestPending.get(this.#deliveredId) as { created_at_ms: number } | undefined;
    return {
      pendingChunks: this.#pending.chunks,
      pendingBytes: this.#pending.bytes,
      ringChunks: this.#ring.chunks,
      ringBytes: this.#ring.bytes,
      usedBytes: this.#usedBytes(),
      fileBytes: Number(this.#db.pragma('page_count', { simple: true })) * this.#pageSize,
      walBytes: statSync(`${this.#options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      maxBytes: this.#maxBytes,
      diskFull: this.#squeezed || (this.#refused && this.#isBoundByDisk()),
      oldestPendingAtMs: oldest?.created_at_ms ?? null,
      lastId: this.#lastId,
      deliveredId: this.#deliveredId,
      evictedChunks: this.#evictedChunks,
      damagedChunks: this.#damagedChunks,
      damagedFiles: this.#damagedFiles,
      generation: this.#meta('generation'),
    };
  }

  /** Housekeeping in small steps; true if there is more to do at once. */
  maintain(): boolean {
    this.#watchDisk();
    const expired = this.#expireRing();
    if (expired) return true;
    this.#prune();
    return this.#vacuum();
  }

  /** Folds the log into the file and cuts it: for quiet moments, as it waits for the disk. */
  checkpoint(): void {
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    closeQuietly(this.#db);
  }

  #appendOne(steps: readonly AppendStep[], full: boolean): AppendResult {
    if (full && steps.some((step) => step.step === 'chunk'))
      return this.#isBoundByDisk()
        ? { ok: false, code: 'DISK_FULL', detail: this.#options.path }
        : { ok: false, code: 'OUTBOX_FULL', detail: `${this.#usedBytes()} of ${this.#maxBytes} bytes` };
    const before = { pending: this.#pending, lastId: this.#lastId, live: this.#rowsForLive?.length ?? 0 };
    this.#sql.savepoint.run();
    try {
      const value = this.#runSteps(steps);
      this.#sql.release.run();
      return { ok: true, value };
    } catch (error) {
      if (!this.#db.inTransaction || !(OutboxError.is(error) || error instanceof RangeError || isRefusal(error))) throw error;
      this.#sql.rollbackTo.run();
      this.#sql.release.run();
      this.#pending = before.pending;
      this.#lastId = before.lastId;
      if (this.#rowsForLive !== null) this.#rowsForLive.length = before.live;
      if (OutboxError.is(error)) return { ok: false, code: error.code, detail: error.message };
      // What has no form on the wire will have none next time either.
      return {
        ok: false,
        code: error instanceof RangeError ? 'UNSTORABLE' : 'OUTBOX_FAILED',
        detail: error instanceof Error ? error.message : String(error),
      };
    }
  }

  #runSteps(steps: readonly AppendStep[]): Appended {
    const ranges = new Map<string, { recordingId: string; firstSeq: number; lastSeq: number }>();
    for (const step of steps) {
      switch (step.step) {
        case 'start':
          this.#start(step.start);
          break;
        case 'chunk': {
          const seq = this.#chunk(step.chunk, step.readings, step.endUs);
          const { recordingId } = step.chunk;
          const range = ranges.get(recordingId);
          if (range === undefined) ranges.set(recordingId, { recordingId, firstSeq: seq, lastSeq: seq });
          else range.lastSeq = seq;
          break;
        }
        case 'end':
          this.#end(step.recordingId, step.reason, step.clock);
          break;
        case 'gap':
          this.#gap(step.gap);
          break;
        case 'capture':
          this.#moveCapture(step);
          break;
        case 'seen':
          for (const point of step.points) this.#sql.setSeen.run(step.device, step.metric, point.atUs, point.digest);
          break;
        case 'message':
          this.#insertMessage(step.device, step.message);
          break;
      }
    }
    return { recordings: [...ranges.values()] };
  }

  #start(start: StartDraft): void {
    const message = encodeMessage({
      ...start,
      stream: 'recording',
      kind: 'start',
      recordingId: derivedId(start.subject, 'recording'),
      seq: 0,
    });
    this.#sql.addRecording.run(uuidToBytes(start.subject), start.device, start.of, start.captureId, this.#options.nowMs(), message);
    this.#insert(start.device, 'recording', derivedId(start.subject, 'recording'), 0, start.measuredAtUs, start.measuredAtUs, message);
  }

  #chunk(chunk: ChunkDraft, readings: number, endUs: number): number {
    const recording = this.#recording(chunk.recordingId);
    if (recording === undefined || recording.ended_at_ms !== null)
      throw new OutboxError('OUTBOX_REPLACED', `recording ${chunk.recordingId} is not open here`);
    const seq = recording.next_seq;
    const numbered: MessageDraft = { ...chunk, seq };
    this.#insert(recording.device_id, chunk.stream, chunk.recordingId, seq, chunk.measuredAtUs, endUs, encodeMessage(numbered));
    this.#sql.moveRecording.run(readings, endUs, endUs, uuidToBytes(chunk.recordingId));
    return seq;
  }

  #end(recordingId: string, reason: EndReason, clock: ClockState): void {
    const recording = this.#recording(recordingId);
    if (recording === undefined || recording.ended_at_ms !== null) return; // ended already, by a repair
    const measuredAtUs = recording.last_us ?? recording.started_at_ms * 1000;
    this.#insertMessage(recording.device_id, {
      stream: 'recording',
      kind: 'end',
      recordingId: derivedId(recordingId, 'recording'),
      seq: 1,
      measuredAtUs,
      clock,
      subject: recordingId,
      lastSeq: recording.next_seq - 1,
      readings: recording.readings,
      reason,
    });
    this.#sql.endRecording.run(this.#options.nowMs(), reason, uuidToBytes(recordingId));
  }

  #gap(gap: GapDraft): void {
    const { next } = this.#sql.nextGap.get(uuidToBytes(gap.subject), Number(this.#meta('gap_floor') ?? 0)) as { next: number };
    this.#insertMessage(gap.device, { ...gap, stream: 'gap', recordingId: derivedId(gap.subject, 'gap'), seq: next });
  }

  #moveCapture({ device, stream, captureId, fromSample, nextSample, hole }: Extract<AppendStep, { step: 'capture' }>): void {
    const stored = this.#sql.capture.get(device, stream, captureId) as { next_sample: number } | undefined;
    const actual = stored?.next_sample ?? 0;
    // An earlier append of the same capture failed: what comes behind it must fail too, or it would leave a hole.
    if (actual !== fromSample)
      throw new OutboxError('CAPTURE_MOVED', `${device} ${stream} ${captureId} is at ${actual}, not at ${fromSample}`);
    this.#sql.setCapture.run(device, stream, captureId, nextSample, this.#options.nowMs());
    if (hole === null) return;
    this.#sql.addHole.run(device, stream, captureId, hole.from, hole.to);
    this.#sql.trimHoles.run({ device, stream, captureId, most: MAX_HOLES });
  }

  #endOpen(reason: EndReason): number {
    const open = this.#sql.openRecordings.all() as { recording_id: Buffer }[];
    for (const { recording_id } of open) this.#end(bytesToUuid(recording_id), reason, this.#clock);
    return open.length;
  }

  #announceDeath(session: string, reason: string, measuredAtUs: number): void {
    this.#insertMessage(this.#options.owner, {
      stream: 'status',
      recordingId: derivedId(session, 'status'),
      seq: 1,
      measuredAtUs,
      clock: this.#clock,
      subject: session,
      gateway: this.#options.owner,
      kind: 'death',
      version: this.#meta('session_version') ?? '',
      reason,
      previousSession: null,
    });
  }

  #lastSignOfLifeUs(): number {
    const last = this.#sql.lastRow.get() as { created_at_ms: number } | undefined;
    return (last?.created_at_ms ?? this.#options.nowMs()) * 1000;
  }

  #insertMessage(device: string, message: Message): void {
    this.#insert(
      device,
      message.stream,
      message.recordingId,
      message.seq,
      message.measuredAtUs,
      message.measuredAtUs,
      encodeMessage(message),
    );
  }

  #insert(
    device: string,
    stream: Stream,
    recordingId: string,
    seq: number,
    measuredAtUs: number,
    endUs: number,
    message: Uint8Array<ArrayBuffer>,
  ): void {
    const createdAtMs = this.#options.nowMs();
    const bytes = message.byteLength;
    const { lastInsertRowid } = this.#sql.insert.run(
      uuidToBytes(recordingId),
      seq,
      device,
      stream,
      rankOf(stream),
      bytes,
      measuredAtUs,
      endUs,
      createdAtMs,
      crc32(message),
      message,
    );
    this.#lastId = Number(lastInsertRowid);
    this.#pending = { chunks: this.#pending.chunks + 1, bytes: this.#pending.bytes + bytes };
    this.#rowsForLive?.push({ id: this.#lastId, device, stream, createdAtMs, message });
  }

  /** Evicts until the group fits, delivered messages first. True when it does not fit and nothing more may go. */
  #makeRoom(appends: readonly (readonly AppendStep[])[]): boolean {
    const needed = appends.reduce((sum, steps) => sum + steps.reduce((bytes, step) => bytes + roughBytes(step), 0), 0);
    const used = this.#usedBytes();
    this.#refused = false;
    if (used + needed <= this.#maxBytes) return false;
    // A little more than needed, so that the next appends need not evict again and the gaps are few and long.
    const slack = Math.max(256 * 1024, this.#maxBytes / 256);
    if (needed > this.#maxBytes) {
      this.#refused = true; // it would not fit into an empty outbox either: nothing goes for it
      return true;
    }
    const target = this.#maxBytes - needed - slack;
    while (this.#usedBytes() > target && this.#evictRing()) {}
    for (const rank of this.#mayEvictPending() ? evictableRanks : []) {
      const lost = new Map<string, EvictedRow[]>();
      while (this.#usedBytes() > target) {
        const rows = this.#sql.evict.all(rank, this.#deliveredId, EVICT_ROWS) as EvictedRow[];
        if (rows.length === 0) break;
        for (const row of rows) {
          this.#pending = { chunks: this.#pending.chunks - 1, bytes: this.#pending.bytes - row.bytes };
          const recordingId = bytesToUuid(row.recording_id);
          const ofRecording = lost.get(recordingId);
          if (ofRecording === undefined) lost.set(recordingId, [row]);
          else ofRecording.push(row);
        }
        this.#evictedChunks += rows.length;
      }
      for (const [subject, rows] of lost) this.#declareLost(subject, rows, 'evicted');
    }
    const isFull = this.#usedBytes() + needed > this.#maxBytes;
    this.#refused = isFull;
    return isFull;
  }

  /**
   * The set size is kept by giving up the oldest. A disk that others have filled is another matter: what was answered is worth more
   * than the little room its loss would make, so new readings are refused, and their devices still have them.
   */
  #mayEvictPending(): boolean {
    return !this.#isBoundByDisk() || this.#usedBytes() * 3 > diskBytes(this.#options.path);
  }

  #isBoundByDisk(): boolean {
    return this.#maxBytes < this.#options.maxBytes;
  }

  #evictRing(): boolean {
    const rows = this.#sql.dropDelivered.all(this.#deliveredId, EVICT_ROWS) as { bytes: number }[];
    this.#ring = { chunks: this.#ring.chunks - rows.length, bytes: this.#ring.bytes - rows.reduce((sum, row) => sum + row.bytes, 0) };
    return rows.length > 0;
  }

  /** One gap record for each unbroken run of seqs. */
  #declareLost(subject: string, rows: readonly EvictedRow[], reason: 'evicted' | 'outbox-damaged'): void {
    const sorted = rows.toSorted((a, b) => a.seq - b.seq);
    let first = sorted[0];
    let last = first;
    for (const row of [...sorted.slice(1), undefined]) {
      if (first === undefined || last === undefined) return;
      if (row !== undefined && row.seq === last.seq + 1) {
        last = row;
        continue;
      }
      this.#gap({
        measuredAtUs: this.#options.nowMs() * 1000,
        clock: this.#clock,
        subject,
        device: first.device_id,
        of: first.stream,
        fromSeq: first.seq,
        toSeq: last.seq,
        fromUs: first.measured_at_us,
        toUs: last.end_us,
        reason,
      });
      first = row;
      last = row;
    }
  }

  #giveUp(rows: readonly MessageRow[]): void {
    this.#transaction(() => {
      for (const row of rows) {
        const full = this.#sql.remove.get(row.id) as EvictedRow | undefined;
        if (full === undefined) continue;
        this.#damagedChunks += 1;
        if (row.id > this.#deliveredId) this.#pending = { chunks: this.#pending.chunks - 1, bytes: this.#pending.bytes - full.bytes };
        else this.#ring = { chunks: this.#ring.chunks - 1, bytes: this.#ring.bytes - full.bytes };
        if (rankOf(full.stream) !== 0) this.#declareLost(bytesToUuid(full.recording_id), [full], 'outbox-damaged');
        else this.#restoreRecord(full);
      }
    });
  }

  /** A start record exists a second time, beside its recording. */
  #restoreRecord(row: EvictedRow): void {
    if (row.stream !== 'recording' || row.seq !== 0) return;
    const recordings = this.#sql.startsOfDevice.all(row.device_id) as { recording_id: Buffer; start_message: Buffer }[];
    const found = recordings.find((one) => derivedId(bytesToUuid(one.recording_id), 'recording') === bytesToUuid(row.recording_id));
    if (found !== undefined)
      this.#insert(
        row.device_id,
        'recording',
        bytesToUuid(row.recording_id),
        0,
        row.measured_at_us,
        row.end_us,
        new Uint8Array(found.start_message),
      );
  }

  #salvage(lastId: number): Salvage {
    const { path } = this.#options;
    const nowMs = this.#options.nowMs();
    const saved = salvageInto(path, this.#db, nowMs, () => freeBytes(path) > SALVAGE_LEAVES_BYTES);
    this.#recount();
    this.#transaction(() => {
      // Gap numbers that may have been used and cannot be read must not be used again with other content.
      if (!saved.complete) this.#sql.setMeta.run('gap_floor', String(Math.floor(nowMs / 1000)));
      if (!saved.complete) this.#sql.setMeta.run('unknown_loss', '1');
      for (const lost of saved.lost) {
        this.#gap({
          measuredAtUs: nowMs * 1000,
          clock: this.#clock,
          subject: lost.recordingId,
          device: lost.device,
          of: lost.stream,
          fromSeq: lost.fromSeq,
          toSeq: lost.toSeq,
          fromUs: null,
          toUs: null,
          reason: 'outbox-damaged',
        });
      }
      const floor = Math.max(lastId, saved.lastId);
      if (floor > this.#lastId) {
        this.#sql.forgetIds.run();
        this.#sql.setIds.run(floor);
      }
    });
    return saved;
  }

  /** Says in the name of the session that something unknown is missing, if a repair could not read all that there had been. */
  declareUnknownLoss(session: string): void {
    this.#transaction(() => this.#declareUnknownLoss(session));
  }

  #declareUnknownLoss(session: string): void {
    if (this.#meta('unknown_loss') !== '1') return;
    const nowUs = this.#options.nowMs() * 1000;
    this.#gap({
      measuredAtUs: nowUs,
      clock: this.#clock,
      subject: session,
      device: this.#options.owner,
      of: 'eeg',
      fromSeq: null,
      toSeq: null,
      fromUs: null,
      toUs: nowUs,
      reason: 'outbox-damaged',
    });
    this.#sql.setMeta.run('unknown_loss', '0');
  }

  #expireRing(): boolean {
    const old = this.#sql.expiredDelivery.get(this.#options.nowMs() - this.#options.ringMs) as { upto_id: number | null };
    if (old.upto_id === null) return false;
    return this.#transaction(() => {
      const rows = this.#sql.dropDelivered.all(old.upto_id, EXPIRE_ROWS) as { bytes: number }[];
      this.#ring = { chunks: this.#ring.chunks - rows.length, bytes: this.#ring.bytes - rows.reduce((sum, row) => sum + row.bytes, 0) };
      // The newest delivery is kept for ever: it is what says that nothing up to it needs sending.
      if (rows.length < EXPIRE_ROWS) this.#sql.dropDeliveries.run(old.upto_id);
      return rows.length === EXPIRE_ROWS;
    });
  }

  #prune(): void {
    const nowMs = this.#options.nowMs();
    if (Math.abs(nowMs - this.#lastPruneMs) < 60_000) return;
    this.#lastPruneMs = nowMs;
    this.#transaction(() => {
      this.#sql.pruneRecordings.run(nowMs - Math.max(this.#options.ringMs, DAY_MS));
      this.#sql.pruneCaptures.run(MAX_CAPTURES);
      this.#sql.pruneHoles.run();
      this.#sql.pruneGapCounters.run(uuidBytesAt(nowMs - GAP_COUNTER_MS));
      this.#sql.pruneSeen.run(MAX_SEEN_POINTS);
    });
  }

  // Pages freed in the ring's steady state are used again at once; only a real surplus goes back to the disk.
  #vacuum(): boolean {
    const free = Number(this.#db.pragma('freelist_count', { simple: true }));
    const pages = Number(this.#db.pragma('page_count', { simple: true }));
    if (free < VACUUM_PAGES || free * 10 < pages) return false;
    try {
      this.#db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`); // through exec: prepare().all() throws "does not return data"
      return true;
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      this.#relieve(); // moving pages about needs room in the log
      return false;
    }
  }

  /** Below the space the disk is to keep, or once it has been full, the outbox stops growing and evicts instead. */
  #watchDisk(): void {
    if (this.#reserve.take()) {
      // The log must stay smaller than the reserve, or it could not be folded with its help.
      const pages = Math.floor(this.#reserve.bytes / this.#pageSize / 2);
      this.#db.pragma(`wal_autocheckpoint = ${Math.min(AUTOCHECKPOINT_PAGES, Math.max(16, pages))}`);
    }
    const { maxBytes, minFreeBytes, path } = this.#options;
    const free = freeBytes(path);
    if (this.#reserve.bytes > 0) this.#squeezed = false;
    if (this.#squeezed) return; // the disk has been full: the bound that was set then holds
    if (free > minFreeBytes) this.#maxBytes = maxBytes;
    else this.#maxBytes = Math.min(maxBytes, Math.max(this.#usedBytes(), Math.min(MIN_USEFUL_BYTES, free / 2)));
  }

  /**
   * The disk is full. The reserve is what lets the log be folded into the file; then the oldest chunks must go, more than the next
   * append needs, so that pages can be given back and a reserve be taken again.
   */
  #relieve(): void {
    this.#reserve.giveUp();
    this.#squeezed = true;
    this.#maxBytes = Math.floor(this.#usedBytes() * SHRINK_TO);
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // others have taken the space already: every later append tries again
    }
  }

  #recount(): void {
    this.#pageSize = Number(this.#db.pragma('page_size', { simple: true }));
    this.#deliveredId = (this.#sql.lastDelivery.get() as { upto_id: number } | undefined)?.upto_id ?? 0;
    this.#pending = this.#sql.countAfter.get(this.#deliveredId) as PendingCount;
    this.#ring = this.#sql.countUpTo.get(this.#deliveredId) as PendingCount;
    this.#lastId = (this.#sql.lastId.get() as { seq: number } | undefined)?.seq ?? 0;
  }

  #usedBytes(): number {
    const pages = Number(this.#db.pragma('page_count', { simple: true }));
    const free = Number(this.#db.pragma('freelist_count', { simple: true }));
    return (pages - free) * this.#pageSize;
  }

  #recording(recordingId: string): RecordingRow | undefined {
    return this.#sql.recording.get(uuidToBytes(recordingId)) as RecordingRow | undefined;
  }

  #meta(name: string): string | null {
    return (this.#sql.meta.get(name) as { value: string } | undefined)?.value ?? null;
  }

  #transaction<T>(work: () => T): T {
    const before = {
      pending: this.#pending,
      ring: this.#ring,
      lastId: this.#lastId,
      deliveredId: this.#deliveredId,
      evicted: this.#evictedChunks,
    };
    try {
      this.#sql.begin.run();
      const value = work();
      this.#sql.commit.run();
      return value;
    } catch (error) {
      if (this.#db.open && this.#db.inTransaction) this.#sql.rollback.run();
      this.#pending = before.pending;
      this.#ring = before.ring;
      this.#lastId = before.lastId;
      this.#deliveredId = before.deliveredId;
      this.#evictedChunks = before.evicted;
      if (!isOutOfSpace(error)) throw error;
      this.#relieve();
      throw new OutboxError('DISK_FULL', this.#options.path, { cause: error });
    }
  }
}

/** The first bytes of every UUIDv7 made at this moment: ids sort by time. */
function uuidBytesAt(ms: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.max(0, ms), 0, 6);
  return bytes;
}

function roughBytes(step: AppendStep): number {
  if (step.step !== 'chunk') return 1024;
  const { chunk } = step;
  if (chunk.stream === 'eeg') return chunk.samples.byteLength + 1024;
  if (chunk.stream === 'event') return 1024 + chunk.events.length * 512;
  return 1024 + 48 * (chunk.stream === 'heart-rate' ? chunk.readings.length : chunk.items.length);
}
