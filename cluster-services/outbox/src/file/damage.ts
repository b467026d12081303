import { existsSync, renameSync } from 'node:fs';

const spaceCodes = new Set(['SQLITE_FULL', 'ENOSPC', 'EDQUOT']);
// These say something about the disk, the rights or our own program, not about the content of the file.
const innocentCodes = /^SQLITE_(BUSY|LOCKED|FULL|READONLY|PERM|AUTH|CANTOPEN|NOMEM|INTERRUPT|CONSTRAINT|MISMATCH|RANGE|TOOBIG|IOERR)/;

/** Whether an error says that the file is not, or no longer, a sound outbox. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code.startsWith('SQLITE_') && (!innocentCodes.test(code) || code === 'SQLITE_IOERR_SHORT_READ' || code === 'SQLITE_IOERR_CORRUPTFS')
  );
}

export function isInUse(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));
}

export function isOutOfSpace(error: unknown): boolean {
  return spaceCodes.has(codeOf(error));
}

/** A row that breaks a rule of the schema: the statement was refused, the transaction lives on. */
export function isRefusal(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_CONSTRAINT');
}

/**
 * Puts a repaired outbox into the place of the damaged one, which is moved aside under a name that tells when; nothing of it is deleted.
 * Null when there is none. It may be cut short anywhere: the next call goes on.
 */
export function finishReplacing(path: string, nowMs: number): string | null {
  const repairedPath = `${path}.repaired`;
  if (!existsSync(repairedPath)) return null;
  const stamp = new Date(nowMs).toISOString().replace(/[:.]/g, '-');
  let asidePath = `${path}.damaged-${stamp}`;
  for (let count = 2; existsSync(asidePath); count += 1) asidePath = `${path}.damaged-${stamp}-${count}`;
  for (const part of ['', '-wal', '-shm', '-journal']) if (existsSync(path + part)) renameSync(path + part, asidePath + part);
  renameSync(repairedPath, path);
  return asidePath;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
