/** Three signals that can be told apart by ear: a patient in danger, a patient to look after, and something technical. */
export type SoundPattern = 'high' | 'medium' | 'technical';

/** Something that asks for attention by sound now, and how soon it does so again while nobody answers. */
export type Sounding = { readonly id: string; readonly pattern: SoundPattern; readonly everyMs: number };

const rank: Readonly<Record<SoundPattern, number>> = { high: 2, medium: 1, technical: 0 };

/** Decides when a screen sounds and how: at once for what was not sounding before, then again for as long as it goes on. */
export class Bell {
  #lastMs = new Map<string, number>(); // of what sounds now: when it was heard last

  /** The pattern to play now; null when there is nothing, or it was played lately. */
  ring(sounding: readonly Sounding[], nowMs: number): SoundPattern | null {
    const before = this.#lastMs;
    this.#lastMs = new Map(sounding.map(({ id }) => [id, before.get(id) ?? Number.NEGATIVE_INFINITY]));
    let due: SoundPattern | null = null;
    for (const { id, pattern, everyMs } of sounding)
      if (nowMs - (before.get(id) ?? Number.NEGATIVE_INFINITY) >= everyMs && (due === null || rank[pattern] > rank[due])) due = pattern;
    if (due === null) return null;
    // One signal at a time: what is less urgent is covered by it, and comes again at its own time.
    for (const { id, pattern } of sounding) if (rank[pattern] <= rank[due]) this.#lastMs.set(id, nowMs);
    return due;
  }
}
