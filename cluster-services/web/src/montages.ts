import type { Montage, RecordingStart } from '@vitalwire/contract';
import { RecentMap } from '@vitalwire/runtime';

const maxMontages = 1_000;

/** How to read samples, by montage hash: a live chunk names its montage, and its start record may still wait in a backlog. */
export class Montages {
  readonly #montages = new RecentMap<string, Montage>(maxMontages);

  /** True when it was not known before. The oldest is forgotten at the limit. */
  remember({ montageHash, channels }: Pick<RecordingStart, 'montageHash' | 'channels'>): boolean {
    if (channels.length === 0 || this.#montages.has(montageHash)) return false;
    this.#montages.set(montageHash, { montageHash, channels: [...channels] });
    return true;
  }

  get(montageHash: string): Montage | null {
    return this.#montages.get(montageHash) ?? null;
  }

  all(): Montage[] {
    return [...this.#montages.values()];
  }
}
