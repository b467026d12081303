import type { Clock, KeptJson, Lifecycle, Timer } from '@vitalwire/runtime';
import type { KeptWard } from './kept-ward.ts';
import type { Ward } from './ward.ts';

const SAVE_MS = 1_000;
/** Saving takes at most this share of the time, so that a large ward is saved more seldom. */
const SAVE_SHARE = 0.02;

export type WardKeeperOptions = { readonly file: KeptJson<KeptWard>; readonly ward: Ward; readonly clock: Clock };

/** Keeps what screens show on the local disk, so that it stands there again after a restart, also while no other service answers. */
export class WardKeeper implements Lifecycle {
  readonly #options: WardKeeperOptions;
  #timer: Timer | null = null;
  #saving: Promise<void> = Promise.resolve();
  #savedRevision = -1;
  #stopped = false;

  constructor(options: WardKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { file, ward } = this.#options;
    const kept = await file.load();
    if (kept !== null) ward.restore(kept);
    this.#later(SAVE_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#saving;
    await this.#save();
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      const beganMs = this.#options.clock.monotonicMs();
      this.#saving = this.#save().finally(() => {
        const tookMs = this.#options.clock.monotonicMs() - beganMs;
        this.#later(Math.max(SAVE_MS, tookMs / SAVE_SHARE));
      });
    });
  }

  async #save(): Promise<void> {
    const { file, ward, clock } = this.#options;
    const { revision } = ward;
    if (revision === this.#savedRevision) return;
    this.#savedRevision = revision;
    await file.save({ version: 2, savedAtUs: clock.nowUs(), ...ward.keep() });
  }
}
