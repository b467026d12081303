import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { CliError } from '../errors.ts';

/** Where everything of one installation lies. */
export type DataDir = {
  readonly root: string;
  readonly pki: string;
  readonly secrets: string;
  readonly logs: string;
  readonly edge: string;
  readonly edgeTokens: string;
  readonly replays: string;
  readonly state: string; // what services may remember locally, one directory each
  readonly stackFile: string;
  readonly portsFile: string;
  readonly lockFile: string;
};

/** A user whose number nobody knows, and who has no HOME, has no folder of their own. */
function homeFolder(): string {
  try {
    return homedir();
  } catch (cause) {
    throw new CliError('WRONG_ARGUMENT', 'this user has no home directory: name a data directory with --data or VITALWIRE_DATA', { cause });
  }
}

/** The data directory that `--data` or VITALWIRE_DATA names, `~/.vitalwire` otherwise. */
export function resolveDataDir(option: string | undefined, env: Readonly<Record<string, string | undefined>>): DataDir {
  // An empty --data is most often a variable that is not set; taken literally it would fill the current directory.
  if (option?.trim() === '') throw new CliError('WRONG_ARGUMENT', '--data is empty: name a directory');
  const root = path.resolve(option ?? (env['VITALWIRE_DATA'] || path.join(homeFolder(), '.vitalwire')));
  return {
    root,
    pki: path.join(root, 'pki'),
    secrets: path.join(root, 'secrets'),
    logs: path.join(root, 'logs'),
    edge: path.join(root, 'edge'),
    edgeTokens: path.join(root, 'edge', 'tokens'),
    replays: path.join(root, 'replays'),
    state: path.join(root, 'state'),
    stackFile: path.join(root, 'stack.json'),
    portsFile: path.join(root, 'ports.json'),
    lockFile: path.join(root, 'stack.lock'),
  };
}

/** Makes the directories, readable by their owner only: they hold patients' data and keys. */
export async function makeDirectories(dirs: DataDir): Promise<void> {
  try {
    for (const one of [dirs.root, dirs.pki, dirs.secrets, dirs.logs, dirs.edge, dirs.edgeTokens, dirs.replays, dirs.state]) {
      await makeDirectory(one);
    }
    await chmod(dirs.secrets, 0o700);
  } catch (cause) {
    throw new CliError('DATA_UNWRITABLE', `${dirs.root} (${codeOf(cause)}); choose another with --data, or change its rights`, { cause });
  }
}

// One by one from the top: where nothing can be made (/proc), Node's own recursive mkdir tries for ever.
async function makeDirectory(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  const above = path.dirname(directory);
  if (above !== directory) await makeDirectory(above);
  await mkdir(directory, { mode: 0o700 }).catch((cause: unknown) => {
    if (codeOf(cause) !== 'EEXIST') throw cause; // another process was faster
  });
}

/** The path of a secret of this installation; made at first use, never changed. */
export async function ensureSecret(dirs: DataDir, name: string): Promise<string> {
  const file = path.join(dirs.secrets, `${name}.token`);
  await ensureTokenFile(file);
  return file;
}

/** Makes a file with a new random token, unless it is there; returns the token. */
export async function ensureTokenFile(file: string): Promise<string> {
  if (!existsSync(file)) {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const fresh = `${file}.${randomBytes(4).toString('hex')}.new`;
    await writeNew(fresh, `${randomBytes(32).toString('base64url')}\n`);
    await link(fresh, file).catch((cause: unknown) => {
      if (codeOf(cause) !== 'EEXIST') throw cause; // another process made it in the same moment: theirs counts
    });
    await rm(fresh, { force: true });
  }
  return (await readFile(file, 'utf8')).trim();
}

/** Writes a file so that a reader sees the old or the new text, never half of one. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const fresh = `${file}.${randomBytes(4).toString('hex')}.new`;
  await writeNew(fresh, text);
  await rename(fresh, file);
}

/** Makes a file of one's own, or leaves none: on a full disk half a file would take the last bytes, and the error would not name it. */
async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    await rm(file, { force: true });
    if (codeOf(cause) !== 'ENOSPC') throw cause;
    throw new CliError(
      'DATA_UNWRITABLE',
      `the disk of ${path.dirname(file)} is full; free some space, or choose another directory with --data`,
      {
        cause,
      },
    );
  }
}

/** Claims the directory for this process; a second claim is refused while the first one's process lives. */
export async function lockDataDir(dirs: DataDir): Promise<{ release(): Promise<void> }> {
  const mine = JSON.stringify({ pid: process.pid, started: processStart(process.pid) });
  for (let attempt = 0; attempt < 5; attempt++) {
    const fresh = `${dirs.lockFile}.${randomBytes(4).toString('hex')}.new`;
    await writeNew(fresh, mine);
    try {
      await link(fresh, dirs.lockFile); // fails where a lock exists, and the lock appears with its content
      return { release: () => rm(dirs.lockFile, { force: true }) };
    } catch (cause) {
      if (codeOf(cause) !== 'EEXIST') throw new CliError('DATA_UNWRITABLE', `${dirs.root} (${codeOf(cause)})`, { cause });
    } finally {
      await rm(fresh, { force: true });
    }
    const owner = readLock(dirs.lockFile);
    if (owner !== null && isSameProcess(owner)) {
      throw new CliError(
        'DATA_IN_USE',
        `${dirs.root} belongs to the stack of process ${owner.pid}; stop that one, or choose another directory with --data`,
      );
    }
    // Its process is gone (killed, power lost). Renaming makes sure that only one of two newcomers clears it away.
    const aside = `${dirs.lockFile}.${randomBytes(4).toString('hex')}.stale`;
    await rename(dirs.lockFile, aside).catch(() => {}); // the other newcomer was first
    await rm(aside, { force: true });
  }
  throw new CliError('DATA_IN_USE', `${dirs.root}: several processes try to take it at once`);
}

type LockOwner = { pid: number; started: string | null };

function readLock(file: string): LockOwner | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') return null;
    return { pid: value.pid, started: 'started' in value && typeof value.started === 'string' ? value.started : null };
  } catch {
    return null;
  }
}

function isSameProcess(owner: LockOwner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false;
  }
  return owner.started === null || owner.started === processStart(owner.pid); // after a reboot the same number is another process
}

/** When a process started, as Linux tells it; null elsewhere. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return null;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}
