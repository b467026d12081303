/** One column of a sweep trace: the smallest and the largest value that fell into it, in physical units. */
export type SweepColumn = { readonly min: number; readonly max: number };

/**
 * A sweep trace as on a bedside monitor: time runs left to right, starts again at the left edge, and an erase bar runs ahead of
 * the newest column. Columns belong to data time, so a gap stays an empty stretch, a late chunk fills the place it belongs to,
 * and data older than the page is not drawn. Min and max per column: a spike of one sample survives any width.
 */
export class Sweep {
  readonly columns: number;
  readonly pageSeconds: number;
  readonly eraseColumns: number;
  readonly #usPerColumn: number;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  readonly #owner: Float64Array; // which column since the epoch a slot holds; NaN = empty
  #newest = Number.NEGATIVE_INFINITY;
  #last: { us: number; value: number } | null = null;

  constructor(columns: number, pageSeconds: number) {
    this.columns = Math.max(2, Math.floor(columns));
    this.pageSeconds = pageSeconds;
    this.eraseColumns = Math.max(1, Math.round(this.columns / 40));
    this.#usPerColumn = (pageSeconds * 1e6) / this.columns;
    this.#min = new Float64Array(this.columns);
    this.#max = new Float64Array(this.columns);
    this.#owner = new Float64Array(this.columns).fill(Number.NaN);
  }

  /** Draws consecutive samples of which the first was measured at `startUs`. */
  push(startUs: number, intervalUs: number, samples: ArrayLike<number>): void {
    const joins = this.#last !== null && Math.abs(startUs - this.#last.us - intervalUs) < intervalUs * 1.5;
    let previous = joins ? (this.#last?.value ?? null) : null;
    for (let index = 0; index < samples.length; index++) {
      const value = samples[index];
      if (value === undefined || !Number.isFinite(value)) {
        previous = null;
        continue;
      }
      const us = startUs + index * intervalUs;
      // A column begins with the value that led into it, so that the trace is one line and not a row of dots.
      this.#touch(Math.floor(us / this.#usPerColumn), value, previous);
      previous = value;
      if (this.#last === null || us > this.#last.us) this.#last = { us, value };
    }
  }

  /** Moves the erase bar on without data: what nobody measured becomes an empty stretch instead of a frozen picture. */
  advanceTo(us: number): void {
    const column = Math.floor(us / this.#usPerColumn);
    if (column > this.#newest) this.#newest = column;
  }

  clear(): void {
    this.#owner.fill(Number.NaN);
    this.#newest = Number.NEGATIVE_INFINITY;
    this.#last = null;
  }

  /** The slot of the newest column, or -1 when nothing was drawn yet. */
  head(): number {
    return Number.isFinite(this.#newest) ? this.#slot(this.#newest) : -1;
  }

  /** Data time of the newest sample, or null. */
  lastUs(): number | null {
    return this.#last?.us ?? null;
  }

  /** What to draw at slot 0 … columns-1; null = nothing: no data, an earlier page, or the erase bar. */
  column(slot: number): SweepColumn | null {
    const owner = this.#owner[slot];
    const min = this.#min[slot];
    const max = this.#max[slot];
    if (owner === undefined || min === undefined || max === undefined || Number.isNaN(owner)) return null;
    if (owner <= this.#newest - this.columns + this.eraseColumns) return null;
    return { min, max };
  }

  /** The largest distance from zero on the visible page; 0 when the page is empty. */
  peak(): number {
    let peak = 0;
    for (let slot = 0; slot < this.columns; slot++) {
      const column = this.column(slot);
      if (column !== null) peak = Math.max(peak, Math.abs(column.min), Math.abs(column.max));
    }
    return peak;
  }

  #touch(column: number, value: number, previous: number | null): void {
    if (column <= this.#newest - this.columns) return; // older than the page
    const slot = this.#slot(column);
    const min = this.#min[slot];
    const max = this.#max[slot];
    if (this.#owner[slot] !== column || min === undefined || max === undefined) {
      this.#owner[slot] = column;
      this.#min[slot] = previous === null ? value : Math.min(value, previous);
      this.#max[slot] = previous === null ? value : Math.max(value, previous);
    } else {
      if (value < min) this.#min[slot] = value;
      if (value > max) this.#max[slot] = value;
    }
    if (column > this.#newest) this.#newest = column;
  }

  #slot(column: number): number {
    return ((column % this.columns) + this.columns) % this.columns;
  }
}

const ladder = [
  10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 20_000, 50_000, 100_000,
];

/**
 * The half-height of the trace, from a ladder of round numbers. It grows at once when the signal leaves the strip and shrinks only
 * when the signal fills less than a third of it, so that the picture does not breathe.
 */
export function chooseHalfRange(current: number | null, peak: number): number {
  const needed = ladder.find((step) => step >= peak) ?? ladder[ladder.length - 1] ?? peak;
  if (current === null || needed > current) return needed;
  return peak > 0 && peak < current / 3 ? needed : current;
}
