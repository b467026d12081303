/** Samples `from` to `to` (not included) of a capture, as one stored chunk holds them. */
export type StoredRange = { readonly from: number; readonly to: number };

export type Coverage = {
  /** Different samples stored at least once. */
  readonly stored: number;
  /** Different samples stored more than once, in whatever recordings. */
  readonly duplicated: number;
  /** Different samples among the first `sent` that are stored nowhere. */
  readonly lost: number;
  /** Where they are missing. */
  readonly missing: readonly StoredRange[];
};

/** Compares what was answered (samples 0 to `sent`, not included) with what is stored, for one capture. */
export function coverageOf(sent: number, ranges: readonly StoredRange[]): Coverage {
  const edges = ranges.flatMap(({ from, to }) =>
    to > from
      ? [
          { at: from, step: 1 },
          { at: to, step: -1 },
        ]
      : [],
  );
  edges.sort((a, b) => a.at - b.at);
  let depth = 0;
  let at = 0;
  let stored = 0;
  let duplicated = 0;
  const missing: StoredRange[] = [];
  for (const edge of edges) {
    const length = edge.at - at;
    if (depth > 0) stored += length;
    if (depth > 1) duplicated += length;
    if (depth === 0 && at < sent && length > 0) missing.push({ from: at, to: Math.min(edge.at, sent) });
    depth += edge.step;
    at = edge.at;
  }
  if (at < sent) missing.push({ from: at, to: sent });
  return { stored, duplicated, lost: missing.reduce((sum, range) => sum + range.to - range.from, 0), missing };
}
