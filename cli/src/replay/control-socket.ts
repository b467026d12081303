import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CliError } from '../errors.ts';
import { type DataDir, writeWhole } from '../stack/data-dir.ts';
import { ControlAnswer, type ControlRequest } from './control.ts';
import { manifestPath, readManifest } from './manifest.ts';

// The path of a Unix socket has room for about 100 bytes; where a data directory lies deeper, the socket lies elsewhere.
const MAX_PATH_BYTES = 100;
const MAX_LINE = 4_096;
const MAX_CLIENTS = 16;
const ANSWER_MS = 5_000;
const ending = '.control'; // the file that says where the socket is; readable by its owner only, like the socket

/** Listens for those who control a replay: only this user can reach it. */
export class ControlSocket {
  readonly #file: string;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #cleanUp: () => Promise<void>;

  static async listen(dirs: DataDir, id: string, answer: (text: string) => ControlAnswer): Promise<ControlSocket> {
    const beside = path.join(dirs.replays, `${id}.sock`);
    const elsewhere = Buffer.byteLength(beside) > MAX_PATH_BYTES ? await mkdtemp(path.join(tmpdir(), 'vw-')) : null;
    const socket = process.platform === 'win32' ? `\\\\.\\pipe\\vitalwire-${id}` : elsewhere === null ? beside : path.join(elsewhere, 's');
    const server = createServer();
    server.maxConnections = MAX_CLIENTS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, resolve);
    });
    if (process.platform !== 'win32') await chmod(socket, 0o600);
    const file = path.join(dirs.replays, `${id}${ending}`);
    await writeWhole(file, socket);
    return new ControlSocket(server, file, answer, async () => {
      if (elsewhere !== null) await rm(elsewhere, { recursive: true, force: true });
    });
  }

  private constructor(server: Server, file: string, answer: (text: string) => ControlAnswer, cleanUp: () => Promise<void>) {
    this.#server = server;
    this.#file = file;
    this.#cleanUp = cleanUp;
    server.unref();
    server.on('connection', (client) => {
      this.#clients.add(client);
      client.on('close', () => this.#clients.delete(client));
      client.on('error', () => client.destroy());
      readLines(client, (line) => client.write(`${JSON.stringify(answer(line))}\n`));
    });
  }

  async close(): Promise<void> {
    await rm(this.#file, { force: true });
    for (const client of this.#clients) client.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#cleanUp();
  }
}

/** Asks a running replay for something. */
export async function askReplay(dirs: DataDir, id: string, request: ControlRequest): Promise<ControlAnswer & { ok: true }> {
  const known = runningReplays(dirs);
  const found = known.filter((one) => one === id || one.startsWith(id));
  const [name] = found;
  const others = known.length === 0 ? 'none is running here' : `running here: ${known.join(', ')}`;
  if (name === undefined) throw new CliError('NO_REPLAY', `${id}; ${others}`);
  if (found.length > 1 && !found.includes(id)) throw new CliError('WRONG_ARGUMENT', `'${id}' fits ${found.join(' and ')}; give more of it`);
  const file = path.join(dirs.replays, `${found.includes(id) ? id : name}${ending}`);
  const text = await exchange(readFileSync(file, 'utf8').trim(), JSON.stringify(request)).catch(async (cause: unknown) => {
    if (isGone(cause)) await rm(file, { force: true }); // its process was killed
    throw new CliError('NO_REPLAY', `${name} does not answer${isGone(cause) ? ': it has ended' : ''}`, { cause });
  });
  const answer = ControlAnswer.safeParse(JSON.parse(text));
  if (!answer.success) throw new CliError('NO_REPLAY', `${name} answers in another way than this release expects`);
  if (!answer.data.ok) throw new CliError('WRONG_ARGUMENT', answer.data.error);
  return answer.data;
}

/**
 * Refuses patients that another replay is sending: two senders as one device break each other's recordings into pieces too short to be judged.
 * A replay that was killed is none.
 */
export async function refuseSecondSender(dirs: DataDir, patients: readonly string[]): Promise<void> {
  for (const id of runningReplays(dirs)) {
    const file = manifestPath(dirs, id);
    const sent = existsSync(file) ? readManifest(file).patients.map((patient) => patient.id) : [];
    const both = patients.filter((patient) => sent.includes(patient));
    if (both.length === 0 || !(await isAlive(dirs, id))) continue;
    const named = both.length > 3 ? `${both.slice(0, 3).join(', ')} and ${both.length - 3} more` : both.join(', ');
    throw new CliError('PATIENT_REPLAYED', `${named}, by the replay ${id}; end it (Ctrl-C where it runs), or replay another source`);
  }
}

function isAlive(dirs: DataDir, id: string): Promise<boolean> {
  return askReplay(dirs, id, { do: 'status' }).then(
    () => true,
    () => false,
  );
}

/** The replays of this data directory that say they are running. */
export function runningReplays(dirs: DataDir): string[] {
  try {
    return readdirSync(dirs.replays)
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length))
      .sort();
  } catch {
    return [];
  }
}

function exchange(socket: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = connect(socket);
    client.setTimeout(ANSWER_MS, () => client.destroy(new Error('no answer in time')));
    client.on('error', reject);
    client.on('close', () => reject(new Error('closed without an answer')));
    client.on('connect', () => client.write(`${line}\n`));
    readLines(client, (answer) => {
      resolve(answer);
      client.end();
    });
  });
}

function readLines(client: Socket, onLine: (line: string) => void): void {
  let text = '';
  client.setEncoding('utf8');
  client.on('data', (part: string) => {
    text += part;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      onLine(text.slice(0, end));
      text = text.slice(end + 1);
    }
    if (text.length > MAX_LINE) client.destroy();
  });
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT');
}
