import type { Core, DiskState, OutboxFileOptions } from './core.ts';
import { DiskReserve, diskBytes, freeBytes } from './disk-reserve.ts';

const AUTOCHECKPOINT_PAGES = 1_000;
const SHRINK_TO = 0.85;
const MIN_USEFUL_BYTES = 16 * 1024 * 1024; // what a small disk is used for even when it has less free than it should

export function newDiskState({ path, maxBytes }: OutboxFileOptions): DiskState {
  return { reserve: new DiskReserve(path), maxBytes, isRefused: false, isSqueezed: false };
}

/** Bytes in use, not the file's length. */
export function usedBytes({ db, pageBytes }: Core): number {
  const pages = Number(db.pragma('page_count', { simple: true }));
  const free = Number(db.pragma('freelist_count', { simple: true }));
  return (pages - free) * pageBytes;
}

export function fileBytes({ db, pageBytes }: Core): number {
  return Number(db.pragma('page_count', { simple: true })) * pageBytes;
}

/** Whether the disk, not the setting, says how much may be used. */
export function isBoundByDisk({ disk, options }: Core): boolean {
  return disk.maxBytes < options.maxBytes;
}

/**
 * The set size is kept by giving up the oldest. A disk that others have filled is another matter: what was answered is worth more
 * than the little room its loss would make, so new readings are refused, and their devices still have them.
 */
export function mayEvictPending(core: Core): boolean {
  return !isBoundByDisk(core) || usedBytes(core) * 3 > diskBytes(core.options.path);
}

/** Below the space the disk is to keep, or once it has been full, the outbox stops growing and evicts instead. */
export function watchDisk(core: Core): void {
  const { disk, db, pageBytes, options } = core;
  if (disk.reserve.take()) {
    // The log must stay smaller than the reserve, or it could not be folded with its help.
    const pages = Math.floor(disk.reserve.bytes / pageBytes / 2);
    db.pragma(`wal_autocheckpoint = ${Math.min(AUTOCHECKPOINT_PAGES, Math.max(16, pages))}`);
  }
  const free = freeBytes(options.path);
  if (disk.reserve.bytes > 0) disk.isSqueezed = false;
  if (disk.isSqueezed) return; // the disk has been full: the bound that was set then holds
  if (free > options.minFreeBytes) disk.maxBytes = options.maxBytes;
  else disk.maxBytes = Math.min(options.maxBytes, Math.max(usedBytes(core), Math.min(MIN_USEFUL_BYTES, free / 2)));
}

/**
 * The disk is full. The reserve is what lets the log be folded into the file; then the oldest chunks must go, more than the next
 * append needs, so that pages can be given back and a reserve be taken again.
 */
export function relieve(core: Core): void {
  const { disk, db } = core;
  disk.reserve.giveUp();
  disk.isSqueezed = true;
  disk.maxBytes = Math.floor(usedBytes(core) * SHRINK_TO);
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } catch {
    // others have taken the space already: every later append tries again
  }
}
