import { join } from 'node:path';
import { type Clock, KeptJson, type Lifecycle, type Log, type Timer } from '@vitalwire/runtime';
import { KeptLevels, type KnownLevels } from './known-levels.ts';

/** What is lost when the service is killed: levels move slowly. */
const SAVE_MS = 2_000;

export type LevelsKeeperOptions = {
  readonly levels: KnownLevels;
  readonly modelHash: string;
  /** '' keeps them in memory only. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
};

/** Keeps on the local disk what each device was compared with, so that what is shown after a restart is judged by it before storage is read. */
export class LevelsKeeper implements Lifecycle {
  readonly #options: LevelsKeeperOptions;
  readonly #file: KeptJson<KeptLevels>;
  #timer: Timer | null = null;
  #saving: Promise<void> = Promise.resolve();
  #savedRevision = 0;
  #stopped = false;

  constructor(options: LevelsKeeperOptions) {
    this.#options = options;
    const path = options.dataDir === '' ? null : join(options.dataDir, 'levels.json');
    this.#file = new KeptJson({ path, schema: KeptLevels, what: 'the baselines of devices', log: options.log });
  }

  async start(): Promise<void> {
    const { levels, modelHash } = this.#options;
    const kept = await this.#file.load();
    if (kept?.modelHash === modelHash) levels.restore(kept); // another model's levels are of another measure
    this.#savedRevision = levels.revision;
    this.#later();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#saving;
    await this.#save();
  }

  #later(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(SAVE_MS, () => {
      this.#saving = this.#save().finally(() => this.#later());
    });
  }

  async #save(): Promise<void> {
    const { levels, modelHash } = this.#options;
    const { revision } = levels;
    if (revision === this.#savedRevision) return;
    this.#savedRevision = revision;
    await this.#file.save({ modelHash, ...levels.keep() });
  }
}
