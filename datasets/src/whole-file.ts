import { type FileHandle, open, rename, rm } from 'node:fs/promises';

/** Writes a file that appears under its name only when it is whole; what fails or is stopped leaves nothing behind. */
export async function writeWhole(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const part = `${path}.part`;
  const handle = await open(part, 'w');
  try {
    await write(handle);
    await handle.sync();
    await handle.close();
    await rename(part, path);
  } catch (error) {
    await handle.close().catch(() => {}); // closed already when it was the rename that failed
    await rm(part, { force: true });
    throw error;
  }
}
