/** What a screen draws: per channel and bucket of time the smallest and the largest value, null where nothing is stored. */
export type Envelope = { readonly min: (number | null)[][]; readonly max: (number | null)[][] };

export type Grid = { readonly fromUs: number; readonly bucketUs: number; readonly buckets: number };

/** At most `points` buckets over the time asked for, none shorter than one sample: a bucket never falls between two samples. */
export function makeGrid(fromUs: number, toUs: number, points: number, samplePeriodUs: number): Grid {
  const bucketUs = Math.max((toUs - fromUs) / points, samplePeriodUs, 1);
  return { fromUs, bucketUs, buckets: Math.max(1, Math.min(points, Math.ceil((toUs - fromUs) / bucketUs - 1e-6))) };
}

const ROUNDING_US = 1; // times are whole microseconds, sample periods are not

/** Collects values in any order; each is in the envelope of its bucket, so a spike of one sample is never lost. */
export class Decimator {
  readonly #grid: Grid;
  readonly #min: Float64Array[];
  readonly #max: Float64Array[];
  readonly #lastBucket: number[] = [];
  readonly #lastValue: number[] = [];

  constructor(grid: Grid, channels: number) {
    this.#grid = grid;
    this.#min = Array.from({ length: channels }, () => new Float64Array(grid.buckets).fill(Number.POSITIVE_INFINITY));
    this.#max = Array.from({ length: channels }, () => new Float64Array(grid.buckets).fill(Number.NEGATIVE_INFINITY));
  }

  /** One value at one moment. */
  add(channel: number, atUs: number, value: number): void {
    this.#widen(channel, this.#bucketOf(atUs), value, value);
  }

  /**
   * A run of evenly spaced samples; `continues` says that nothing is missing before it. Where a clock that jitters by less than
   * a sample leaves a bucket between two neighbours empty, it takes the one before: there was no pause.
   */
  addRun(
    channel: number,
    run: { startUs: number; periodUs: number; values: ArrayLike<number>; scale: number; offset: number; continues: boolean },
  ): void {
    const { startUs, periodUs, values, scale, offset } = run;
    let before = run.continues ? (this.#lastBucket[channel] ?? -1) : -1;
    let held = this.#lastValue[channel] ?? 0;
    for (let index = 0; index < values.length; index += 1) {
      const bucket = this.#bucketOf(startUs + index * periodUs);
      const value = (values[index] ?? 0) * scale + offset;
      if (before >= 0 && bucket - before === 2) this.#widen(channel, before + 1, held, held);
      this.#widen(channel, bucket, value, value);
      before = bucket;
      held = value;
    }
    this.#lastBucket[channel] = before;
    this.#lastValue[channel] = held;
  }

  envelope(): Envelope {
    const orNull = (values: Float64Array): (number | null)[] => Array.from(values, (value) => (Number.isFinite(value) ? value : null));
    return { min: this.#min.map(orNull), max: this.#max.map(orNull) };
  }

  #bucketOf(atUs: number): number {
    return Math.floor((atUs + ROUNDING_US - this.#grid.fromUs) / this.#grid.bucketUs);
  }

  #widen(channel: number, bucket: number, low: number, high: number): void {
    const [min, max] = [this.#min[channel], this.#max[channel]];
    if (min === undefined || max === undefined || bucket < 0 || bucket >= this.#grid.buckets) return;
    if (low < (min[bucket] ?? 0)) min[bucket] = low;
    if (high > (max[bucket] ?? 0)) max[bucket] = high;
  }
}
