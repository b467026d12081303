import type { Core } from './core.ts';
import { isOutOfSpace } from './damage.ts';
import { relieve } from './disk-watch.ts';
import { inTransaction } from './transaction.ts';

const EXPIRE_ROWS = 500;
const VACUUM_PAGES = 256;
const MAX_CAPTURES = 50_000;
const MAX_SEEN_POINTS = 2_000_000;
const DAY_MS = 86_400_000;
const GAP_COUNTER_MS = 30 * DAY_MS;

/** Drops some of what was delivered longer ago than the ring keeps it; true if there is more. */
export function expireRing(core: Core): boolean {
  const { sql, options, tally } = core;
  const old = sql.expiredDelivery.get(options.nowMs() - options.ringMs) as { upto_id: number | null };
  if (old.upto_id === null) return false;
  return inTransaction(core, () => {
    const rows = sql.dropDelivered.all(old.upto_id, EXPIRE_ROWS) as { bytes: number }[];
    tally.ringDropped(rows);
    // The newest delivery is kept for ever: it is what says that nothing up to it needs sending.
    if (rows.length < EXPIRE_ROWS) sql.dropDeliveries.run(old.upto_id);
    return rows.length === EXPIRE_ROWS;
  });
}

/** Forgets what nobody can ask for any more: recordings, captures, holes, gap numbers and seen points beyond their bounds. */
export function prune(core: Core): void {
  const { sql, options } = core;
  const nowMs = options.nowMs();
  inTransaction(core, () => {
    sql.pruneRecordings.run(nowMs - Math.max(options.ringMs, DAY_MS));
    sql.pruneCaptures.run(MAX_CAPTURES);
    sql.pruneHoles.run();
    sql.pruneGapCounters.run(uuidBytesAt(nowMs - GAP_COUNTER_MS));
    sql.pruneSeen.run(MAX_SEEN_POINTS);
  });
}

/** Gives some pages back to the disk; true if there are more. Pages freed in the ring's steady state are used again at once; only a real surplus goes back. */
export function vacuum(core: Core): boolean {
  const { db } = core;
  const free = Number(db.pragma('freelist_count', { simple: true }));
  const pages = Number(db.pragma('page_count', { simple: true }));
  if (free < VACUUM_PAGES || free * 10 < pages) return false;
  try {
    db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`); // through exec: prepare().all() throws "does not return data"
    return true;
  } catch (error) {
    if (!isOutOfSpace(error)) throw error;
    relieve(core); // moving pages about needs room in the log
    return false;
  }
}

/** The first bytes of every UUIDv7 made at this moment: ids sort by time. */
function uuidBytesAt(ms: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.max(0, ms), 0, 6);
  return bytes;
}
