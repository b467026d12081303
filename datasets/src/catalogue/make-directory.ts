import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes a directory and those above it, one by one: where nothing can be made (/proc), Node's own recursive mkdir tries for ever. For the owner alone: it may be the first directory of an installation. */
export async function makeDirectory(directory: string): Promise<void> {
  if ((await stat(directory).catch(() => null))?.isDirectory() === true) return;
  const above = dirname(directory);
  if (above !== directory) await makeDirectory(above);
  await mkdir(directory, { mode: 0o700 }).catch(async (cause: unknown) => {
    // Another download may have been faster.
    if ((await stat(directory).catch(() => null))?.isDirectory() !== true) throw cause;
  });
}
