import type { EpisodeEnd } from '@vitalwire/contract';
import { alarmLimits, badSignalUs, holeUs, type SeizureRule } from './rules.ts';

/** A window that was judged. One that is not scorable is none: it neither begins nor ends an episode. */
export type VotingWindow = {
  readonly key: string; // recording and window: the same on both lanes and in every repeat
  readonly fromUs: number; // data time
  readonly toUs: number;
  readonly hopUs: number; // to the next window
  readonly probability: number | null; // null = judged and unsure: no vote, but not unseen either
  readonly channel: number;
};

/** One seizure. `holds`: nothing later speaks against it. */
export type Episode = {
  readonly onsetUs: number;
  readonly coreEndUs: number; // end of the last window that had k of n at the upper threshold
  readonly endUs: number; // end of the last window that reached the lower threshold: until then it was seen
  readonly holds: boolean;
  readonly end: EpisodeEnd;
  readonly knownUs: number | null; // by when it had ended at the latest, as `AlarmEpisode.endUs` says it
  readonly peak: number;
  readonly channel: number; // of the peak
};

type Core = { readonly onsetUs: number; readonly endUs: number; readonly last: number /* index of its last window */ };
type Tail = Pick<Episode, 'endUs' | 'holds' | 'end' | 'knownUs'>;

/**
 * The seizure episodes of one device and model, as a pure function of the windows heard, keyed by data time: order and repeats change
 * nothing. Of several versions of a window (provisional, stored) the highest probability counts, so evidence only grows: what counts
 * for the onset are windows that speak for a seizure within a stretch of time, so a late quiet window takes no evidence away either.
 * Quiet that was seen parts two episodes, as does the end of a recording and a hole of the refractory time: none of it is ever part of one.
 */
export class SeizureTimeline {
  readonly #rule: SeizureRule;
  readonly #held = new Map<string, VotingWindow>(); // last = received last
  #sorted: VotingWindow[] = []; // by data time
  #longestHopUs = 0; // of all windows so far: under overload it grows
  #ends: number[] = []; // when recordings ended, earliest first
  #unseenUntilUs = Number.NEGATIVE_INFINITY; // the end of the newest window that could not be judged
  #isLeft = false;
  #episodes: readonly Episode[] = [];

  constructor(rule: SeizureRule) {
    this.#rule = rule;
  }

  get episodes(): readonly Episode[] {
    return this.#episodes;
  }

  /** The end of the newest judged window; null without any. */
  get newestUs(): number | null {
    return this.#sorted.at(-1)?.toUs ?? null;
  }

  /** The beginning of the oldest window that is remembered; null without any. */
  get oldestUs(): number | null {
    return this.#sorted[0]?.fromUs ?? null;
  }

  /** Whether the newest windows say that there is no seizure: as many low ones as end an episode. Then the first of them began here. */
  get quietSinceUs(): number | null {
    const newest = this.#sorted.at(-1);
    if (newest === undefined || this.#episodes.at(-1)?.holds === true) return null;
    const lows = this.#recent(this.#sorted.length - 1, this.#isLow);
    return lows.length > this.#rule.windows - this.#rule.needed ? (lows[0]?.fromUs ?? null) : null;
  }

  /** Takes in a window; false if nothing changed. */
  add(window: VotingWindow): boolean {
    this.#longestHopUs = Math.max(this.#longestHopUs, window.hopUs);
    const before = this.#held.get(window.key);
    if (before !== undefined) {
      if (!isStronger(window, before)) return false;
      this.#held.delete(window.key);
      this.#sorted.splice(this.#sorted.indexOf(before), 1);
    }
    this.#held.set(window.key, window);
    const at = this.#placeOf(window);
    this.#sorted.splice(at, 0, window);
    this.#forgetOldest();
    const isAppended = before === undefined && this.#sorted.at(-1) === window;
    if (isAppended) this.#isLeft = false;
    this.#evaluate(isAppended ? this.#safeStart(window) : 0);
    return true;
  }

  /** A window up to here could not be judged; false if nothing changed. */
  unseen(untilUs: number): boolean {
    if (untilUs <= this.#unseenUntilUs) return false;
    this.#unseenUntilUs = untilUs;
    return this.#evaluateOpen();
  }

  /** Nothing arrives any more: whether something goes on is not known from here on; false if nothing changed. */
  silent(): boolean {
    const newestUs = this.newestUs;
    return newestUs !== null && this.unseen(newestUs + badSignalUs);
  }

  /** A recording of the device ended at this data time, and no other goes on at once; false if that was known. */
  ended(atUs: number): boolean {
    if (this.#ends.includes(atUs)) return false;
    this.#ends.push(atUs);
    this.#ends.sort((a, b) => a - b);
    if (this.#ends.length > alarmLimits.recordingEnds) this.#ends.shift();
    this.#evaluate(0);
    return true;
  }

  /** The device goes on elsewhere, on a time line of its own: nothing of this one goes on. Until a newer window of it comes. */
  leave(): boolean {
    if (this.#isLeft) return false;
    this.#isLeft = true;
    return this.#evaluateOpen();
  }

  #placeOf(window: VotingWindow): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#sorted[middle];
      if (other !== undefined && comesBefore(other, window)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // By order of receipt, not by data time: a backlog that fills in behind the live windows keeps its own front, as they keep theirs.
  #forgetOldest(): void {
    for (const [key, window] of this.#held) {
      if (this.#held.size <= alarmLimits.windowsPerDevice) return;
      this.#held.delete(key);
      this.#sorted.splice(this.#sorted.indexOf(window), 1);
    }
  }

  // An appended window changes nothing that ended long before it.
  #safeStart(appended: VotingWindow): number {
    const { refractoryUs, minDurationUs, windows, lasting } = this.#rule;
    const evidenceUs =
      2 * (minDurationUs + Math.max(windows, lasting?.windows ?? 0) * this.#longestHopUs) + (appended.toUs - appended.fromUs);
    let fromUs = appended.fromUs - refractoryUs - evidenceUs;
    // Whole episodes only: half of one would be another one.
    for (const { holds, onsetUs, endUs } of this.#episodes.toReversed())
      if (holds || endUs >= fromUs) fromUs = Math.min(fromUs, onsetUs - evidenceUs);
    let start = this.#sorted.length - 1;
    while (start > 0 && (this.#sorted[start - 1]?.fromUs ?? Number.NEGATIVE_INFINITY) >= fromUs) start--;
    return start;
  }

  // Only the last episode can go on; its end alone depends on what is not a window.
  #evaluateOpen(): boolean {
    const before = this.#episodes.at(-1);
    if (before?.holds !== true) return false;
    this.#evaluate(0);
    const after = this.#episodes.at(-1);
    return after?.holds !== before.holds || after.end !== before.end;
  }

  #evaluate(start: number): void {
    const fromUs = this.#sorted[start]?.fromUs ?? 0;
    const episodes = start === 0 ? [] : this.#episodes.filter(({ holds, endUs }) => !holds && endUs < fromUs);
    let open: Core | null = null;
    for (const core of this.#cores(start)) {
      if (open !== null && this.#isSame(open, core)) {
        open = { onsetUs: Math.min(open.onsetUs, core.onsetUs), endUs: Math.max(open.endUs, core.endUs), last: core.last };
        continue;
      }
      if (open !== null) episodes.push(this.#episodeOf(open, start));
      open = core;
    }
    if (open !== null) episodes.push(this.#episodeOf(open, start));
    this.#episodes = episodes;
  }

  #isSame(open: Core, next: Core): boolean {
    if (next.onsetUs <= open.endUs) return true;
    const tail = this.#tailOf(open);
    if (tail.end === 'recording-ended') return false;
    return next.onsetUs - tail.endUs < this.#rule.separateUs;
  }

  /** One per window at which k of n is reached and the evidence has lasted; each reaches back to its own onset. */
  *#cores(start: number): Generator<Core> {
    const { windows, minDurationUs } = this.#rule;
    const onsets: { atUs: number; onsetUs: number }[] = []; // of the windows with k of n, within reach
    for (let index = start; index < this.#sorted.length; index++) {
      const window = this.#sorted[index];
      const first = this.#evidenceAt(index);
      if (window === undefined || first === undefined) continue;
      onsets.push({ atUs: window.fromUs, onsetUs: first.fromUs });
      const reachUs = minDurationUs + windows * window.hopUs;
      while (onsets[0] !== undefined && onsets[0].atUs < window.fromUs - reachUs) onsets.shift();
      const onsetUs = Math.min(...onsets.map((one) => one.onsetUs));
      if (window.toUs - onsetUs >= minDurationUs) yield { onsetUs, endUs: window.toUs, last: index };
    }
  }

  /** Where a window has k of n, strong ones or weaker ones that last, the first of them. */
  #evidenceAt(index: number): VotingWindow | undefined {
    const { on, needed, windows, lasting } = this.#rule;
    const probability = this.#sorted[index]?.probability ?? null;
    const reaching = (level: number, places: number) => {
      if (probability === null || probability < level) return [];
      return this.#recent(index, (one) => one.probability !== null && one.probability >= level, places);
    };
    const strong = reaching(on, windows);
    if (strong.length >= needed) return strong[0];
    const weak = lasting === null ? [] : reaching(lasting.on, lasting.windows);
    return weak.length >= (lasting?.needed ?? Number.POSITIVE_INFINITY) ? weak[0] : undefined;
  }

  #episodeOf(core: Core, start: number): Episode {
    const { onsetUs, endUs: coreEndUs } = core;
    const tail = this.#tailOf(core);
    let peak = 0;
    let channel = 0;
    for (let index = start; index < this.#sorted.length; index++) {
      const window = this.#sorted[index];
      if (window === undefined || window.fromUs >= tail.endUs) break;
      if (window.fromUs < onsetUs || window.probability === null || window.probability <= peak) continue;
      peak = window.probability;
      channel = window.channel;
    }
    return { onsetUs, coreEndUs, ...tail, peak, channel };
  }

  /**
   * Hysteresis: behind its core an episode goes on until as many low windows as make k of n impossible, until its recording ends, or until
   * too long without a vote. What lies between the last window that spoke for it and the first that did not was seen, or is not known.
   */
  #tailOf(core: Core): Tail {
    const { off, needed, windows, refractoryUs } = this.#rule;
    let endUs = core.endUs;
    let seenUs = core.endUs; // end of what was judged without a hole
    for (let index = core.last + 1; index < this.#sorted.length; index++) {
      const window = this.#sorted[index];
      if (window === undefined) break;
      const recordingEndUs = this.#endBetween(endUs, window.fromUs);
      if (recordingEndUs !== null) return { endUs, holds: false, end: 'recording-ended', knownUs: recordingEndUs };
      if (window.fromUs - endUs >= refractoryUs) return { endUs, holds: false, end: 'not-known', knownUs: window.fromUs };
      if (window.probability !== null && window.probability >= off) {
        endUs = Math.max(endUs, window.toUs);
        seenUs = Math.max(seenUs, window.toUs);
        continue;
      }
      const lows = this.#isLow(window) ? this.#recent(index, this.#isLow) : [];
      if (lows.length > windows - needed) {
        const quietUs = lows[0]?.fromUs ?? window.fromUs;
        if (quietUs - seenUs <= holeUs + window.hopUs) return { endUs, holds: false, end: 'over', knownUs: endUs };
        return { endUs, holds: false, end: 'not-known', knownUs: quietUs };
      }
      if (window.fromUs - seenUs <= holeUs + window.hopUs) seenUs = Math.max(seenUs, window.toUs);
    }
    const recordingEndUs = this.#endBetween(endUs, Number.POSITIVE_INFINITY);
    if (recordingEndUs !== null) return { endUs, holds: false, end: 'recording-ended', knownUs: recordingEndUs };
    if (this.#isLeft) return { endUs, holds: false, end: 'not-known', knownUs: null };
    const isUnseen = this.#unseenUntilUs - seenUs >= badSignalUs;
    return { endUs, holds: true, end: isUnseen ? 'not-known' : 'goes-on', knownUs: null };
  }

  /** When a recording ended between the end of one window and the beginning of another; no window reaches over it. */
  #endBetween(fromUs: number, toUs: number): number | null {
    return this.#ends.find((atUs) => atUs >= fromUs - ROUNDING_US && atUs <= toUs + ROUNDING_US) ?? null;
  }

  readonly #isLow = ({ probability }: VotingWindow): boolean => probability !== null && probability < this.#rule.off;

  /**
   * Those of the last so many positions up to this one, earliest first. Positions are a matter of time: what is missing is no vote, and where
   * windows were judged more often than they are now (or are filled in later), those of one position are one.
   */
  #recent(index: number, matches: (window: VotingWindow) => boolean, windows = this.#rule.windows): VotingWindow[] {
    const last = this.#sorted[index];
    if (last === undefined) return [];
    const fromUs = last.fromUs - (windows - 0.5) * last.hopUs;
    const found = new Map<number, VotingWindow>();
    for (let at = index; at >= 0; at--) {
      const window = this.#sorted[at];
      if (window === undefined || window.fromUs <= fromUs) break;
      if (matches(window)) found.set(Math.round((last.fromUs - window.fromUs) / last.hopUs), window);
    }
    return [...found.values()].reverse();
  }
}

/** Times of windows are rounded, and devices count samples their own way. */
const ROUNDING_US = 100_000;

function comesBefore(a: VotingWindow, b: VotingWindow): boolean {
  return a.fromUs !== b.fromUs ? a.fromUs < b.fromUs : a.key < b.key;
}

// A total order on the versions of a window, so that the one kept does not depend on which came first.
function isStronger(a: VotingWindow, b: VotingWindow): boolean {
  if (a.probability !== b.probability) return (a.probability ?? -1) > (b.probability ?? -1);
  if (a.fromUs !== b.fromUs) return a.fromUs < b.fromUs;
  if (a.toUs !== b.toUs) return a.toUs < b.toUs;
  return a.channel < b.channel;
}
