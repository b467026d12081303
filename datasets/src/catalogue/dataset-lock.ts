import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { bonnDigest, unpackBonn } from '../bonn/archive.ts';
import { DatasetError } from '../dataset-error.ts';
import { writeWhole } from '../whole-file.ts';
import type { FileContents } from './entry.ts';
import { makeDirectory } from './make-directory.ts';
import { isSafePath } from './safe-path.ts';

export const lockName = 'vitalwire-lock.json';
const RUNNING = '.vitalwire-fetch.pid';

const LockedFile = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** What the checksum is of; the bytes of the file unless this says otherwise. */
  contents: z.literal('bonn-segments').optional(),
  /** Size and time of change when the bytes were last compared: a file that still has both is not read again by a fetch. */
  verified: z.strictObject({ bytes: z.int().min(0), modifiedMs: z.number() }).nullable(),
});

const Lock = z.strictObject({
  version: z.literal(1),
  dataset: z.string(),
  /** Where the checksums come from, in words. */
  checksumsFrom: z.string(),
  pinnedAt: z.string(),
  files: z.record(z.string().refine(isSafePath), LockedFile),
});

/** The checksums of a data set as they were first met. They are compared with whatever a source lists later. */
export type DatasetLock = z.infer<typeof Lock>;

export async function readLock(directory: string): Promise<DatasetLock | null> {
  const file = join(directory, lockName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return null;
    throw cause;
  }
  try {
    return Lock.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : String(cause);
    throw new DatasetError('LOCK_UNREADABLE', `${file}: ${reason}; if you do not know its checksums elsewhere, delete it and fetch again`, {
      cause,
    });
  }
}

export async function writeLock(directory: string, lock: DatasetLock): Promise<void> {
  await writeWhole(join(directory, lockName), (file) => file.writeFile(`${JSON.stringify(lock, null, 1)}\n`));
}

/** What a file's content is held against. */
export type Checksum = { readonly sha256: string; readonly contents?: FileContents | undefined };

/** Adds what a source lists to what is pinned; a checksum that differs is an error, never a silent update. */
export function pin(lock: DatasetLock, listed: ReadonlyMap<string, Checksum>, sourceName: string, directory: string): DatasetLock {
  const files = { ...lock.files };
  for (const [path, { sha256, contents }] of listed) {
    const pinned = files[path];
    if (pinned !== undefined && pinned.sha256 !== sha256)
      throw new DatasetError(
        'LISTING_CHANGED',
        `${path}: ${sourceName} says ${sha256}, pinned on ${lock.pinnedAt} was ${pinned.sha256} (${lock.checksumsFrom}). If the publisher has really replaced it, delete ${join(directory, lockName)}`,
      );
    files[path] ??= { sha256, ...(contents === undefined ? {} : { contents }), verified: null };
  }
  return { ...lock, files };
}

/** Keeps a second fetch out of the directory while `work` runs; what a killed one left behind does not count. */
export async function alone<T>(directory: string, work: () => Promise<T>): Promise<T> {
  await makeDirectory(directory);
  const file = join(directory, RUNNING);
  for (let tries = 0; ; tries++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
      const pid = Number(await readFile(file, 'utf8').catch(() => ''));
      if (tries > 3 || (pid > 0 && isAlive(pid)))
        throw new DatasetError('FETCH_RUNNING', `${directory} (process ${pid}); wait for it, or choose another place with --to`);
      await rm(file, { force: true });
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** In place of a checksum, of a file that cannot be unpacked. */
export const noArchive = 'none: not an archive of the collection';

/** The checksum of a file, over what its catalogue entry says: its bytes, or the segments in it. */
export async function checksumOf(file: string, contents?: FileContents): Promise<string> {
  if (contents === undefined) return sha256Of(file);
  try {
    return bonnDigest(unpackBonn(await readFile(file), file));
  } catch (cause) {
    if (cause instanceof DatasetError) return noArchive;
    throw cause;
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}
