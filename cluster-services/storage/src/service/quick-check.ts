import Sqlite from 'better-sqlite3';

// A process of its own: the check reads the whole file, the service must answer meanwhile, and only a process can be ended in the midst of it.

const found = check(process.argv[2] ?? '');
process.send?.({ found }, () => process.disconnect());

/** What SQLite finds wrong with the file, in its words; null if nothing. Throws where the check cannot be made. */
function check(path: string): string | null {
  let db: Sqlite.Database | null = null;
  try {
    db = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 5_000 });
    const said: unknown = db.pragma('quick_check(1)', { simple: true });
    return said === 'ok' ? null : String(said);
  } catch (error) {
    if (error instanceof Sqlite.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) return error.message;
    throw error;
  } finally {
    db?.close();
  }
}
