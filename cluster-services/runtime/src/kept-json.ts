import { dirname } from 'node:path';
import type { z } from 'zod';
import { makeKeptDir, readKept, writeKept } from './kept-file.ts';
import type { Log } from './log.ts';

export type KeptJsonOptions<Kept> = {
  /** null keeps nothing: what is saved is gone with the process. */
  readonly path: string | null;
  readonly schema: z.ZodType<Kept>;
  /** What it holds, in the words of the log: "the last-known registry". */
  readonly what: string;
  readonly log: Pick<Log, 'warn'>;
};

/**
 * What a service knows and would have to ask for again after a restart, as one JSON file that is replaced as a whole. It never stops a
 * service: what cannot be read, or written on a full disk, costs a warning. Nobody has to wait for the disk: the newest save counts.
 */
export class KeptJson<Kept> {
  readonly #options: KeptJsonOptions<Kept>;
  #newest: { readonly value: Kept } | null = null;
  #saving: Promise<void> = Promise.resolve();
  #isFailing = false; // a full disk is told when it begins

  constructor(options: KeptJsonOptions<Kept>) {
    this.#options = options;
  }

  /** null: nothing was saved, or it cannot be understood. */
  async load(): Promise<Kept | null> {
    const { path, schema, what, log } = this.#options;
    if (path === null) return null;
    try {
      const text = await readKept(path);
      return text === null ? null : schema.parse(JSON.parse(text));
    } catch (err) {
      log.warn({ err, path }, `${what} cannot be read: the start is without it, and the next save replaces the file`);
      return null;
    }
  }

  /** Resolves when this, or something newer, is on the disk or could not be written. */
  save(value: Kept): Promise<void> {
    this.#newest = { value };
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  /** Resolves when nothing waits to be written. */
  saved(): Promise<void> {
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { path, what, log } = this.#options;
    const newest = this.#newest;
    this.#newest = null;
    if (path === null || newest === null) return;
    try {
      await makeKeptDir(dirname(path));
      await writeKept(path, JSON.stringify(newest.value));
      this.#isFailing = false;
    } catch (err) {
      if (!this.#isFailing) log.warn({ err, path }, `${what} could not be saved: kept in memory, and lost if the service restarts`);
      this.#isFailing = true;
    }
  }
}
