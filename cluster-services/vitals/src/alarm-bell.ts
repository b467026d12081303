/** A signal that nobody answered sounds again after this long. */
export const BELL_AGAIN_MS = 10_000;

/** Decides when a screen sounds: at once for an alarm that was not sounding before, then every 10 s while any goes on. */
export class Bell {
  #sounding: ReadonlySet<string> = new Set();
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `alarms` are the ids that ask for attention by sound now. Returns whether to ring. */
  shouldRing(alarms: readonly string[], nowMs: number): boolean {
    const before = this.#sounding;
    this.#sounding = new Set(alarms);
    if (alarms.length === 0) return false;
    const isNew = alarms.some((id) => !before.has(id));
    if (!isNew && nowMs - this.#lastMs < BELL_AGAIN_MS) return false;
    this.#lastMs = nowMs;
    return true;
  }
}
