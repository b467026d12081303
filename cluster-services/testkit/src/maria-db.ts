import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, createConnection } from 'mysql2/promise';
import { freePort } from './free-port.ts';
import { removeTempDir, tempDir } from './temp-dir.ts';

export type MariaDbOptions = {
  /** Name of the database that is made. */
  database?: string;
  /** Further options of mariadbd, `--max-allowed-packet=1M`. */
  args?: readonly string[];
};

const READY_MS = 30_000;
const STOP_MS = 15_000;
const SERVER_PATHS = ['/usr/sbin/mariadbd', '/usr/bin/mariadbd', '/usr/local/bin/mariadbd', '/opt/homebrew/bin/mariadbd'];

const run = promisify(execFile);

/** True where a MariaDB server is installed; a test that needs one is skipped elsewhere. */
export function hasMariaDb(): boolean {
  return serverPath() !== null;
}

/** Starts a real MariaDB server on a new private data directory, a unix socket and a free TCP port of 127.0.0.1. */
export async function startMariaDb(options: MariaDbOptions = {}): Promise<MariaDb> {
  const dir = tempDir('vw-db-');
  const server = new MariaDb(dir, await freePort(), options);
  try {
    await server.install();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A database server that a test owns, and may kill. */
export class MariaDb {
  readonly port: number;
  readonly socketPath: string;
  readonly database: string;
  readonly #dir: string;
  readonly #args: readonly string[];
  readonly #adminPassword = randomBytes(12).toString('hex');
  #child: ChildProcess | null = null;
  #admin: Promise<Connection> | null = null;

  constructor(dir: string, port: number, options: MariaDbOptions) {
    this.#dir = dir;
    this.port = port;
    this.socketPath = join(dir, 's.sock');
    this.database = options.database ?? 'vitalwire';
    this.#args = options.args ?? [];
  }

  /** `mysql://admin:…@127.0.0.1:port/database` with all rights. */
  get adminUrl(): string {
    return this.#urlOf('admin', this.#adminPassword);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Makes the data directory, starts the server and makes the database and its admin. Called once by `startMariaDb`. */
  async install(): Promise<void> {
    mkdirSync(this.#tmpDir);
    await run(
      'mariadb-install-db',
      [
        '--no-defaults',
        `--datadir=${this.#dataDir}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--skip-name-resolve',
        ...asRoot(),
      ],
      { env: this.#env },
    );
    await this.#launch();
    const root = await createConnection({ socketPath: this.socketPath, user: 'root', multipleStatements: true });
    try {
      await root.query(
        `CREATE DATABASE \`${this.database}\` CHARACTER SET utf8mb4;
         CREATE USER 'admin'@'%' IDENTIFIED BY '${this.#adminPassword}';
         GRANT ALL PRIVILEGES ON *.* TO 'admin'@'%' WITH GRANT OPTION;
         DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';
         FLUSH PRIVILEGES;`,
      );
    } finally {
      await root.end();
    }
  }

  /** Runs one statement as the admin and returns its rows. */
  async query<Row = Record<string, unknown>>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    this.#admin ??= createConnection({ uri: this.adminUrl, supportBigNumbers: true }).then((connection) => {
      connection.on('error', () => {
        this.#admin = null; // the server was killed: the next query connects again
      });
      return connection;
    });
    try {
      const [rows] = await (await this.#admin).query(sql, [...values]);
      return Array.isArray(rows) ? (rows as Row[]) : [];
    } catch (error) {
      if (error instanceof Error && 'fatal' in error && error.fatal === true) this.#admin = null;
      throw error;
    }
  }

  /**
   * Makes a user with exactly the rights of `grants`, each a whole statement in which `$USER` stands for the new user:
   * `GRANT INSERT, SELECT (recording_id, seq, crc32), UPDATE (seq) ON vitalwire.chunk TO $USER`. Returns its mysql:// URL.
   */
  async createUser(name: string, grants: readonly string[]): Promise<string> {
    const password = randomBytes(12).toString('hex');
    const account = `'${name}'@'%'`;
    await this.query(`CREATE OR REPLACE USER ${account} IDENTIFIED BY '${password}'`);
    for (const grant of grants) await this.query(grant.replaceAll('$USER', account));
    return this.#urlOf(name, password);
  }

  /** SIGKILL, as when the machine's memory is gone. */
  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGSTOP: the server holds its connections and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Starts again on the same data directory and port, after `kill9` or from a clean shutdown. */
  async restart(): Promise<void> {
    if (this.#child !== null) await this.#end('SIGTERM');
    await this.#launch();
  }

  /** Ends the server and removes its data. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    removeTempDir(this.#dir);
  }

  get #dataDir(): string {
    return join(this.#dir, 'data');
  }

  #urlOf(user: string, password: string): string {
    return `mysql://${user}:${password}@127.0.0.1:${this.port}/${this.database}`;
  }

  // A server that starts clears its directory of temporary tables, also of those that another server is using.
  get #tmpDir(): string {
    return join(this.#dir, 'tmp');
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, TMPDIR: this.#tmpDir };
  }

  async #launch(): Promise<void> {
    const path = serverPath();
    if (path === null) throw new Error('mariadbd is not installed; install the package mariadb-server');
    const child = spawn(
      path,
      [
        '--no-defaults',
        `--datadir=${this.#dataDir}`,
        `--socket=${this.socketPath}`,
        `--port=${this.port}`,
        '--bind-address=127.0.0.1',
        `--pid-file=${join(this.#dir, 'pid')}`,
        `--log-error=${this.#logPath}`,
        '--skip-name-resolve',
        '--skip-log-bin',
        '--performance-schema=off',
        '--innodb-buffer-pool-size=64M',
        '--innodb-log-file-size=64M',
        '--innodb-flush-log-at-trx-commit=1',
        ...asRoot(),
        ...this.#args,
      ],
      { stdio: 'ignore', env: this.#env },
    );
    this.#child = child;
    const killAtExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.removeListener('exit', killAtExit));
    await this.#untilReady(child);
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    const endMs = performance.now() + READY_MS;
    while (performance.now() < endMs) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      try {
        // Any answer will do: an unknown user is refused only by a server that is up.
        const probe = await createConnection({ host: '127.0.0.1', port: this.port, user: 'admin', password: this.#adminPassword });
        await probe.end();
        return;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ER_ACCESS_DENIED_ERROR') return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`mariadbd did not come up:\n${await this.#lastLogLines()}`);
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    const admin = this.#admin;
    this.#admin = null;
    admin?.then((connection) => connection.destroy()).catch(() => {}); // it never came to be
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGCONT'); // a stopped process does not see SIGTERM
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(timer);
  }

  get #logPath(): string {
    return join(this.#dir, 'error.log');
  }

  async #lastLogLines(): Promise<string> {
    const text = await readFile(this.#logPath, 'utf8').catch(() => '(no log)');
    return text.trim().split('\n').slice(-15).join('\n');
  }
}

function serverPath(): string | null {
  return SERVER_PATHS.find((path) => existsSync(path)) ?? null;
}

// mariadbd refuses to run as root unless it is told to.
function asRoot(): string[] {
  return userInfo().uid === 0 ? ['--user=root'] : [];
}
