import { join } from 'node:path';
import { StorageError } from '../errors.ts';

/** Where a database lives: a directory of SQLite files, or a MySQL-compatible server. */
export type Database =
  | { readonly kind: 'sqlite'; readonly dir: string; readonly readingsPath: string; readonly registryPath: string }
  | MysqlDatabase;

export type MysqlDatabase = {
  readonly kind: 'mysql';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly socketPath: string | null; // ?socket=/path
  readonly caPath: string | null; // ?ca=/path : TLS, checked against this certificate
};

/** Reads `sqlite:DIR` or `mysql://user:password@host:port/database[?socket=PATH][&ca=PATH]`. */
export function parseDatabase(text: string): Database {
  if (text.startsWith('sqlite:')) {
    const dir = text.slice('sqlite:'.length);
    if (dir === '') throw new StorageError('BAD_DATABASE_URL', 'sqlite: needs a directory, for example sqlite:/var/lib/vitalwire');
    return { kind: 'sqlite', dir, readingsPath: join(dir, 'readings.sqlite'), registryPath: join(dir, 'registry.sqlite') };
  }
  // The text may hold a password: no message below repeats it.
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== 'mysql:')
    throw new StorageError('BAD_DATABASE_URL', 'expected sqlite:DIR or mysql://user:password@host:port/database');
  const database = decodeURIComponent(url.pathname.slice(1));
  if (!/^[A-Za-z0-9_$-]{1,64}$/.test(database))
    throw new StorageError('BAD_DATABASE_URL', 'the path of a mysql:// URL names the database: letters, digits, _ and -');
  return {
    kind: 'mysql',
    host: url.hostname === '' ? '127.0.0.1' : url.hostname,
    port: url.port === '' ? 3306 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database,
    socketPath: url.searchParams.get('socket'),
    caPath: url.searchParams.get('ca'),
  };
}
