import type { Verdict } from '@vitalwire/contract';

/** What the state word needs of a detection. */
export type ScoredWindow = {
  readonly window: number;
  readonly probability: number | null;
  readonly verdict: Verdict;
  readonly channels?: readonly number[]; // those that show a pattern by themselves; absent = not told
  readonly everyS?: number | undefined; // under overload: windows from one that is judged to the next; absent = every one is
};

/**
 * The rule from windows to one state: of the last `windows` windows, `needed` must agree. Measured on Bonn with 1 s windows, 3 of 5 at
 * .8 named .98 of the ictal and .0075 of the other segments, 5 s after onset. `off` is the lower threshold that ends a pattern (hysteresis).
 */
export const recentRule = { windows: 5, needed: 3, on: 0.8, off: 0.5 } as const;

/**
 * The one state of a patient's latest windows, in any order; null without any. A seizure pattern, once shown, stays until fewer than
 * `needed` windows reach `off`. A pattern in too few channels to be the recording's is "focal" if it stays in one of them. Too few windows
 * is "calibrating"; disagreement is "unsure"; never "quiet" by default.
 */
export function recentVerdict(recent: readonly ScoredWindow[], before: Verdict | null = null): Verdict | null {
  const windows = votersOf(recent);
  if (windows.length === 0) return null;

  const threshold = before === 'seizure' ? recentRule.off : recentRule.on;
  const atLeast = (matches: (scored: ScoredWindow) => boolean) => windows.filter(matches).length >= recentRule.needed;
  // A window the detector refused to judge has no probability, and no vote.
  const reaches = ({ probability, verdict }: ScoredWindow) =>
    probability !== null && probability >= threshold && (verdict !== 'focal' || before === 'seizure');
  if (atLeast(reaches)) return 'seizure';
  if (isFocal(windows)) return 'focal';
  if (windows.length < recentRule.needed)
    return windows.every(({ verdict }) => verdict === 'not-scorable') ? 'not-scorable' : 'calibrating';
  if (atLeast(({ verdict }) => verdict === 'not-scorable')) return 'not-scorable';
  return atLeast(({ verdict }) => verdict === 'quiet') ? 'quiet' : 'unsure';
}

/** As many windows as a vote needs show a pattern in the same channel: one here and one there, among many channels, is chance. */
function isFocal(windows: readonly ScoredWindow[]): boolean {
  const patterned = windows.filter(({ probability }) => probability !== null && probability >= recentRule.on);
  if (patterned.length < recentRule.needed) return false;
  const votes = new Map<number, number>();
  for (const { channels } of patterned) for (const channel of channels ?? [-1]) votes.set(channel, (votes.get(channel) ?? 0) + 1);
  return Math.max(0, ...votes.values()) >= recentRule.needed;
}

/**
 * The number that may stand beside the state word: of the windows that voted, the one that carried the vote, so that "quiet 99 %" cannot
 * be shown. Null where the word rests on no probability: calibrating, not scorable, or windows that disagree.
 */
export function recentProbability(recent: readonly ScoredWindow[], state: Verdict): number | null {
  const scored = votersOf(recent).flatMap(({ probability, verdict }) => (probability === null ? [] : [{ probability, verdict }]));
  scored.sort((a, b) => b.probability - a.probability);
  if (state === 'quiet') return scored.find(({ verdict }) => verdict === 'quiet')?.probability ?? null;
  if (state === 'calibrating' || state === 'not-scorable') return null;
  const reached = scored[recentRule.needed - 1]; // the level that as many windows reach as a vote needs
  if (reached === undefined) return null;
  return state === 'unsure' && (reached.verdict === 'quiet' || reached.probability >= recentRule.on) ? null : reached.probability;
}

/** The newest window of each of the last places, which lie as far apart as windows are judged now. */
function votersOf(recent: readonly ScoredWindow[]): ScoredWindow[] {
  const newest = recent.reduce<ScoredWindow | null>((latest, scored) => (scored.window >= (latest?.window ?? 0) ? scored : latest), null);
  const latest = new Map<number, ScoredWindow>();
  for (const scored of recent) {
    const place = Math.floor(((newest?.window ?? 0) - scored.window) / (newest?.everyS ?? 1));
    if (place < recentRule.windows && scored.window >= (latest.get(place)?.window ?? 0)) latest.set(place, scored);
  }
  return [...latest.values()];
}

/** How seldom a patient's windows are judged, in words: `every 4 s` under overload, '' when every second is. */
export function everyText(detection: { readonly everyS?: number | undefined } | null): string {
  const everyS = detection?.everyS ?? 1;
  return everyS > 1 ? `every ${everyS} s` : '';
}
