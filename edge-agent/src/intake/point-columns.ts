import type { NumericReading } from '@vitalwire/contract';

/** A point of one number. */
export type ColumnPoint = NumericReading & { readonly source: string; readonly units: string; readonly isMidnight: boolean };

const BLOCK = 8_192;
const FIELDS = 4; // instant, mean, minimum, maximum
const MAX_SOURCES = 256;
const MAX_UNITS = 16; // that points of one metric say; those who know more mean none

/** Points of a phone as numbers in columns: 35 bytes each, where an object would take five times as much. */
export class PointColumns {
  readonly #values: Float64Array[] = [];
  readonly #sources: Uint16Array[] = [];
  readonly #units: Uint8Array[] = [];
  readonly #names = new Names(MAX_SOURCES);
  readonly #unitNames = new Names(MAX_UNITS);
  #length = 0;
  #isAscending = true;
  #lastUs = Number.NEGATIVE_INFINITY;
  areAllAtMidnight = true;

  get length(): number {
    return this.#length;
  }

  push({ atUs, value, least, most, source, units, isMidnight }: ColumnPoint): void {
    const at = this.#length % BLOCK;
    if (at === 0) {
      this.#values.push(new Float64Array(BLOCK * FIELDS));
      this.#sources.push(new Uint16Array(BLOCK));
      this.#units.push(new Uint8Array(BLOCK));
    }
    this.#values.at(-1)?.set([atUs, value, least ?? Number.NaN, most ?? Number.NaN], at * FIELDS);
    const sources = this.#sources.at(-1);
    if (sources !== undefined) sources[at] = this.#names.indexOf(source);
    const unitsOfBlock = this.#units.at(-1);
    if (unitsOfBlock !== undefined) unitsOfBlock[at] = this.#unitNames.indexOf(units);
    this.#length += 1;
    this.#isAscending &&= atUs > this.#lastUs;
    this.#lastUs = atUs;
    this.areAllAtMidnight &&= isMidnight;
  }

  /** Whether a point is a summary: it has a minimum below its maximum. */
  get hasSpread(): boolean {
    for (let index = 0; index < this.#length; index += 1) {
      const { least, most } = this.readingAt(index);
      if (least !== null && most !== null && least < most) return true;
    }
    return false;
  }

  /** Puts other numbers in place of every point's, once, in the order they came; null takes the point away. In place: there may be a million. */
  revise(other: (reading: NumericReading, units: string) => Omit<NumericReading, 'atUs'> | null): void {
    let kept = 0;
    for (let index = 0; index < this.#length; index += 1) {
      const reading = this.readingAt(index);
      const units = this.#unitNames.at(this.#units[Math.floor(index / BLOCK)]?.[index % BLOCK] ?? 0);
      const revised = other(reading, units);
      if (revised === null) continue;
      const { value, least, most } = revised;
      const [block, at] = [Math.floor(kept / BLOCK), kept % BLOCK];
      this.#values[block]?.set([reading.atUs, value, least ?? Number.NaN, most ?? Number.NaN], at * FIELDS);
      const sources = this.#sources[block];
      if (sources !== undefined) sources[at] = this.#sources[Math.floor(index / BLOCK)]?.[index % BLOCK] ?? 0;
      kept += 1;
    }
    this.#length = kept;
  }

  sourceOf(index: number): string {
    return this.#names.at(this.#sources[Math.floor(index / BLOCK)]?.[index % BLOCK] ?? 0);
  }

  readingAt(index: number): NumericReading {
    const block = this.#values[Math.floor(index / BLOCK)] ?? new Float64Array(0);
    const at = (index % BLOCK) * FIELDS;
    const orNull = (value: number | undefined): number | null => (value === undefined || Number.isNaN(value) ? null : value);
    return { atUs: block[at] ?? 0, value: block[at + 1] ?? 0, least: orNull(block[at + 2]), most: orNull(block[at + 3]) };
  }

  /** Indexes by source and time; of equal ones the last alone, as if it had come in a later post. */
  inOrder(): Uint32Array {
    const order = Uint32Array.from({ length: this.#length }, (_, index) => index);
    if (this.#isAscending && this.#names.count <= 1) return order;
    const source = (index: number): number => this.#sources[Math.floor(index / BLOCK)]?.[index % BLOCK] ?? 0;
    const atUs = (index: number): number => this.#values[Math.floor(index / BLOCK)]?.[(index % BLOCK) * FIELDS] ?? 0;
    order.sort((a, b) => source(a) - source(b) || atUs(a) - atUs(b) || a - b);
    return order.filter((index, place) => {
      const next = order[place + 1];
      return next === undefined || source(next) !== source(index) || atUs(next) !== atUs(index);
    });
  }
}

/** Texts by number. Beyond the most that are told apart further ones count as the last. */
class Names {
  readonly #most: number;
  readonly #names: string[] = [];
  readonly #index = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#names.length;
  }

  at(index: number): string {
    return this.#names[index] ?? '';
  }

  indexOf(name: string): number {
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    if (this.#names.length >= this.#most) return this.#most - 1;
    this.#index.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }
}
