type Sample = { readonly atMs: number; readonly value: number };

const WINDOW_MS = 30_000;
const MIN_SPAN_MS = 1_000;

/** How fast a number grows, per second, over the last half minute. */
export class Rate {
  #samples: Sample[] = [];

  add(value: number, atMs: number): void {
    this.#samples.push({ atMs, value });
    while (this.#samples.length > 2 && atMs - (this.#samples[1]?.atMs ?? atMs) >= WINDOW_MS) this.#samples.shift();
  }

  /** 0 until there is enough to tell. */
  get perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < MIN_SPAN_MS) return 0;
    return ((last.value - first.value) * 1000) / (last.atMs - first.atMs);
  }
}

/** When un-acknowledged chunks will have filled the outbox, at the present pace; null if they will not. */
export function secondsUntilFull(pendingBytes: number, maxBytes: number, bytesPerSecond: number): number | null {
  if (bytesPerSecond <= 0) return null;
  return Math.max(0, Math.round((maxBytes - pendingBytes) / bytesPerSecond));
}
