import { DatasetError } from '../dataset-error.ts';
import { plainUnit } from '../edf/header.ts';
import { cellsOf, type Delimiter, guessDelimiter, parseCell } from './csv-cells.ts';
import { parseTime } from './csv-time.ts';
import { type CsvVital, vitalOfColumn } from './vital-column.ts';

/** What a CSV file does not say itself. */
export type CsvOptions = {
  /** Which columns are channels, by name or number from 1; `name=label` renames. When not given, all but the time and the vitals. */
  readonly columns?: readonly string[];
  /** The column with the time of each row, by name or number: seconds, or date and time. */
  readonly timeColumn?: string;
  /** Samples per second as decimal text, instead of a time column: `173.61`. */
  readonly rateHz?: string;
  /** The unit of all columns whose header does not end in one, such as `Fp1 (uV)`. */
  readonly unit?: string;
  readonly delimiter?: Delimiter;
  readonly header?: boolean;
};

export type CsvColumn = { readonly index: number; readonly label: string; readonly unit: string };

export type CsvLayout = {
  readonly delimiter: Delimiter;
  readonly header: boolean;
  readonly width: number; // cells of a row
  readonly columns: readonly CsvColumn[];
  readonly vitals: readonly CsvVital[]; // columns named after a numeric vital that are no channels; one each
  readonly timeIndex: number | null;
};

/** Finds out how the file is laid out from its first rows, and refuses what could be read in more than one way. */
export function csvLayout(file: string, rows: readonly string[], options: CsvOptions): CsvLayout {
  const delimiter = options.delimiter ?? guessDelimiter(rows);
  const first = cellsOf(rows[0] ?? '', delimiter);
  const header = options.header ?? first.some((cell) => parseCell(cell) === undefined && parseTime(cell) === null);
  const names = header ? first : first.map((_, index) => `channel ${index + 1}`);
  const find = (wanted: string): number => {
    const index =
      /^\d+$/.test(wanted) && !names.includes(wanted)
        ? Number(wanted) - 1
        : names.findIndex((name) => plainName(name) === wanted || name === wanted);
    if (names[index] === undefined)
      throw refusal(file, 'column', `'${wanted}'`, `one of ${names.map((name) => `'${name}'`).join(', ')}, or its number`);
    return index;
  };
  const timeIndex = options.timeColumn === undefined ? guessTime(header ? names : []) : find(options.timeColumn);
  if (timeIndex === null && options.rateHz === undefined) {
    throw new DatasetError('OPTION_NEEDED', `${file}: give its rate (such as 256) or the column that has the time`);
  }
  const named = header ? vitalsOf(names).filter(({ index }) => index !== timeIndex) : [];
  const wanted =
    options.columns ??
    names.flatMap((_, index) => (index === timeIndex || named.some((vital) => vital.index === index) ? [] : [String(index + 1)]));
  const columns = wanted.map((one): CsvColumn => {
    const [, source = one, label] = /^(.*?)=(.*)$/.exec(one) ?? [];
    const index = options.columns === undefined ? Number(source) - 1 : find(source);
    const name = names[index] ?? source;
    const unit = unitOf(name) ?? options.unit;
    if (unit === undefined)
      throw new DatasetError('OPTION_NEEDED', `${file}: the unit of column '${name}' is not told; give it, such as uV`);
    return { index, label: label ?? plainName(name), unit: plainUnit(unit) };
  });
  const vitals = named.filter(({ index }) => !columns.some((column) => column.index === index));
  if (columns.length + vitals.length === 0) throw refusal(file, 'columns', 'none but the time', 'at least one channel or vital');
  return { delimiter, header, width: first.length, columns, vitals, timeIndex };
}

/** Of two columns of one vital the second is a channel. */
function vitalsOf(names: readonly string[]): CsvVital[] {
  const found = new Map<string, CsvVital>();
  for (const [index, name] of names.entries()) {
    const vital = vitalOfColumn(index, plainName(name), unitOf(name));
    if (vital !== null && !found.has(vital.stream)) found.set(vital.stream, vital);
  }
  return [...found.values()];
}

function refusal(file: string, field: string, found: string, expected: string): DatasetError {
  return new DatasetError('OPTION_REFUSED', { file, at: null, unit: null, field, found, expected });
}

const withUnit = /^(.*?)\s*[([]\s*([^()[\]]+?)\s*[)\]]$/;

function plainName(name: string): string {
  return withUnit.exec(name)?.[1] ?? name;
}

function unitOf(name: string): string | undefined {
  return withUnit.exec(name)?.[2];
}

/** A column called time is no channel, also where a rate is given and it is not read. */
function guessTime(names: readonly string[]): number | null {
  const index = names.findIndex((name) => /^(?:time|timestamp|t|seconds|time_s|time_seconds|datetime|date_time)$/i.test(plainName(name)));
  return index === -1 ? null : index;
}
