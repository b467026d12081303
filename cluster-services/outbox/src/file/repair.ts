import { renameSync, rmSync } from 'node:fs';
import { bytesToUuid, type ClockState, derivedId, type EndReason } from '@vitalwire/contract/wire';
import { endRecording } from './append-steps.ts';
import type { Core, OutboxFileOptions } from './core.ts';
import { finishReplacing } from './damage.ts';
import { DiskReserve, freeBytes } from './disk-reserve.ts';
import { newDiskState, watchDisk } from './disk-watch.ts';
import { closeQuietly, makePlace, openDatabase } from './open-database.ts';
import { rankOf } from './rank.ts';
import { declareLost, insertGap, insertRow } from './rows.ts';
import { nothingSaved, type Salvage, salvageInto, setLastId } from './salvage.ts';
import { noteUnknownLoss } from './session-records.ts';
import { type EvictedRow, type MessageRow, prepareStatements } from './statements.ts';
import { Tally } from './tally.ts';
import { inTransaction } from './transaction.ts';

const SALVAGE_LEAVES_BYTES = 32 * 1024 * 1024; // of the disk: a copy of a damaged file stops there, and the rest is declared lost
export const noClock: ClockState = { offsetUs: 0, uncertaintyUs: 0, source: 'none' };

/** What an open or a repair found: the damaged file is kept under `asidePath`. */
export type Replacement = {
  readonly asidePath: string;
  readonly reason: string;
  readonly salvaged: number;
  readonly lost: number;
  readonly complete: boolean;
};

/** What the new file must know of the damaged one: numbers that must not be used again, and what its readers were told. */
export type Inherited = { readonly lastId: number; readonly generation: string | null; readonly clock: ClockState };

export function openCore(options: OutboxFileOptions, path = options.path): Core {
  makePlace(path);
  const db = openDatabase(path, options.onStatement);
  const core: Core = {
    options,
    tally: new Tally(),
    disk: newDiskState(options),
    db,
    sql: prepareStatements(db),
    pageBytes: Number(db.pragma('page_size', { simple: true })),
    clock: noClock,
    live: null,
  };
  core.tally.recount(core.sql);
  if (path === options.path) watchDisk(core);
  return core;
}

/**
 * Builds the new file beside the damaged one and puts it in its place once it is whole: who is killed on the way begins again,
 * and never goes on with an empty outbox as if nothing had been in it.
 */
export function replaceDamaged(options: OutboxFileOptions, cause: unknown, inherited: Inherited): Replacement {
  const { path, nowMs } = options;
  const inherit = (core: Core): void => {
    core.clock = inherited.clock;
    if (inherited.generation !== null) core.sql.setMeta.run('generation', inherited.generation);
  };
  let saved: Salvage;
  try {
    saved = buildBeside(options, (core) => {
      inherit(core);
      return salvage(core, inherited.lastId);
    });
  } catch {
    // No room, or worse. The damaged file stays for whoever can read more of it, and it will be told that something is missing.
    new DiskReserve(path).giveUp();
    saved = buildBeside(options, (core) => {
      setLastId(core.db, inherited.lastId);
      noteUnknownLoss(core);
      return nothingSaved;
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

/** Messages that are not what was written: taken out and declared lost, or made again where it is known what was in them. */
export function giveUp(core: Core, rows: readonly MessageRow[]): void {
  inTransaction(core, () => {
    for (const { id } of rows) {
      const row = core.sql.remove.get(id) as EvictedRow | undefined;
      if (row === undefined) continue;
      core.tally.damagedRemoved(id, row.bytes);
      if (rankOf(row.stream) !== 0) declareLost(core, [row], 'outbox-damaged');
      else if (!remakeRecord(core, row) && id > core.tally.deliveredId) noteUnknownLoss(core);
    }
  });
}

/** Where a recording begins and ends is known a second time, from the recording itself. False: nothing else knows what this record said. */
function remakeRecord(core: Core, row: EvictedRow): boolean {
  if (row.stream !== 'recording') return false;
  const recordings = core.sql.recordingsOfDevice.all(row.device_id) as {
    recording_id: Buffer;
    start_message: Buffer;
    end_reason: EndReason | null;
  }[];
  const derived = bytesToUuid(row.recording_id);
  const found = recordings.find((one) => derivedId(bytesToUuid(one.recording_id), 'recording') === derived);
  if (found === undefined) return false;
  if (row.seq === 0) {
    insertRow(core, {
      device: row.device_id,
      stream: 'recording',
      recordingId: derived,
      seq: 0,
      measuredAtUs: row.measured_at_us,
      endUs: row.end_us,
      message: new Uint8Array(found.start_message),
    });
    return true;
  }
  // An end that was delivered is not made again: with what is known of the clock today it would be another record under the same number.
  if (found.end_reason === null || row.id <= core.tally.deliveredId) return false;
  core.sql.reopenRecording.run(found.recording_id);
  endRecording(core, bytesToUuid(found.recording_id), found.end_reason, core.clock);
  return true;
}

function buildBeside(options: OutboxFileOptions, fill: (core: Core) => Salvage): Salvage {
  const besidePath = `${options.path}.repairing`;
  for (const part of ['', '-wal', '-shm']) rmSync(besidePath + part, { force: true });
  const core = openCore(options, besidePath);
  try {
    const saved = fill(core);
    core.db.pragma('wal_checkpoint(TRUNCATE)'); // all of it lies in the one file that is renamed
    return saved;
  } finally {
    closeQuietly(core.db);
  }
}

function salvage(core: Core, lastId: number): Salvage {
  const { sql, tally, options } = core;
  const { path } = options;
  const nowMs = options.nowMs();
  const saved = salvageInto(path, core.db, lastId, nowMs, () => freeBytes(path) > SALVAGE_LEAVES_BYTES);
  tally.recount(sql);
  inTransaction(core, () => {
    // Gap numbers that may have been used and cannot be read must not be used again with other content.
    if (!saved.complete) sql.setMeta.run('gap_floor', String(Math.floor(nowMs / 1000)));
    if (!saved.complete || saved.lostRecords) noteUnknownLoss(core);
    for (const { recordingId, reason } of saved.lostEnds) endRecording(core, recordingId, reason, core.clock);
    for (const { recordingId, device, stream, fromSeq, toSeq } of saved.lost) {
      const times = { measuredAtUs: nowMs * 1000, fromUs: null, toUs: null };
      insertGap(core, { ...times, clock: core.clock, subject: recordingId, device, of: stream, fromSeq, toSeq, reason: 'outbox-damaged' });
    }
  });
  return saved;
}
