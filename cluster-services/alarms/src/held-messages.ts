/** As long as storage may take to be asked for a start record; then an alarm without its mark is better than none. */
export const HOLD_MS = 6_000;
/** Messages of one recording, and recordings: beyond either nothing is held. */
const MAX_MESSAGES = 32;
const MAX_RECORDINGS = 1_024;

type Held<T> = { readonly sinceMs: number; messages: T[] };

/**
 * Messages of recordings whose start record is not known yet, as after a restart: whether they are a replay's, and of which take, is in it.
 * They wait for it, but not for a storage that does not answer.
 */
export class HeldMessages<T> {
  readonly #held = new Map<string, Held<T>>();

  /** Whether this one waits. */
  holds(recordingId: string, message: T, nowMs: number): boolean {
    const held = this.#held.get(recordingId) ?? { sinceMs: nowMs, messages: [] };
    const isNew = held.messages.length === 0 && held.sinceMs === nowMs;
    if (isNew && this.#held.size >= MAX_RECORDINGS) return false;
    if (nowMs - held.sinceMs >= HOLD_MS || held.messages.length >= MAX_MESSAGES) return false;
    held.messages.push(message);
    this.#held.set(recordingId, held);
    return true;
  }

  /** What has waited, oldest first. A recording that is known is forgotten; one that is not is not held a second time. */
  release(recordingId: string, isKnown: boolean): readonly T[] {
    const held = this.#held.get(recordingId);
    if (held === undefined) return [];
    const { messages } = held;
    if (isKnown) this.#held.delete(recordingId);
    else held.messages = [];
    return messages;
  }
}
