import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Montage, Registry } from '@vitalwire/contract';
import type { Log } from '@vitalwire/runtime';
import { z } from 'zod';

/** What screens need to start while storage is down: who is known, who wears what, and how to read their samples. */
export const Snapshot = z.object({
  version: z.literal(1),
  savedAtUs: z.number(),
  registry: Registry.nullable(),
  montages: z.array(Montage),
});
export type Snapshot = z.infer<typeof Snapshot>;

/** One small file, replaced as a whole. A snapshot that cannot be read or written is logged and never stops the service. */
export class SnapshotFile {
  readonly #path: string | null;
  readonly #log: Log;
  #saving: Promise<void> = Promise.resolve();

  constructor(dataDir: string, log: Log) {
    this.#path = dataDir === '' ? null : join(dataDir, 'web-snapshot.json');
    this.#log = log;
  }

  async load(): Promise<Snapshot | null> {
    if (this.#path === null) return null;
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch {
      return null; // the first start
    }
    try {
      return Snapshot.parse(JSON.parse(text));
    } catch (err) {
      this.#log.warn({ err, path: this.#path }, 'the last-known registry cannot be read; screens start without it');
      return null;
    }
  }

  /** One save at a time, in order. */
  save(snapshot: Snapshot): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write(snapshot));
    return this.#saving;
  }

  async #write(snapshot: Snapshot): Promise<void> {
    if (this.#path === null) return;
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const draft = `${this.#path}.new`;
      await writeFile(draft, JSON.stringify(snapshot), { mode: 0o600 }); // it holds patients' labels
      await rename(draft, this.#path);
    } catch (err) {
      this.#log.warn({ err, path: this.#path }, 'the last-known registry could not be saved; it is kept in memory');
    }
  }
}
