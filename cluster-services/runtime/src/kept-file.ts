import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RuntimeError } from './errors.ts';

/** Whose a new file shall be, where that is not whoever runs this. */
export type Owner = { readonly uid: number; readonly gid: number };

/**
 * What is in a file of state; null if there is none yet. That it cannot be read (rights, a sick disk, too many open files) is another
 * thing: taken for a first start it would be replaced, and what was in it would be gone.
 */
export async function readKept(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw new RuntimeError('KEPT_UNREADABLE', `${path} (${codeOf(cause)}); it is left as it is`, { cause });
  }
}

/** Writes a file that its owner alone can read, whole or not at all: beside it, onto the disk, then in its place. */
export async function writeKept(path: string, text: string, owner: Owner | null = null): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}~`; // '~' is in no id: who lists ids passes it over
  try {
    await withFile(temporary, 'wx', async (file) => {
      await file.writeFile(text);
      if (owner !== null) await file.chown(owner.uid, owner.gid);
      await file.sync();
    });
    await rename(temporary, path);
    await withFile(dirname(path), 'r', (directory) => directory.sync()); // or a power failure may bring the old name back
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {}); // what matters is why it could not be written
    const why = codeOf(cause) === 'ENOSPC' ? 'the disk is full; free some space' : codeOf(cause);
    throw new RuntimeError('KEPT_UNWRITABLE', `${path} (${why})`, { cause });
  }
}

/**
 * Makes a directory and those above it, for their owner alone. One by one: Node's own recursion never comes back where a parent takes no
 * directories, as in /proc.
 */
export async function makeKeptDir(path: string): Promise<void> {
  try {
    await makeEach(path);
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    throw new RuntimeError('KEPT_UNWRITABLE', `${path} cannot be made (${codeOf(cause)})`, { cause });
  }
}

async function makeEach(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (found?.isDirectory() === true) return;
  if (found !== null) throw new RuntimeError('KEPT_UNWRITABLE', `${path} is no directory`);
  const parent = dirname(path);
  if (parent !== path) await makeEach(parent);
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error; // somebody else was as quick
  });
}

async function withFile(path: string, flags: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await work(file);
  } finally {
    await file.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
