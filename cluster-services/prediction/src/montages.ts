import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ChannelScale, hashMontage, Montage } from '@vitalwire/contract';
import type { Log } from '@vitalwire/runtime';
import { RecentMap } from '@vitalwire/runtime';
import { z } from 'zod';

/** How many montages are remembered; beyond it the one not used for longest is forgotten. */
const MAX_MONTAGES = 256;

const Stored = z.array(Montage.shape.channels);

/**
 * The channels behind each montage hash. Every chunk names its montage, so a montage seen once, in any recording, is enough to score
 * chunks whose start record was missed while storage cannot be asked.
 */
export class Montages {
  readonly #path: string | null;
  readonly #log: Pick<Log, 'warn'>;
  readonly #known = new RecentMap<string, readonly ChannelScale[]>(MAX_MONTAGES); // last in the map = used last

  /** `dataDir` '' keeps them in memory only. */
  constructor(dataDir: string, log: Pick<Log, 'warn'>) {
    this.#path = dataDir === '' ? null : join(dataDir, 'montages.json');
    this.#log = log;
  }

  get size(): number {
    return this.#known.size;
  }

  get(hash: string): readonly ChannelScale[] | undefined {
    return this.#known.get(hash);
  }

  /** Remembers a montage, on disk too if it is new. */
  add(channels: readonly ChannelScale[]): void {
    if (this.#remember(channels)) this.#save();
  }

  /** Reads what an earlier run knew. A missing file is a first start; a damaged one costs a warning, not the start. */
  load(): void {
    if (this.#path === null) return;
    try {
      for (const channels of Stored.parse(JSON.parse(readFileSync(this.#path, 'utf8')))) this.#remember(channels);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      this.#log.warn({ err: error, path: this.#path }, 'remembered montages are lost; they come back with the next recordings');
    }
  }

  #remember(channels: readonly ChannelScale[]): boolean {
    const hash = hashMontage(channels);
    const isNew = !this.#known.delete(hash);
    this.#known.set(hash, channels);
    return isNew;
  }

  /** Beside the old file, then in its place. A full disk must not stop scoring. */
  #save(): void {
    if (this.#path === null) return;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      writeFileSync(`${this.#path}.new`, JSON.stringify([...this.#known.values()]), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#log.warn({ err: error, path: this.#path }, 'montages could not be remembered on disk');
    }
  }
}
