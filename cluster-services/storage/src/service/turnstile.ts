import { refusals } from '../queries/errors.ts';

/** Lets a few heavy queries in at once; a bounded number waits, the rest is refused and comes again. */
export class Turnstile {
  readonly #atOnce: number;
  readonly #mayWait: number;
  readonly #queue: (() => void)[] = [];
  #inside = 0;

  constructor(atOnce: number, mayWait: number) {
    this.#atOnce = atOnce;
    this.#mayWait = mayWait;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#atOnce) {
      if (this.#queue.length >= this.#mayWait) throw refusals.busy();
      await new Promise<void>((resolve) => this.#queue.push(resolve)); // the one who leaves hands over its place
    } else this.#inside += 1;
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#inside -= 1;
      else next();
    }
  }
}
