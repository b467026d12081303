import { recentRule } from '@vitalwire/vitals';
import type { JudgedWindow } from './evaluate.ts';
import { medianOf } from './rows.ts';

/** What comes of a rule over successive windows: of 5 windows 3 at .8 or more. On segments of 23.6 s, not on days. */
export type PatternResult = {
  readonly ictalNamed: number; // share of the ictal segments
  readonly otherNamed: number; // share of the others
  readonly medianDelayS: number; // from the segment's start to the end of the window that completes the pattern
  readonly otherNamedByThreshold: number; // share of the others with any window at .8 or more: what a bare threshold would call
};

const FIRST_WINDOW_ENDS_S = 6; // 2 s are masked, the window lasts 4 s

export function alarmsOf(splits: readonly (readonly JudgedWindow[])[]): PatternResult {
  const segments = splits.flatMap((judged) => [...bySegment(judged).values()]);
  const ictal = segments.filter(([first]) => first?.ictal === true);
  const others = segments.filter(([first]) => first?.ictal !== true);
  const share = (some: readonly (readonly JudgedWindow[])[], matches: (windows: readonly JudgedWindow[]) => boolean) =>
    some.filter(matches).length / Math.max(1, some.length);
  const delays = ictal.map(firstPattern).filter((at) => at !== null);
  return {
    ictalNamed: share(ictal, (windows) => firstPattern(windows) !== null),
    otherNamed: share(others, (windows) => firstPattern(windows) !== null),
    medianDelayS: medianOf(delays.map((at) => FIRST_WINDOW_ENDS_S + at)),
    otherNamedByThreshold: share(others, (windows) => windows.some(({ score }) => score >= recentRule.on)),
  };
}

/** The window that completes the pattern, counted from the segment's first. */
function firstPattern(windows: readonly JudgedWindow[]): number | null {
  for (let last = 0; last < windows.length; last++) {
    const recent = windows.slice(Math.max(0, last - recentRule.windows + 1), last + 1);
    if (recent.filter(({ score }) => score >= recentRule.on).length >= recentRule.needed) return last;
  }
  return null;
}

function bySegment(judged: readonly JudgedWindow[]): Map<string, JudgedWindow[]> {
  const segments = new Map<string, JudgedWindow[]>();
  for (const window of judged) {
    const windows = segments.get(window.segment) ?? [];
    windows.push(window);
    segments.set(window.segment, windows);
  }
  return segments;
}
