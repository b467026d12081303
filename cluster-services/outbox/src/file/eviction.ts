import { type AppendStep, sizeOf } from '../append.ts';
import type { Core } from './core.ts';
import { mayEvictPending, usedBytes } from './disk-watch.ts';
import { evictableRanks } from './rank.ts';
import { declareLost } from './rows.ts';
import type { EvictedRow } from './statements.ts';

const EVICT_ROWS = 256;

/** Evicts until the group fits, delivered messages first. True when it does not fit and nothing more may go. */
export function makeRoom(core: Core, appends: readonly (readonly AppendStep[])[]): boolean {
  const { disk } = core;
  const needed = appends.reduce((sum, steps) => sum + steps.reduce((bytes, step) => bytes + sizeOf(step), 0), 0);
  disk.isRefused = false;
  if (usedBytes(core) + needed <= disk.maxBytes) return false;
  // It would not fit into an empty outbox either: nothing goes for it.
  if (needed <= disk.maxBytes) evictDownTo(core, disk.maxBytes - needed - slackOf(disk.maxBytes));
  disk.isRefused = needed > disk.maxBytes || usedBytes(core) + needed > disk.maxBytes;
  return disk.isRefused;
}

/** A little more than needed goes, so that the next appends need not evict again and the gaps are few and long. */
function slackOf(maxBytes: number): number {
  return Math.max(256 * 1024, maxBytes / 256);
}

function evictDownTo(core: Core, target: number): void {
  while (usedBytes(core) > target && evictRing(core)) {}
  for (const rank of mayEvictPending(core) ? evictableRanks : []) {
    const lost = new Map<string, EvictedRow[]>();
    while (usedBytes(core) > target) {
      const rows = core.sql.evict.all(rank, core.tally.deliveredId, EVICT_ROWS) as EvictedRow[];
      if (rows.length === 0) break;
      core.tally.pendingEvicted(rows);
      for (const row of rows) {
        const recording = row.recording_id.toString('hex');
        const ofRecording = lost.get(recording);
        if (ofRecording === undefined) lost.set(recording, [row]);
        else ofRecording.push(row);
      }
    }
    for (const rows of lost.values()) declareLost(core, rows, 'evicted');
  }
}

function evictRing({ sql, tally }: Core): boolean {
  const rows = sql.dropDelivered.all(tally.deliveredId, EVICT_ROWS) as { bytes: number }[];
  tally.ringDropped(rows);
  return rows.length > 0;
}
