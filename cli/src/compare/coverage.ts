/** Samples `from` to `to` (not included) of a capture, as one stored chunk holds them. */
export type StoredRange = { readonly from: number; readonly to: number };

export type Coverage = {
  /** Different samples stored at least once. */
  readonly stored: number;
  /** Different samples stored more than once, in whatever recordings. */
  readonly duplicated: number;
  /** Different samples that were sent and are stored nowhere. */
  readonly lost: number;
  /** Where they are missing. */
  readonly missing: readonly StoredRange[];
};

/** Compares what was answered with what is stored, for one capture. Sent ranges are in order and never overlap. */
export function coverageOf(sent: readonly StoredRange[], ranges: readonly StoredRange[]): Coverage {
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
  const holes: StoredRange[] = [];
  for (const edge of edges) {
    const length = edge.at - at;
    if (depth > 0) stored += length;
    if (depth > 1) duplicated += length;
    if (depth === 0 && length > 0) holes.push({ from: at, to: edge.at });
    depth += edge.step;
    at = edge.at;
  }
  holes.push({ from: at, to: Number.POSITIVE_INFINITY });
  const missing = overlaps(sent, holes);
  return { stored, duplicated, lost: missing.reduce((sum, range) => sum + range.to - range.from, 0), missing };
}

/** What two lists of ranges have in common; both are in order. */
function overlaps(some: readonly StoredRange[], others: readonly StoredRange[]): StoredRange[] {
  const found: StoredRange[] = [];
  let first = 0;
  for (const { from, to } of some) {
    while (first < others.length && (others[first]?.to ?? 0) <= from) first += 1;
    for (let index = first; index < others.length && (others[index]?.from ?? 0) < to; index += 1) {
      const other = others[index] as StoredRange;
      found.push({ from: Math.max(from, other.from), to: Math.min(to, other.to) });
    }
  }
  return found;
}
