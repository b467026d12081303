import type { Verdict } from '@vitalwire/contract';

/** What the state word needs of a detection. */
export type ScoredWindow = { readonly window: number; readonly probability: number | null; readonly verdict: Verdict };

/**
 * The rule from windows to one state: of the last `windows` windows, `needed` must agree. Measured on Bonn with 1 s windows, 3 of 5 at
 * .8 named .98 of the ictal and .0075 of the other segments, 5 s after onset. `off` is the lower threshold that ends a pattern (hysteresis).
 */
export const recentRule = { windows: 5, needed: 3, on: 0.8, off: 0.5 } as const;

/**
 * The one state of a patient's latest windows, in any order; null without any. A seizure pattern, once shown, stays until fewer than
 * `needed` windows reach `off`. Too few windows is "calibrating"; disagreement is "unsure"; never "quiet" by default.
 */
export function recentVerdict(recent: readonly ScoredWindow[], before: Verdict | null = null): Verdict | null {
  const newest = recent.reduce((latest, { window }) => Math.max(latest, window), -1);
  if (newest < 0) return null;
  const latest = new Map<number, ScoredWindow>();
  for (const scored of recent) if (scored.window > newest - recentRule.windows) latest.set(scored.window, scored);
  const windows = [...latest.values()];

  const threshold = before === 'seizure' ? recentRule.off : recentRule.on;
  const atLeast = (matches: (scored: ScoredWindow) => boolean) => windows.filter(matches).length >= recentRule.needed;
  // A window the detector refused to judge has no probability, and no vote.
  if (atLeast(({ probability }) => probability !== null && probability >= threshold)) return 'seizure';
  if (windows.length < recentRule.needed)
    return windows.every(({ verdict }) => verdict === 'not-scorable') ? 'not-scorable' : 'calibrating';
  if (atLeast(({ verdict }) => verdict === 'not-scorable')) return 'not-scorable';
  return atLeast(({ verdict }) => verdict === 'quiet') ? 'quiet' : 'unsure';
}
