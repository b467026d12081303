import { RecentMap } from '@vitalwire/runtime';
import type Sqlite from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Statements kept; of more kinds than this the one unused for longest is prepared again. Lists of different lengths are different kinds. */
const MAX_KEPT = 256;

const kept = /^\s*(select|with|insert|update|delete)\b/i;
const harmless = /^\s*(begin|commit|rollback|savepoint|release)\b/i;

/**
 * The database as kysely uses it, which prepares a statement anew for every query: a third of what polled queries cost. Here the same text is
 * the same statement. Whatever may change the schema makes all of them new.
 */
export function keepingStatements(sqlite: Sqlite.Database): SqliteDatabase {
  const statements = new RecentMap<string, Sqlite.Statement>(MAX_KEPT); // last = used last
  const keep = (sql: string): Sqlite.Statement => {
    const known = statements.get(sql);
    if (known?.busy === true) return sqlite.prepare(sql); // its rows are being read one by one
    const statement = known ?? sqlite.prepare(sql);
    statements.renew(sql, statement);
    return statement;
  };
  return {
    prepare: (sql) => {
      if (kept.test(sql)) return keep(sql) as SqliteStatement;
      if (!harmless.test(sql)) statements.clear();
      return sqlite.prepare(sql) as SqliteStatement;
    },
    close: () => {
      statements.clear();
      sqlite.close();
    },
  };
}
