import type { Clock, Log } from '@vitalwire/runtime';

const EVERY_MS = 60_000;
const MAX_KINDS = 1_024;

type Kind = { untold: number; nextAtMs: number };

/** Says at once when a sender's message goes to quarantine, and then once a minute how many more: a broken device must not fill a disk. */
export class QuarantineLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kinds = new Map<string, Kind>(); // by sender and reason

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  add(sender: string, topic: string, reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    const key = `${sender} ${reason}`;
    if (!this.#kinds.has(key) && this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    const kind = this.#kinds.get(key) ?? { untold: 0, nextAtMs: nowMs };
    this.#kinds.set(key, kind);
    kind.untold += 1;
    if (nowMs < kind.nextAtMs) return;
    this.#log.warn({ sender, topic, reason, messages: kind.untold }, 'went to quarantine');
    kind.untold = 0;
    kind.nextAtMs = nowMs + EVERY_MS;
  }
}
