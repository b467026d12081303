/** Lets everything else that waits for the event loop go first: heavy queries are done in slices with this between them. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** How long a slice of work may hold the event loop. */
const SLICE_MS = 8;

/** A pace for loops: `await pace.step()` yields whenever a slice is used up, and stops when nobody waits for the answer any more. */
export class Pace {
  #sinceMs = performance.now();
  readonly #signal: AbortSignal | null;

  constructor(signal: AbortSignal | null = null) {
    this.#signal = signal;
  }

  async step(): Promise<void> {
    if (performance.now() - this.#sinceMs < SLICE_MS) return;
    await breathe();
    this.#signal?.throwIfAborted();
    this.#sinceMs = performance.now();
  }
}
