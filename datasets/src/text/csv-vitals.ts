import type { FileHandle } from 'node:fs/promises';
import { type NumericStream, noReadingReason, numericFacts, numericStreams } from '@vitalwire/contract';
import { quoted } from '../problem-list.ts';
import type { SourceReading, SourceVital } from '../signal-source.ts';
import { cellsOf, parseCell } from './csv-cells.ts';
import type { CsvLayout } from './csv-layout.ts';
import { linesFrom } from './csv-lines.ts';
import { parseTime } from './csv-time.ts';
import type { CsvVital } from './vital-column.ts';

/** What reading the vitals of a file again needs to know of it. `rowUs`: from a row to the next, where rows have no times. */
export type VitalFile = { readonly file: string; readonly handle: FileHandle; readonly layout: CsvLayout; readonly rowUs: number | null };

/** A place to begin reading every so many rows. */
const MARK_EVERY = 4_096;

type Mark = { readonly offset: number; readonly row: number; readonly us: number }; // of the rows above, the last time

/** The vitals of a CSV file: one pass notes where rows stand, then readings are read there. A row that goes back in time follows the one above. */
export class CsvVitals {
  readonly #file: VitalFile;
  readonly #marks: Mark[] = [];
  readonly #found = new Set<NumericStream>();
  #row = 0;
  #us = Number.NEGATIVE_INFINITY;
  #lastUs: number | null = null;
  #originUs = 0;

  constructor(file: VitalFile) {
    this.#file = file;
  }

  /** Notes the next row. What is no reading is told; whether the row has any is returned, and whether its time had to be put right. */
  add(
    cells: readonly string[],
    offset: number,
    tell: (field: string, found: string, expected: string) => void,
  ): { readonly any: boolean; readonly wentBack: boolean } {
    if (this.#row % MARK_EVERY === 0) this.#marks.push({ offset, row: this.#row, us: this.#us });
    const us = rowTime(this.#file, cells, this.#row);
    this.#row += 1;
    if (us === null) return { any: false, wentBack: false };
    const wentBack = us < this.#us;
    this.#us = Math.max(this.#us, us);
    let any = false;
    for (const vital of this.#file.layout.vitals) {
      const read = readingOf(vital, cells);
      if (read !== null && 'wrong' in read) tell(`column '${vital.stream}'`, quoted(cells[vital.index] ?? ''), read.wrong);
      if (read === null || 'wrong' in read) continue;
      any = true;
      this.#found.add(vital.stream);
    }
    if (any) this.#lastUs = this.#us;
    return { any, wentBack };
  }

  /** Says from which time readings are counted. */
  countFrom(originUs: number): void {
    this.#originUs = originUs;
  }

  /** The last reading's time; null = there is none. */
  get lastUs(): number | null {
    return this.#lastUs === null ? null : this.#lastUs - this.#originUs;
  }

  get vitals(): readonly SourceVital[] {
    return numericStreams.filter((stream) => this.#found.has(stream)).map((stream) => ({ stream, kind: 'sensor' }));
  }

  async read(stream: NumericStream, fromUs: number, toUs: number): Promise<SourceReading[]> {
    const vital = this.#file.layout.vitals.find((one) => one.stream === stream);
    const mark = this.#marks.findLast(({ us }) => us - this.#originUs < fromUs) ?? this.#marks[0];
    if (vital === undefined || mark === undefined || !this.#found.has(stream)) return [];
    const readings: SourceReading[] = [];
    let { row, us } = mark;
    for await (const { text } of linesFrom(this.#file.file, this.#file.handle, mark.offset)) {
      if (text.trim() === '') continue;
      const cells = cellsOf(text, this.#file.layout.delimiter);
      const rowUs = rowTime(this.#file, cells, row);
      row += 1;
      if (rowUs === null) continue;
      us = Math.max(us, rowUs);
      const atUs = us - this.#originUs;
      if (atUs >= toUs) break;
      const read = readingOf(vital, cells);
      if (atUs >= fromUs && read !== null && 'value' in read) readings.push({ atUs, value: read.value });
    }
    return readings;
  }
}

function rowTime({ layout, rowUs }: VitalFile, cells: readonly string[], row: number): number | null {
  return rowUs === null ? (parseTime(cells[layout.timeIndex ?? 0] ?? '')?.us ?? null) : row * rowUs;
}

/** null: nothing was measured. */
function readingOf(vital: CsvVital, cells: readonly string[]): { readonly value: number } | { readonly wrong: string } | null {
  const cell = parseCell(cells[vital.index]);
  if (cell === null) return null;
  if (cell === undefined) return { wrong: 'a number; it is left out' };
  const value = (cell.units / 10 ** cell.decimals + vital.conversion.plus) * vital.conversion.times;
  const reason = noReadingReason(vital.stream, value);
  const { least, most, unit } = numericFacts(vital.stream);
  return reason === null ? { value } : { wrong: `a reading between ${least} and ${most} ${unit}; it is left out (${reason})` };
}
