import { StorageError } from '../errors.ts';

/** A failure of the driver or the server, sorted: `lockConflict` means nothing is stored and the same rows may go again. */
export type SortedMysqlError = { readonly error: StorageError; readonly lockConflict: boolean };

const LOCK_CONFLICTS = new Set([1213, 1205]); // deadlock; waited too long for a lock
const NOT_THERE_YET = new Set([1049, 1146, 1044, 1142, 1143]); // database, table or the rights on it: storage makes them
// Shutting down, too many connections, out of memory, disk full, read-only (a standby): all pass.
const PASSING = new Set([
  1021, 1030, 1040, 1041, 1053, 1077, 1114, 1152, 1159, 1160, 1161, 1184, 1203, 1290, 1317, 1792, 1836, 1927, 3032, 3169,
]);

export function mysqlError(cause: unknown, where: string): SortedMysqlError {
  if (StorageError.is(cause)) return { error: cause, lockConflict: false };
  const message = cause instanceof Error ? cause.message : String(cause);
  const errno = cause instanceof Error && 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : 0;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  const make = (name: ConstructorParameters<typeof StorageError>[0]): StorageError =>
    new StorageError(name, `${where} (${code || 'error'}: ${message})`, { cause });
  if (LOCK_CONFLICTS.has(errno)) return { error: make('UNAVAILABLE'), lockConflict: true };
  if (NOT_THERE_YET.has(errno)) return { error: make('NOT_MIGRATED'), lockConflict: false };
  // Errors of the server have an ER_ code; everything else comes from the network or the driver.
  const refused = code.startsWith('ER_') && !PASSING.has(errno);
  return { error: make(refused ? 'REFUSED' : 'UNAVAILABLE'), lockConflict: false };
}
