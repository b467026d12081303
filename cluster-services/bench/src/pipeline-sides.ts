import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Identity, sourceExecArgv, workerUrl } from '@vitalwire/runtime';
import { migrateReadings, openReadings } from '@vitalwire/storage';
import { writerGrants } from '@vitalwire/storage/commit';
import { freePort, type MariaDb, removeTempDir, type TestPki, tempDir, until } from '@vitalwire/testkit';
import { BenchError } from './bench-error.ts';
import type { IngestReply, IngestTask } from './ingest-process.ts';

/** A running way from MQTT into the table `chunk` of one database. */
export type Running = { readonly port: number; readonly processes: Readonly<Record<string, number>>; stop(): Promise<void> };
export type SideStart = { readonly server: MariaDb; readonly database: string; readonly pki: TestPki; readonly tls: boolean };
export type Side = { readonly name: string; start(at: SideStart): Promise<Running> };

/** Who the load says it is: a gateway of this name owns everything it sends. */
export const GATEWAY = 'bench';

/** Our front door: the ingest service, writing as the user that may only insert. */
export const frontDoorSide: Side = {
  name: 'front door (group commit, PUBACK after it)',
  async start({ server, database, pki, tls }) {
    const readings = openReadings(inDatabase(server.adminUrl, database));
    await migrateReadings(readings.db, readings.dialect, Date.now() * 1000, readings.where);
    await readings.db.destroy();
    const writer = await server.createUser('writer', writerGrants('writer@%', database));
    const { certPath, keyPath, caPath } = await pki.service('ingest');
    const child = fork(workerUrl('./ingest-process', import.meta.url), { execArgv: sourceExecArgv(import.meta.url) });
    const task: IngestTask = {
      config: { port: 0, certPath, keyPath, caPath, database: inDatabase(writer, database), maxConnectionsPerCertificate: 64 },
      plainTcpAs: tls ? null : { kind: 'gateway', id: GATEWAY },
    };
    endWithUs(child);
    child.send(task);
    const { port } = (await firstOf(child, 'message', 'the front door')) as IngestReply;
    return {
      port,
      processes: { 'front door': pidOf(child) },
      async stop() {
        child.disconnect();
        await ended(child);
      },
    };
  },
};

/** Mosquitto and a Python subscriber that writes what it gets, so many rows per commit. Its PUBACK says nothing about the table. */
export function pythonSide(name: string, rowsPerCommit: number, python: string, packages: string, mosquitto: string): Side {
  return {
    name,
    async start({ server, database, pki, tls }) {
      await server.query(
        `CREATE TABLE \`${database}\`.chunk (recording_id BINARY(16) NOT NULL, seq BIGINT UNSIGNED NOT NULL, committed_at_us BIGINT NOT NULL,
          crc32 INT UNSIGNED NOT NULL, message MEDIUMBLOB NOT NULL, PRIMARY KEY (recording_id, seq)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`,
      );
      const dir = tempDir('vw-peer-');
      const port = await freePort();
      const config = join(dir, 'mosquitto.conf');
      writeFileSync(config, mosquittoConfig(port, tls ? await pki.service('mosquitto') : null));
      const broker = spawn(mosquitto, ['-c', config], { stdio: 'ignore' });
      endWithUs(broker);
      await until(() => answers(port), { timeoutMs: 10_000, what: 'Mosquitto listens' });
      const script = fileURLToPath(new URL('./peers/paho_pymysql.py', import.meta.url));
      const subscriber = spawn(python, [script], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' },
      });
      endWithUs(subscriber);
      const { hostname, password, port: databasePort, username } = new URL(server.adminUrl);
      const task = {
        port,
        rowsPerCommit,
        tls: tls ? await pki.service('subscriber') : null,
        database: { host: hostname, port: Number(databasePort), user: username, password, database },
      };
      subscriber.stdin.end(`${JSON.stringify(task)}\n`);
      await firstOf(subscriber, 'stdout', 'the Python subscriber');
      return {
        port,
        processes: { Mosquitto: pidOf(broker), Python: pidOf(subscriber) },
        async stop() {
          for (const child of [subscriber, broker]) {
            child.kill('SIGTERM');
            await ended(child);
          }
          removeTempDir(dir);
        },
      };
    },
  };
}

/** The same server, user and password, another database. */
function inDatabase(url: string, database: string): string {
  const moved = new URL(url);
  moved.pathname = `/${database}`;
  return moved.href;
}

// As fast and as patient as it can be: nothing on disk, no bound on what waits for the subscriber, no log.
function mosquittoConfig(port: number, identity: Identity | null): string {
  const tls =
    identity === null
      ? []
      : [`cafile ${identity.caPath}`, `certfile ${identity.certPath}`, `keyfile ${identity.keyPath}`, 'require_certificate true'];
  return [
    `listener ${port} 127.0.0.1`,
    ...tls,
    'allow_anonymous true',
    'persistence false',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'set_tcp_nodelay true',
    'log_dest none',
    `user ${userInfo().username}`, // started by root it would change to a user that may not read the key
    '',
  ].join('\n');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function endWithUs(child: ChildProcess): void {
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.removeListener('exit', kill));
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new BenchError('a process did not start');
  return child.pid;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await once(child, 'exit');
  clearTimeout(timer);
}

/** The first message or line of output; an error when the process ends or stays silent instead. */
async function firstOf(child: ChildProcess, from: 'message' | 'stdout', what: string): Promise<unknown> {
  const signal = AbortSignal.timeout(20_000);
  const source = from === 'stdout' ? child.stdout : child;
  if (source === null) throw new BenchError(`${what} has no output`);
  const first = once(source, from === 'stdout' ? 'data' : 'message', { signal }).then(([value]: unknown[]) => value);
  const gone = once(child, 'exit', { signal }).then((): never => {
    throw new BenchError(`${what} ended before it was ready; its messages are above`);
  });
  gone.catch(() => {}); // the one that loses the race is nobody's concern
  first.catch(() => {}); // likewise
  return Promise.race([first, gone]);
}
