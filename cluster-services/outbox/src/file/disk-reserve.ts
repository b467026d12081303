import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const FULL_BYTES = 8 * 1024 * 1024; // more than the log holds between two checkpoints
const LEAST_BYTES = 1024 * 1024; // less would not help
const BLOCK = Buffer.alloc(64 * 1024);

/**
 * Space put aside for the day the disk is full. Everything new lies in SQLite's log then, and folding the log into the file, which
 * alone would make room, needs room itself: without a reserve both would wait for each other for ever.
 */
export class DiskReserve {
  readonly #path: string;

  constructor(outboxPath: string) {
    this.#path = `${outboxPath}-reserve`;
  }

  get bytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Takes the space if it is not held yet, never more than a quarter of what is free; true if it was taken now. Real blocks: a hole reserves nothing. */
  take(): boolean {
    if (this.bytes > 0) return false;
    const bytes = Math.min(FULL_BYTES, freeBytes(this.#path) / 4);
    if (bytes < LEAST_BYTES) return false;
    try {
      const handle = openSync(this.#path, 'w', 0o600);
      try {
        for (let written = 0; written + BLOCK.byteLength <= bytes; written += BLOCK.byteLength) writeSync(handle, BLOCK);
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      return true;
    } catch {
      this.giveUp(); // filled up meanwhile: the next round tries again
      return false;
    }
  }

  giveUp(): void {
    rmSync(this.#path, { force: true });
  }
}

export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}

export function diskBytes(path: string): number {
  const { blocks, bsize } = statfsSync(dirname(path));
  return blocks * bsize;
}
