type Entry = { outcome: 'waiting' | 'settled'; error: Error | null; readonly release: (error: Error | null) => void };

/**
 * Lets acknowledgements leave in the order their publishes arrived (MQTT-4.6.0-2), in whatever order the commits return. An error
 * is the last thing that leaves: it ends the connection, and what comes behind it will be sent again.
 */
export class ReleaseQueue {
  readonly #entries: Entry[] = [];
  #isBroken = false;

  get length(): number {
    return this.#entries.length;
  }

  /** Takes the next place; the returned function settles it, and whatever may go by then goes. Settling twice counts once. */
  enter(release: (error: Error | null) => void): (error: Error | null) => void {
    const entry: Entry = { outcome: 'waiting', error: null, release };
    this.#entries.push(entry);
    return (error) => {
      if (entry.outcome === 'settled') return;
      entry.outcome = 'settled';
      entry.error = error;
      this.#releaseHead();
    };
  }

  #releaseHead(): void {
    for (let head = this.#entries[0]; head !== undefined && head.outcome === 'settled'; head = this.#entries[0]) {
      this.#entries.shift();
      if (this.#isBroken) continue;
      this.#isBroken = head.error !== null;
      head.release(head.error);
    }
  }
}
