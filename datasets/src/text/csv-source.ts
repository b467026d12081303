import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ChannelScale, NumericStream, Rate, SampleBits } from '@vitalwire/contract';
import { DatasetError } from '../dataset-error.ts';
import { parseDecimal, rateOf } from '../decimal.ts';
import { ProblemList, quoted } from '../problem-list.ts';
import { shortName } from '../short-name.ts';
import type { SignalGroup, SignalSource, SourceProblem, SourceReading, SourceVital } from '../signal-source.ts';
import { wantedChannels } from '../wanted-channels.ts';
import { cellsOf, parseCell } from './csv-cells.ts';
import { type CsvLayout, type CsvOptions, csvLayout } from './csv-layout.ts';
import { linesFrom } from './csv-lines.ts';
import { parseTime, type RowTime } from './csv-time.ts';
import { CsvVitals } from './csv-vitals.ts';
import { RowRuns, type RowTimeline, usualStepUs, wentBack } from './row-runs.ts';

/** A place to begin reading every so many rows. */
const INDEX_EVERY = 4_096;

/** Rows looked at to find out the layout and the step of the time. */
const FIRST_ROWS = 200;

const MAX_BITS: SampleBits = 24;

/** Opens a CSV file: one pass finds gaps, scale and rate, then rows are read where they stand. Decimal values become integers with a decimal scale. */
export async function openCsv(path: string, options: CsvOptions = {}): Promise<SignalSource> {
  const file = basename(path);
  const handle = await open(path, 'r');
  try {
    const rows = await firstRows(file, handle);
    const layout = csvLayout(file, rows, options);
    const problems = new ProblemList();
    const rate = givenRate(file, options);
    const scanned = { file, handle, layout, byTime: rate === null };
    const stepUs = rate === null ? usualStepUs(timesOf(rows, layout)) : (rate.den * 1e6) / rate.num;
    const vitals = new CsvVitals({ file, handle, layout, rowUs: rate === null ? null : stepUs });
    const found = await scan(scanned, { runs: new RowRuns(rate, rate === null ? stepUs : 0), vitals }, problems);
    return new OpenedCsv(scanned, { ...found, stepUs, vitals }, problems);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function firstRows(file: string, handle: FileHandle): Promise<string[]> {
  const rows: string[] = [];
  for await (const { text } of linesFrom(file, handle, 0)) {
    if (text.trim() !== '') rows.push(text);
    if (rows.length >= FIRST_ROWS) break;
  }
  return rows;
}

function givenRate(file: string, { rateHz }: CsvOptions): Rate | null {
  if (rateHz === undefined) return null;
  const [num, den = '1', ...more] = rateHz.split('/');
  const [above, below] = [parseDecimal(num ?? ''), parseDecimal(den)];
  if (above === null || below === null || above.units <= 0n || below.units <= 0n || more.length > 0) {
    throw new DatasetError('OPTION_REFUSED', `${file}: a rate of '${rateHz}'; give samples per second such as 256, 173.61 or 17361/100`);
  }
  return rateOf(above.units * 10n ** BigInt(below.scale), below.units * 10n ** BigInt(above.scale)).rate;
}

type Scanned = Partial<RowTimeline> & {
  readonly startedAtUs: number | null;
  readonly index: readonly number[]; // where the rows 0, INDEX_EVERY, 2 * INDEX_EVERY ... that are samples begin
  readonly decimals: readonly number[]; // most digits after the point, per channel
  readonly mostAbs: readonly number[];
};

/** The values of one row, or why it cannot be a sample of all channels. */
function valuesOf(
  cells: readonly string[],
  layout: CsvLayout,
): { values: { units: number; decimals: number }[] } | { bad: string; label: string } {
  const values: { units: number; decimals: number }[] = [];
  for (const { index, label } of layout.columns) {
    const cell = parseCell(cells[index]);
    if (cell == null) return { bad: cells[index] ?? 'no cell', label };
    values.push(cell);
  }
  return { values };
}

function timesOf(rows: readonly string[], layout: CsvLayout): RowTime[] {
  return rows.flatMap((row) => parseTime(cellsOf(row, layout.delimiter)[layout.timeIndex ?? 0] ?? '') ?? []);
}

type ScannedFile = { readonly file: string; readonly handle: FileHandle; readonly layout: CsvLayout; readonly byTime: boolean };

type Passing = { readonly runs: RowRuns; readonly vitals: CsvVitals };

async function scan({ file, handle, layout, byTime }: ScannedFile, { runs, vitals }: Passing, problems: ProblemList): Promise<Scanned> {
  const index: number[] = [];
  const decimals = layout.columns.map(() => 0);
  const mostAbs = layout.columns.map(() => 0);
  let line = 0;
  let samples = 0;
  const tell = (field: string, found: string, expected: string) => problems.add({ field, at: line, unit: 'line', found, expected });
  for await (const { text, offset } of linesFrom(file, handle, 0)) {
    line += 1;
    if ((line === 1 && layout.header) || text.trim() === '') continue;
    const cells = cellsOf(text, layout.delimiter);
    if (cells.length !== layout.width) tell('cells', String(cells.length), String(layout.width));
    const noted = layout.vitals.length === 0 ? null : vitals.add(cells, offset, tell);
    const row = rowOf(cells, { layout, byTime });
    if ('wrong' in row) {
      const isBesides = noted?.any === true && layout.columns.every((column) => parseCell(cells[column.index]) === null);
      if (row.wrong !== null && !isBesides) tell(row.wrong.field, quoted(row.wrong.found), row.wrong.expected);
      runs.skip(noted?.any === true ? row.time : null);
      if (noted?.any === true && noted.wentBack) tell('time', quoted(cells[layout.timeIndex ?? 0] ?? ''), wentBack);
      continue;
    }
    const wrong = runs.add(row.time);
    if (wrong !== null) tell('time', quoted(cells[layout.timeIndex ?? 0] ?? ''), wrong);
    if (samples % INDEX_EVERY === 0) index.push(offset);
    samples += 1;
    for (const [channel, { units, decimals: places }] of row.values.entries()) {
      decimals[channel] = Math.max(decimals[channel] ?? 0, places);
      mostAbs[channel] = Math.max(mostAbs[channel] ?? 0, Math.abs(units) / 10 ** places);
    }
  }
  vitals.countFrom(runs.originUs);
  return { ...(layout.columns.length === 0 ? {} : runs.result(file)), startedAtUs: runs.startedAtUs, index, decimals, mostAbs };
}

type Row =
  | { readonly values: { units: number; decimals: number }[]; readonly time: RowTime | null }
  | { readonly wrong: { readonly field: string; readonly found: string; readonly expected: string } | null; readonly time: RowTime | null };

/** A row as a sample, or why it is none. Where there is no channel no row is one. */
function rowOf(cells: readonly string[], { layout, byTime }: Pick<ScannedFile, 'layout' | 'byTime'>): Row {
  const row = valuesOf(cells, layout);
  const timeText = cells[layout.timeIndex ?? 0] ?? '';
  const time = byTime ? parseTime(timeText) : null;
  if ('bad' in row) return { wrong: { field: `column '${row.label}'`, found: row.bad, expected: 'a number; the row is a gap' }, time };
  if (byTime && time === null)
    return { wrong: { field: 'time', found: timeText, expected: 'seconds or date and time; the row is a gap' }, time };
  return layout.columns.length === 0 ? { wrong: null, time } : { ...row, time };
}

class OpenedCsv implements SignalSource {
  readonly name: string;
  readonly synthetic = false;
  readonly startedAtUs: number | null;
  readonly durationUs: number;
  readonly groups: readonly SignalGroup[];
  readonly problems: readonly SourceProblem[];
  readonly #scanned: ScannedFile;
  readonly #index: readonly number[];
  readonly #places: readonly number[]; // digits after the point that one count stands for
  readonly #vitals: CsvVitals;
  #cursor = { sample: 0, offset: 0 }; // where the last read stopped: the next one mostly goes on there

  constructor(scanned: ScannedFile, found: Scanned & { readonly stepUs: number; readonly vitals: CsvVitals }, problems: ProblemList) {
    const { file, layout } = scanned;
    this.#scanned = scanned;
    this.#index = found.index;
    this.#vitals = found.vitals;
    this.#cursor = { sample: 0, offset: found.index[0] ?? 0 };
    this.name = shortName(file);
    this.startedAtUs = found.startedAtUs;
    const scales = layout.columns.map(({ label }, channel) =>
      placesFor(label, found.decimals[channel] ?? 0, found.mostAbs[channel] ?? 0, problems),
    );
    this.#places = scales;
    const fitsShort = scales.every((places, channel) => Math.round((found.mostAbs[channel] ?? 0) * 10 ** places) <= maxCount(16));
    const sampleBits: SampleBits = fitsShort ? 16 : 24;
    const channels = layout.columns.map(({ label, unit }, channel) => scaleOf(label, unit, scales[channel] ?? 0, sampleBits));
    const { rate, stretches = [] } = found;
    this.groups = rate === undefined ? [] : [{ rate, sampleBits, channels, stretches }];
    const last = stretches.at(-1);
    const signalsUs = last === undefined || rate === undefined ? 0 : last.onsetUs + Math.round((last.samples * rate.den * 1e6) / rate.num);
    this.durationUs = Math.max(signalsUs, this.#vitals.lastUs === null ? 0 : Math.round(this.#vitals.lastUs + Math.max(1, found.stepUs)));
    this.problems = problems.list();
  }

  async read(group: number, from: number, count: number, channels?: readonly number[]): Promise<Int32Array[]> {
    const wanted = wantedChannels(this.groups, group, from, count, channels);
    const arrays = wanted.map(() => new Int32Array(count));
    if (count === 0) return arrays;
    const indexed = Math.floor(from / INDEX_EVERY);
    const near = this.#cursor.sample <= from && this.#cursor.sample >= indexed * INDEX_EVERY;
    let { sample, offset } = near ? this.#cursor : { sample: indexed * INDEX_EVERY, offset: this.#index[indexed] ?? 0 };
    const { file, handle } = this.#scanned;
    for await (const { text, next } of linesFrom(file, handle, offset)) {
      const row = sampleOf(text, this.#scanned);
      offset = next;
      if (row === null) continue;
      if (sample >= from) {
        for (const [position, channel] of wanted.entries()) {
          const cell = row[channel];
          const array = arrays[position];
          if (cell !== undefined && array !== undefined) array[sample - from] = countOf(cell, this.#places[channel] ?? 0);
        }
      }
      sample += 1;
      if (sample === from + count) break;
    }
    this.#cursor = { sample, offset };
    if (sample < from + count) {
      const expected = `row ${from + count - 1}`;
      throw new DatasetError('DATA_FILE_UNREADABLE', { file, at: offset, unit: 'byte', field: 'rows', found: 'the end', expected });
    }
    return arrays;
  }

  annotations(): Promise<[]> {
    return Promise.resolve([]);
  }

  get vitals(): readonly SourceVital[] {
    return this.#vitals.vitals;
  }

  numeric(stream: NumericStream, fromUs: number, toUs: number): Promise<SourceReading[]> {
    return this.#vitals.read(stream, fromUs, toUs);
  }

  async close(): Promise<void> {
    await this.#scanned.handle.close();
  }
}

/** The values of a row that is a sample, by the same rules as in the first pass. */
function sampleOf(text: string, { layout, byTime }: ScannedFile): { units: number; decimals: number }[] | null {
  if (text.trim() === '') return null;
  const cells = cellsOf(text, layout.delimiter);
  const row = valuesOf(cells, layout);
  if ('bad' in row) return null;
  return byTime && parseTime(cells[layout.timeIndex ?? 0] ?? '') === null ? null : row.values;
}

function maxCount(bits: SampleBits): number {
  return 2 ** (bits - 1) - 1;
}

/** As many digits after the point as the file has, or as fit into the widest samples. */
function placesFor(label: string, decimals: number, mostAbs: number, problems: ProblemList): number {
  let places = decimals;
  while (Math.round(mostAbs * 10 ** places) > maxCount(MAX_BITS)) places -= 1;
  if (places < decimals) {
    problems.add({
      field: `column '${label}'`,
      at: null,
      unit: null,
      found: `${decimals} digits after the point in values up to ${mostAbs}; rounded to ${places}`,
      expected: `what fits into ${MAX_BITS} bits`,
    });
  }
  return places;
}

/** One count is 10^-places of the unit; the range is that of the samples' width. */
function scaleOf(label: string, unit: string, places: number, bits: SampleBits): ChannelScale {
  const [digitalMin, digitalMax] = [-maxCount(bits) - 1, maxCount(bits)];
  const physical = (count: number) => Number(`${count}e${-places}`); // one rounding, from the decimal text
  return { label, unit, digitalMin, digitalMax, physicalMin: physical(digitalMin), physicalMax: physical(digitalMax), reference: '' };
}

function countOf({ units, decimals }: { readonly units: number; readonly decimals: number }, places: number): number {
  return places >= decimals ? units * 10 ** (places - decimals) : Math.round(units / 10 ** (decimals - places));
}
