import type { NumericStream } from '@vitalwire/contract';
import type { SignalSource, SourceReading } from '@vitalwire/datasets';
import type { Feed } from './feed.ts';
import { dataMsOf, type Leg, lineUsOf } from './leg.ts';
import type { Absence, PlayWindow } from './play-line.ts';

/** A number on the line. */
export type LineReading = SourceReading; // atUs is line time

export type NumericSignal = {
  readonly source: Pick<SignalSource, 'numeric'>;
  readonly stream: NumericStream;
  readonly window: PlayWindow;
  readonly periodUs: number;
  readonly absences: readonly Absence[];
};

const BLOCK_US = 1_000_000;
const PAGE_US = 60_000_000;
const KEPT = 4_096;

/** A vital, sent once a second of data. Counted from the leg's beginning, because readings come when they come. */
export function numericFeed(signal: NumericSignal, leg: Leg): Feed<LineReading[]> {
  const readings = new LegReadings(signal, leg);
  return {
    maxPerRequest: 500,
    async blockAt(position) {
      const reading = await readings.at(position);
      if (reading === undefined) return null;
      const untilUs = leg.takeFromUs + (Math.floor((reading.atUs - leg.takeFromUs) / BLOCK_US) + 1) * BLOCK_US;
      const end = Math.max(position + 1, await readings.countBefore(untilUs));
      return { begin: position, end, dueMs: dataMsOf(leg, untilUs), joins: true };
    },
    measuredBy: (dataMs) => readings.countBefore(lineUsOf(leg, dataMs)),
    read: (from, to) => readings.between(from, to),
  };
}

/**
 * The readings of a leg by number, read page after page. Only the newest pages are kept: who asks for an earlier one (a restored agent
 * may) has it read again from the beginning.
 */
class LegReadings {
  readonly #signal: NumericSignal;
  readonly #leg: Leg;
  #kept: LineReading[] = [];
  #dropped = 0;
  #readUntilUs: number;

  constructor(signal: NumericSignal, leg: Leg) {
    this.#signal = signal;
    this.#leg = leg;
    this.#readUntilUs = Math.max(0, leg.fromUs);
  }

  async at(index: number): Promise<LineReading | undefined> {
    await this.#load(index, Number.POSITIVE_INFINITY);
    return this.#kept[index - this.#dropped];
  }

  /** How many readings lie before a moment. */
  async countBefore(lineUs: number): Promise<number> {
    await this.#load(Number.POSITIVE_INFINITY, Math.min(lineUs, this.#endUs));
    let count = this.#kept.length;
    while (count > 0 && (this.#kept[count - 1]?.atUs ?? 0) >= lineUs) count -= 1;
    if (count > 0 || this.#dropped === 0) return this.#dropped + count;
    this.#restart();
    return this.countBefore(lineUs);
  }

  async between(from: number, to: number): Promise<LineReading[]> {
    if (from < this.#dropped) this.#restart();
    const found: LineReading[] = [];
    for (let index = from; index < to; index += 1) {
      const reading = await this.at(index);
      if (reading === undefined) throw new RangeError(`there is no ${this.#signal.stream} ${index}`);
      found.push(reading);
    }
    return found;
  }

  get #endUs(): number {
    const { window, periodUs } = this.#signal;
    return Math.min(window.loop ? Number.POSITIVE_INFINITY : periodUs, this.#leg.toUs ?? Number.POSITIVE_INFINITY);
  }

  #restart(): void {
    this.#kept = [];
    this.#dropped = 0;
    this.#readUntilUs = Math.max(0, this.#leg.fromUs);
  }

  /** Reads on until reading `index` is there or everything before `lineUs` is; a source without any ends after one round. */
  async #load(index: number, lineUs: number): Promise<void> {
    if (index < this.#dropped) this.#restart();
    const { periodUs, absences } = this.#signal;
    const absentUs = absences.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0);
    let quietUs = 0;
    while (index >= this.#dropped + this.#kept.length && this.#readUntilUs < lineUs && this.#readUntilUs < this.#endUs) {
      const fromUs = this.#readUntilUs;
      const round = Math.floor(fromUs / periodUs + 1e-9);
      const toUs = Math.min(fromUs + PAGE_US, (round + 1) * periodUs, this.#endUs);
      const page = await this.#page(round, fromUs, toUs);
      this.#readUntilUs = toUs;
      quietUs = page.length > 0 ? 0 : quietUs + toUs - fromUs;
      this.#kept.push(...page);
      if (quietUs > periodUs + absentUs && !Number.isFinite(lineUs)) return; // nothing in a whole round
    }
    if (this.#kept.length > 2 * KEPT) this.#dropped += this.#kept.splice(0, this.#kept.length - KEPT).length;
  }

  async #page(round: number, fromUs: number, toUs: number): Promise<LineReading[]> {
    const { source, stream, window, periodUs, absences } = this.#signal;
    const shiftUs = round * periodUs - window.startUs; // from the source's time to the line's
    const found = await source.numeric(stream, Math.floor(fromUs - shiftUs), Math.ceil(toUs - shiftUs));
    return found
      .map((reading) => ({ ...reading, atUs: reading.atUs + shiftUs }))
      .filter(({ atUs }) => atUs >= fromUs && atUs < toUs && !absences.some((one) => atUs >= one.fromUs && atUs < one.toUs));
  }
}
