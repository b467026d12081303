import { StorageError } from '../errors.ts';

/** A failure of the driver or the server, sorted: `lockConflict` means nothing is stored and the same rows may go again. */
export type SortedMysqlError = { readonly error: StorageError; readonly lockConflict: boolean };

const LOCK_CONFLICTS = new Set([1213, 1205]); // deadlock; waited too long for a lock
const NOT_THERE_YET = new Set([1049, 1146, 1044, 1142, 1143]); // database, table or the rights on it: storage makes them
// Another number of columns, an unknown column: the schema changed under us, which says nothing about the row.
const OTHER_SCHEMA = new Set([1054, 1136]);
const DENIED = new Set([1045, 1698]);
// What a person can do about it.
const NEXT: ReadonlyMap<number, string> = new Map([
  [1045, '; check user and password of the database setting'],
  [1049, '; create it, or correct its name in the database setting'],
]);
// What a row itself can be guilty of: a value that does not fit, a constraint, no partition. Only this may end in quarantine.
const ROW_FAULTS = new Set([1048, 1264, 1265, 1292, 1366, 1406, 1526, 1690, 3819, 4025]);

export function mysqlError(cause: unknown, where: string): SortedMysqlError {
  if (StorageError.is(cause)) return { error: cause, lockConflict: false };
  const message = cause instanceof Error ? cause.message : String(cause);
  const errno = cause instanceof Error && 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : 0;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  const make = (name: ConstructorParameters<typeof StorageError>[0]): StorageError =>
    new StorageError(name, `${where} (${code || 'error'}: ${message})${NEXT.get(errno) ?? ''}`, { cause });
  if (LOCK_CONFLICTS.has(errno)) return { error: make('UNAVAILABLE'), lockConflict: true };
  if (NOT_THERE_YET.has(errno) || OTHER_SCHEMA.has(errno)) return { error: make('NOT_MIGRATED'), lockConflict: false };
  if (DENIED.has(errno)) return { error: make('DENIED'), lockConflict: false };
  return { error: make(ROW_FAULTS.has(errno) ? 'REFUSED' : 'UNAVAILABLE'), lockConflict: false };
}
