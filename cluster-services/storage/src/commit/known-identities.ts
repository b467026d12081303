import { rowLimits } from './commit-row.ts';

/**
 * The identities this process has already put into `stream_index`, so that an index row costs one insert per recording and
 * not one per chunk. Forgetting one costs an insert that changes nothing; the oldest is forgotten at the limit.
 */
export class KnownIdentities {
  readonly #known = new Set<string>();
  readonly #limit: number;

  constructor(limit: number = rowLimits.knownIdentities) {
    this.#limit = limit;
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  add(id: string): void {
    this.#known.add(id);
    if (this.#known.size <= this.#limit) return;
    const oldest = this.#known.values().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }

  clear(): void {
    this.#known.clear();
  }
}
