import { statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { bytesToUuid, type ClockState, type DataStream, type EndReason } from '@vitalwire/contract/wire';
import type { AppendStep, CaptureClaim, CaptureMatch, CapturePosition, Hole, OutboxRow, OutboxState, SeenPoint } from '../append.ts';
import { OutboxError } from '../errors.ts';
import { type AppendResult, appendOne } from './append-steps.ts';
import { compareCapture } from './capture-compare.ts';
import { type Core, metaOf, type OutboxFileOptions } from './core.ts';
import { finishReplacing, isDamage } from './damage.ts';
import { fileBytes, isBoundByDisk, usedBytes, watchDisk } from './disk-watch.ts';
import { makeRoom } from './eviction.ts';
import { expireRing, prune, vacuum } from './housekeeping.ts';
import { closeQuietly, describeOpenFailure } from './open-database.ts';
import { giveUp, noClock, openCore, type Replacement, replaceDamaged } from './repair.ts';
import { type Begun, beginSession, declareUnknownLoss, finishSession, hasUnknownLoss, type Session } from './session-records.ts';
import type { MessageRow } from './statements.ts';
import type { Count } from './tally.ts';
import { inTransaction } from './transaction.ts';

/*
 * The outbox file: one SQLite database in WAL mode, one connection, one thread.
 *
 *   outbox        the queue: every message that is to be sent, in the order of its id (AUTOINCREMENT: no id is used twice)
 *   delivery      up to which id the cluster has acknowledged, and when; rows up to the newest are the ring, rows behind it are pending
 *   recording     next_seq and what the end record needs; moved in the transaction that inserts the chunk
 *   capture       how far each capture of a device has come: what is behind it is a repeat; capture_hole: what it left out
 *   seen          points of phone exports that are in
 *   gap_counter   the next number of the gap records of a subject
 *   meta          owner, session, database generation, what a repair could not tell
 *   <path>-reserve        space that is given up when the disk is full, so that the log can be folded
 *   <path>.repairing      a new file that is being filled from a damaged one; .repaired: whole, about to take its place
 *
 * Who writes: appends, sessions and gaps through rows.ts, which alone inserts into the queue; ack and a new generation move `delivery`.
 * Who deletes, and what: the ring when it is older than `ringMs` (housekeeping) or in the way (eviction), without a word, for the cluster has it;
 * pending chunks when the set size is reached (eviction), each declared by a gap record in the same transaction; a message whose bytes are not
 * what was written (repair), declared too. Records that say something is missing, began, ended or alarms never go.
 *
 * What survives: everything that append has answered, a kill at any statement, a full disk. After damage: whatever can be read; the rest is
 * declared. The tally is counted from the file at each open and moved with the rows, never trusted over them.
 */

const DELIVERY_STEP_MS = 10_000; // deliveries closer together share a row; the ring's age is that much coarse
const PRUNE_MS = 60_000;

/** Everything the worker does, synchronous. Sequence numbers, capture positions and chunks move in one transaction; what `append` has returned is on the disk. */
export class OutboxFile {
  #core: Core;
  #session: Session | null = null;
  #damagedFiles = 0;
  #lastPruneMs = 0;

  private constructor(core: Core) {
    this.#core = core;
  }

  /** Opens the outbox, whatever state it is in: a damaged file is set aside, what can be read of it is kept, the rest is declared. */
  static open(options: OutboxFileOptions): { file: OutboxFile; replacement: Replacement | null } {
    try {
      finishReplacing(options.path, options.nowMs());
      return { file: new OutboxFile(openCore(options)).#claimed(), replacement: null };
    } catch (error) {
      if (!isDamage(error)) throw describeOpenFailure(options.path, error);
      try {
        const replacement = replaceDamaged(options, error, { lastId: 0, generation: null, clock: noClock });
        const file = new OutboxFile(openCore(options)).#claimed();
        file.#damagedFiles = 1;
        return { file, replacement };
      } catch (second) {
        throw describeOpenFailure(options.path, second);
      }
    }
  }

  /** A file that turned out to be damaged while in use: sets it aside and goes on with a new one. Ids go on rising. */
  repair(cause: unknown): Replacement {
    const { options, tally, clock } = this.#core;
    const { generation } = this;
    closeQuietly(this.#core.db);
    const replacement = replaceDamaged(options, cause, { lastId: tally.lastId, generation, clock });
    const { db, sql, pageBytes } = openCore(options);
    this.#core = { ...this.#core, db, sql, pageBytes };
    this.#damagedFiles += 1;
    tally.recount(sql);
    return replacement;
  }

  /**
   * Messages carry their owner's name. Sent by another they would be refused, the first of them again and again, and nothing behind
   * it would ever arrive: so an outbox with anything in it stays with its owner.
   */
  #claimed(): this {
    const { options, tally, sql } = this.#core;
    const { owner, path } = options;
    const claimedBy = metaOf(this.#core, 'owner');
    if (claimedBy !== null && claimedBy !== owner && tally.pending.chunks + tally.ring.chunks > 0) {
      this.close();
      throw new OutboxError(
        'OUTBOX_UNUSABLE',
        `${path} holds messages of '${claimedBy}'; start under that name until they are delivered and expired, or choose another data directory for '${owner}'`,
      );
    }
    if (claimedBy !== owner) sql.setMeta.run('owner', owner);
    return this;
  }

  /** The database generation these messages were last delivered to; null before the first. */
  get generation(): string | null {
    try {
      return metaOf(this.#core, 'generation');
    } catch {
      return null; // asked while repairing: an unreadable file has none
    }
  }

  /** What the gateway knows about its clock: goes into the records the outbox makes itself. */
  setClock(clock: ClockState): void {
    this.#core.clock = clock;
  }

  /** Ends what an earlier agent left open, and says that a new session has begun. */
  begin(session: Session): Begun {
    const begun = inTransaction(this.#core, () => beginSession(this.#core, session));
    this.#session = session;
    return begun;
  }

  /** Goes on with a session that has begun in this file, or in the one that it replaced. */
  goOn(session: Session): void {
    this.#session = session;
  }

  /** Ends all recordings, and the session: nothing is appended afterwards. */
  finish(): number {
    this.#declareUnknownLoss();
    return inTransaction(this.#core, () => finishSession(this.#core));
  }

  #declareUnknownLoss(): void {
    const session = this.#session;
    if (session !== null && hasUnknownLoss(this.#core)) inTransaction(this.#core, () => declareUnknownLoss(this.#core, session));
  }

  /** Commits a group of appends with one sync. An append that is refused leaves nothing behind and does not hold back the others. */
  appendGroup(appends: readonly (readonly AppendStep[])[], live: boolean): { results: AppendResult[]; liveRows: OutboxRow[] } {
    const core = this.#core;
    core.live = live ? [] : null;
    try {
      const results = inTransaction(core, () => {
        const isFull = makeRoom(core, appends);
        return appends.map((steps) => appendOne(core, steps, isFull));
      });
      return { results, liveRows: core.live ?? [] };
    } finally {
      core.live = null;
    }
  }

  /** The oldest messages behind `afterId`, in send order; one at least, if there is one. A message that is not what was written is given up. */
  read(afterId: number, maxRows: number, maxBytes: number): OutboxRow[] {
    const rows: OutboxRow[] = [];
    const damaged: MessageRow[] = [];
    let bytes = 0;
    for (const row of this.#core.sql.readFrom.iterate(afterId, maxRows) as IterableIterator<MessageRow>) {
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
    if (damaged.length > 0) giveUp(this.#core, damaged);
    // Nothing but damage: what lies behind it, or was put in its place, is next.
    return rows.length === 0 && damaged.length > 0 ? this.read(damaged.at(-1)?.id ?? afterId, maxRows, maxBytes) : rows;
  }

  /** The last messages, acknowledged or not, in send order: those not older than `sinceMs`, `maxRows` at most. */
  recent(sinceMs: number, maxRows: number): OutboxRow[] {
    const { id } = this.#core.sql.recentFrom.get(maxRows, sinceMs) as { id: number | null };
    return id === null ? [] : this.read(id - 1, maxRows, Number.POSITIVE_INFINITY);
  }

  /** Everything up to `uptoId` has been committed by the cluster: from here on it is ring. */
  ack(uptoId: number): void {
    const { sql, tally, options } = this.#core;
    if (uptoId <= tally.deliveredId) return;
    inTransaction(this.#core, () => {
      const nowMs = options.nowMs();
      const last = sql.lastDelivery.get() as { upto_id: number; acked_at_ms: number } | undefined;
      if (last !== undefined && Math.abs(nowMs - last.acked_at_ms) < DELIVERY_STEP_MS) sql.moveDelivery.run(uptoId, last.upto_id);
      else sql.addDelivery.run(uptoId, nowMs);
      tally.delivered(uptoId, sql.countBetween.get(tally.deliveredId, uptoId) as Count);
    });
  }

  /** The cluster's database has been restored or replaced: all that is still here counts as un-acknowledged again. False if it has not. */
  newGeneration(generation: string): boolean {
    const { sql, tally } = this.#core;
    const known = metaOf(this.#core, 'generation');
    if (known === generation) return false;
    inTransaction(this.#core, () => {
      sql.setMeta.run('generation', generation);
      if (known !== null) sql.forgetDeliveries.run();
    });
    if (known !== null) tally.recount(sql);
    return known !== null;
  }

  capturePosition(device: string, stream: DataStream, captureId: string, atLeast: number): CapturePosition {
    const stored = this.#core.sql.capture.get(device, stream, captureId) as { next_sample: number } | undefined;
    const nextSample = Math.max(stored?.next_sample ?? 0, atLeast);
    // After a repair the file may know less than the appender, whose devices have been answered: it takes over what they were told.
    if (atLeast > (stored?.next_sample ?? 0)) this.#core.sql.setCapture.run(device, stream, captureId, atLeast, this.#core.options.nowMs());
    const last = this.#core.sql.lastRecording.get(device, stream) as
      | { recording_id: Buffer; last_us: number | null; end_reason: EndReason | null }
      | undefined;
    return {
      nextSample,
      holes: this.#core.sql.holes.all(device, stream, captureId) as Hole[],
      predecessor:
        last === undefined ? null : { recordingId: bytesToUuid(last.recording_id), lastUs: last.last_us, endReason: last.end_reason },
    };
  }

  /** Whether readings at a place of a capture that was taken before are the ones that were taken. */
  compareCapture(claim: CaptureClaim): CaptureMatch {
    return compareCapture(this.#core.sql, claim);
  }

  /** Of these points those that are new, or carry other values than when they were last seen. */
  unseen(device: string, metric: string, points: readonly SeenPoint[]): number[] {
    return points.flatMap((point, index) => {
      const known = this.#core.sql.seenDigest.get(device, metric, point.atUs) as { digest: number } | undefined;
      return known?.digest === point.digest ? [] : [index];
    });
  }

  /** The start records of all open recordings: who looks at the live lane alone needs their scales. */
  openStarts(): OutboxRow[] {
    const rows = this.#core.sql.openStarts.all() as { device_id: string; started_at_ms: number; start_message: Buffer }[];
    return rows.map((row) => ({
      id: 0,
      device: row.device_id,
      stream: 'recording',
      createdAtMs: row.started_at_ms,
      message: new Uint8Array(row.start_message),
    }));
  }

  state(): OutboxState {
    const core = this.#core;
    const { tally, disk, options } = core;
    const oldest = core.sql.oldestPending.get(tally.deliveredId) as { created_at_ms: number } | undefined;
    return {
      pendingChunks: tally.pending.chunks,
      pendingBytes: tally.pending.bytes,
      ringChunks: tally.ring.chunks,
      ringBytes: tally.ring.bytes,
      usedBytes: usedBytes(core),
      fileBytes: fileBytes(core),
      walBytes: statSync(`${options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      maxBytes: disk.maxBytes,
      diskFull: disk.isSqueezed || (disk.isRefused && isBoundByDisk(core)),
      oldestPendingAtMs: oldest?.created_at_ms ?? null,
      lastId: tally.lastId,
      deliveredId: tally.deliveredId,
      evictedChunks: tally.evicted,
      damagedChunks: tally.damaged,
      damagedFiles: this.#damagedFiles,
      generation: metaOf(core, 'generation'),
    };
  }

  /** Housekeeping in small steps, and the word of what a repair could not name; true if there is more to do at once. */
  maintain(): boolean {
    watchDisk(this.#core);
    this.#declareUnknownLoss();
    if (expireRing(this.#core)) return true;
    const nowMs = this.#core.options.nowMs();
    if (Math.abs(nowMs - this.#lastPruneMs) >= PRUNE_MS) {
      this.#lastPruneMs = nowMs;
      prune(this.#core);
    }
    return vacuum(this.#core);
  }

  /** Folds the log into the file and cuts it: for quiet moments, as it waits for the disk. */
  checkpoint(): void {
    this.#core.db.pragma('wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    closeQuietly(this.#core.db);
  }
}
