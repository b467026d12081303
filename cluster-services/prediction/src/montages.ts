import { join } from 'node:path';
import { type ChannelScale, hashMontage, Montage } from '@vitalwire/contract';
import { KeptJson, type Log, RecentMap } from '@vitalwire/runtime';
import { z } from 'zod';

/** How many montages are remembered; beyond it the one not used for longest is forgotten. */
const MAX_MONTAGES = 256;

const Stored = z.array(Montage.shape.channels);

/**
 * The channels behind each montage hash. Every chunk names its montage, so a montage seen once, in any recording, is enough to score
 * chunks whose start record was missed while storage cannot be asked.
 */
export class Montages {
  readonly #file: KeptJson<ChannelScale[][]>;
  readonly #known = new RecentMap<string, readonly ChannelScale[]>(MAX_MONTAGES); // last in the map = used last

  /** `dataDir` '' keeps them in memory only. */
  constructor(dataDir: string, log: Pick<Log, 'warn'>) {
    this.#file = new KeptJson({
      path: dataDir === '' ? null : join(dataDir, 'montages.json'),
      schema: Stored,
      what: 'the known montages',
      log,
    });
  }

  get size(): number {
    return this.#known.size;
  }

  get(hash: string): readonly ChannelScale[] | undefined {
    return this.#known.get(hash);
  }

  /** Remembers a montage, on disk too if it is new. */
  add(channels: readonly ChannelScale[]): void {
    if (this.#remember(channels)) void this.#file.save([...this.#known.values()].map((known) => [...known]));
  }

  /** Reads what an earlier run knew. */
  async load(): Promise<void> {
    for (const channels of (await this.#file.load()) ?? []) this.#remember(channels);
  }

  /** Resolves when what is remembered is on the disk, as far as it can be written. */
  saved(): Promise<void> {
    return this.#file.saved();
  }

  #remember(channels: readonly ChannelScale[]): boolean {
    const hash = hashMontage(channels);
    const isNew = !this.#known.delete(hash);
    this.#known.set(hash, channels);
    return isNew;
  }
}
