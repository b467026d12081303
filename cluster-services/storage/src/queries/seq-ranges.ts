/** A run of consecutive numbers; both ends belong to it. Lists of ranges are sorted and no two of them touch. */
export type SeqRange = { readonly from: number; readonly to: number };

/** The ranges that hold exactly these numbers, given in rising order. */
export function toRanges(sorted: Iterable<number>): SeqRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const seq of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && seq <= last.to + 1) last.to = Math.max(last.to, seq);
    else ranges.push({ from: seq, to: seq });
  }
  return ranges;
}

/** Brings any ranges into order, joins those that overlap or touch, and drops empty ones. */
export function normalize(ranges: readonly SeqRange[]): SeqRange[] {
  const joined: { from: number; to: number }[] = [];
  for (const { from, to } of ranges.filter((range) => range.from <= range.to).toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

export function union(a: readonly SeqRange[], b: readonly SeqRange[]): SeqRange[] {
  return normalize([...a, ...b]);
}

/** What is in `a` and not in `b`. */
export function subtract(a: readonly SeqRange[], b: readonly SeqRange[]): SeqRange[] {
  const left: SeqRange[] = [];
  let at = 0;
  for (const range of a) {
    let from = range.from;
    while (at > 0 && (b[at - 1]?.to ?? -1) >= from) at -= 1;
    for (; at < b.length; at += 1) {
      const cut = b[at];
      if (cut === undefined || cut.from > range.to) break;
      if (cut.to < from) continue;
      if (cut.from > from) left.push({ from, to: cut.from - 1 });
      from = cut.to + 1;
    }
    if (from <= range.to) left.push({ from, to: range.to });
  }
  return left;
}

/** What is in both. */
export function intersect(a: readonly SeqRange[], b: readonly SeqRange[]): SeqRange[] {
  const both: SeqRange[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [left, right] = [a[i], b[j]];
    if (left === undefined || right === undefined) break;
    const from = Math.max(left.from, right.from);
    const to = Math.min(left.to, right.to);
    if (from <= to) both.push({ from, to });
    if (left.to < right.to) i += 1;
    else j += 1;
  }
  return both;
}

/** How many numbers the ranges hold. */
export function countOf(ranges: readonly SeqRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

/** What lies between and around the ranges, from `from` up to and including `to`. */
export function complement(ranges: readonly SeqRange[], from: number, to: number): SeqRange[] {
  return from > to ? [] : subtract([{ from, to }], ranges);
}
