import type { Outgoing } from './live-hub.ts';

export type RecentLimits = { readonly keepMs: number; readonly maxBytes: number };
/** One page of a strip, for all devices together in bounded memory. */
const recentLimits: RecentLimits = { keepMs: 10_000, maxBytes: 32 * 1024 * 1024 };

type Kept = { readonly outgoing: Outgoing; readonly atMs: number };

/** The EEG frames of the last seconds, so that a strip that is opened shows a page at once instead of filling up for ten seconds. */
export class RecentFrames {
  readonly #limits: RecentLimits;
  #kept: Kept[] = [];
  #from = 0; // what lies before it was forgotten
  #bytes = 0;

  constructor(limits: RecentLimits = recentLimits) {
    this.#limits = limits;
  }

  keep(outgoing: Outgoing, nowMs: number): void {
    this.#kept.push({ outgoing, atMs: nowMs });
    this.#bytes += outgoing.frame.byteLength;
    for (let oldest = this.#kept[this.#from]; oldest !== undefined; oldest = this.#kept[this.#from]) {
      if (nowMs - oldest.atMs <= this.#limits.keepMs && this.#bytes <= this.#limits.maxBytes) break;
      this.#bytes -= oldest.outgoing.frame.byteLength;
      this.#from += 1;
    }
    if (this.#from > 1_024 && this.#from > this.#kept.length / 2) {
      this.#kept = this.#kept.slice(this.#from);
      this.#from = 0;
    }
  }

  /** Oldest first. */
  *since(nowMs: number): Generator<Outgoing> {
    for (let index = this.#from; index < this.#kept.length; index++) {
      const kept = this.#kept[index];
      if (kept !== undefined && nowMs - kept.atMs <= this.#limits.keepMs) yield kept.outgoing;
    }
  }
}
