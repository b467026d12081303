import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatasetError } from '../dataset-error.ts';
import { alone, lockName, readLock } from './dataset-lock.ts';
import type { Dataset } from './entry.ts';

/** Removes what a fetch brought, and what it left half done; folders that are empty then go too. Other files stay. */
export async function removeDataset(directory: string, { name }: Dataset): Promise<{ readonly files: number; readonly bytes: number }> {
  const lock = await readLock(directory);
  if (lock === null) return { files: 0, bytes: 0 };
  if (lock.dataset !== name)
    throw new DatasetError('OPTION_REFUSED', `${directory} holds ${lock.dataset}, not ${name}: nothing was removed`);
  let [files, bytes] = [0, 0];
  await alone(directory, async () => {
    for (const path of Object.keys(lock.files)) {
      const file = join(directory, ...path.split('/'));
      for (const one of [file, `${file}.part`, `${file}.part.json`, `${file}.damaged`]) {
        const found = await stat(one).catch(() => null);
        if (found === null) continue;
        if (!one.endsWith('.part.json')) [files, bytes] = [files + 1, bytes + found.size];
        await rm(one, { force: true });
      }
    }
    await rm(join(directory, lockName), { force: true });
  });
  const folders = new Set(Object.keys(lock.files).map((path) => dirname(join(directory, ...path.split('/')))));
  for (const folder of [...folders, directory].sort((a, b) => b.length - a.length))
    if ((await readdir(folder).catch(() => ['unknown'])).length === 0) await rmdir(folder);
  return { files, bytes };
}
