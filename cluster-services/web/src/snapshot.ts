import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Montage, Registry } from '@vitalwire/contract';
import type { Log } from '@vitalwire/runtime';
import { z } from 'zod';
import { KeptWard } from './kept-ward.ts';

/** What screens need to start while storage is down: who is known, who wears what, and how to read their samples. */
export const Snapshot = z.object({
  version: z.literal(1),
  savedAtUs: z.number(),
  registry: Registry.nullable(),
  montages: z.array(Montage),
});
export type Snapshot = z.infer<typeof Snapshot>;

export type SnapshotFileOptions<Kept> = {
  readonly dataDir: string; // empty: in memory only
  readonly name: string;
  readonly what: string; // in the words of the log
  readonly schema: z.ZodType<Kept>;
  readonly log: Log;
};

/** One file, replaced as a whole. A snapshot that cannot be read or written is logged and never stops the service. */
export class SnapshotFile<Kept> {
  readonly #path: string | null;
  readonly #options: SnapshotFileOptions<Kept>;
  #saving: Promise<void> = Promise.resolve();
  #isFailing = false; // a full disk is told when it begins

  constructor(options: SnapshotFileOptions<Kept>) {
    this.#path = options.dataDir === '' ? null : join(options.dataDir, options.name);
    this.#options = options;
  }

  async load(): Promise<Kept | null> {
    if (this.#path === null) return null;
    const { schema, what, log } = this.#options;
    try {
      return schema.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (err) {
      // Only a file that is not there is a first start.
      if (err instanceof Error && 'code' in err && err.code === 'ENOENT') return null;
      log.warn({ err, path: this.#path }, `the last-known ${what} cannot be read; screens start without it`);
      return null;
    }
  }

  /** One save at a time, in order. */
  save(kept: Kept): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write(kept));
    return this.#saving;
  }

  async #write(kept: Kept): Promise<void> {
    if (this.#path === null) return;
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const draft = `${this.#path}.new`;
      await writeFile(draft, JSON.stringify(kept), { mode: 0o600 }); // it holds patients' labels
      await rename(draft, this.#path);
      this.#isFailing = false;
    } catch (err) {
      const { what, log } = this.#options;
      if (!this.#isFailing) log.warn({ err, path: this.#path }, `the last-known ${what} could not be saved; it is kept in memory`);
      this.#isFailing = true;
    }
  }
}

export function registryFile(dataDir: string, log: Log): SnapshotFile<Snapshot> {
  return new SnapshotFile({ dataDir, name: 'web-snapshot.json', what: 'registry', schema: Snapshot, log });
}

export function wardFile(dataDir: string, log: Log): SnapshotFile<KeptWard> {
  return new SnapshotFile({ dataDir, name: 'web-ward.json', what: 'values', schema: KeptWard, log });
}
