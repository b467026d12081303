import { RecentMap } from '@vitalwire/runtime';

type Range = { from: number; to: number };

export type SeenLimits = { readonly maxRecordings: number; readonly maxRangesPerRecording: number };
const seenLimits: SeenLimits = { maxRecordings: 4_096, maxRangesPerRecording: 64 };

/**
 * Which (recording, seq) have passed, so that a chunk that came on the live lane is not shown again when its durable copy follows.
 * Bounded: what was forgotten may be shown twice, which a screen draws at the same place.
 */
export class SeenSeqs {
  readonly #limits: SeenLimits;
  readonly #recordings: RecentMap<string, Range[]>;

  constructor(limits: SeenLimits = seenLimits) {
    this.#limits = limits;
    this.#recordings = new RecentMap(limits.maxRecordings);
  }

  /** True the first time a (recording, seq) is named, false after that. */
  isFirst(recordingId: string, seq: number): boolean {
    const ranges = this.#recordings.get(recordingId);
    if (ranges === undefined) {
      this.#recordings.set(recordingId, [{ from: seq, to: seq }]);
      return true;
    }
    // Newest last: nearly every chunk continues the last range.
    let index = ranges.length - 1;
    while (index >= 0 && (ranges[index]?.from ?? 0) > seq) index -= 1;
    const range = ranges[index];
    if (range !== undefined && seq <= range.to) return false;
    const next = ranges[index + 1];
    if (range !== undefined && range.to + 1 === seq) {
      range.to = seq;
      if (next !== undefined && next.from === seq + 1) {
        range.to = next.to;
        ranges.splice(index + 1, 1);
      }
    } else if (next !== undefined && next.from === seq + 1) {
      next.from = seq;
    } else {
      ranges.splice(index + 1, 0, { from: seq, to: seq });
      if (ranges.length > this.#limits.maxRangesPerRecording) ranges.shift();
    }
    return true;
  }

  has(recordingId: string, seq: number): boolean {
    return this.#recordings.get(recordingId)?.some((range) => range.from <= seq && seq <= range.to) ?? false;
  }
}
