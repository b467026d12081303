/**
 * A map of at most `limit` entries: with one more, the first is forgotten. `set` leaves a known key at its place, as in any Map; `renew` moves
 * it behind all others, so that what was not renewed for longest is forgotten first.
 */
export class RecentMap<Key, Value> extends Map<Key, Value> {
  readonly #limit: number;
  readonly #onForgotten: ((key: Key, value: Value) => void) | undefined;

  constructor(limit: number, onForgotten?: (key: Key, value: Value) => void) {
    super();
    this.#limit = limit;
    this.#onForgotten = onForgotten;
  }

  override set(key: Key, value: Value): this {
    super.set(key, value);
    if (this.size > this.#limit) this.#forgetFirst();
    return this;
  }

  renew(key: Key, value: Value): this {
    this.delete(key);
    return this.set(key, value);
  }

  #forgetFirst(): void {
    for (const [key, value] of this) {
      this.delete(key);
      this.#onForgotten?.(key, value);
      return;
    }
  }
}
