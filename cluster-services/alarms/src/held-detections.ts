import type { Detection } from '@vitalwire/contract';

/** As long as storage may take to be asked for a start record; then an alarm without its mark is better than none. */
const HOLD_MS = 4_000;
/** Windows of one recording, and recordings: beyond either nothing is held. */
const MAX_WINDOWS = 32;
const MAX_RECORDINGS = 1_024;

type Held = { readonly sinceMs: number; detections: Detection[] };

/**
 * Detections of recordings whose start record is not known yet, as after a restart: whether they are a replay's, and of which take, is in it.
 * They wait for it, but not for a storage that does not answer.
 */
export class HeldDetections {
  readonly #held = new Map<string, Held>();

  /** Whether this one waits. */
  holds(detection: Detection, nowMs: number): boolean {
    const held = this.#held.get(detection.subject) ?? { sinceMs: nowMs, detections: [] };
    const isNew = held.detections.length === 0 && held.sinceMs === nowMs;
    if (isNew && this.#held.size >= MAX_RECORDINGS) return false;
    if (nowMs - held.sinceMs >= HOLD_MS || held.detections.length >= MAX_WINDOWS) return false;
    held.detections.push(detection);
    this.#held.set(detection.subject, held);
    return true;
  }

  /** What has waited, oldest first. A recording that is known is forgotten; one that is not is not held a second time. */
  release(recordingId: string, isKnown: boolean): readonly Detection[] {
    const held = this.#held.get(recordingId);
    if (held === undefined) return [];
    const { detections } = held;
    if (isKnown) this.#held.delete(recordingId);
    else held.detections = [];
    return detections;
  }
}
