import { OutboxError } from '../errors.ts';
import type { Core } from './core.ts';
import { isOutOfSpace } from './damage.ts';
import { relieve } from './disk-watch.ts';

/** All of it or nothing, in the file and in the counts. A disk that is full is relieved, and what did not fit is refused. */
export function inTransaction<T>(core: Core, work: () => T): T {
  const { sql, db, tally, options } = core;
  const before = tally.snapshot();
  try {
    sql.begin.run();
    const value = work();
    sql.commit.run();
    return value;
  } catch (error) {
    if (db.open && db.inTransaction) sql.rollback.run();
    tally.restore(before);
    if (!isOutOfSpace(error)) throw error;
    relieve(core);
    throw new OutboxError('DISK_FULL', options.path, { cause: error });
  }
}
