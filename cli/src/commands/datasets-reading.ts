import type { CsvOptions, OpenOptions } from '@vitalwire/datasets';
import { type Command, Option } from 'commander';

/** How a file is read that does not say everything itself; the same for every command that takes one. */
export type ReadOptions = {
  sideCars?: boolean;
  rate?: string;
  unit?: string;
  columns?: string[];
  timeColumn?: string;
  delimiter?: keyof typeof delimiters;
  header?: boolean;
};

const delimiters = { comma: ',', semicolon: ';', tab: '\t', space: ' ' } as const;

export function addReadOptions(command: Command): Command {
  return command
    .option('--no-side-cars', 'do not join the annotation files that stand beside it')
    .option('--rate <hz>', 'CSV: samples per second, such as 256, 173.61 or 17361/100')
    .option('--unit <unit>', 'CSV: unit of the columns whose header does not end in one, such as uV')
    .option('--columns <names...>', 'CSV: which columns are channels, by name or number; name=label renames')
    .option('--time-column <name>', 'CSV: the column with the time of each row: seconds, or date and time')
    .addOption(new Option('--delimiter <name>', 'CSV: what stands between cells (default: found out)').choices(Object.keys(delimiters)))
    .option('--no-header', 'CSV: the first row is data already');
}

export function readOptionsOf(options: ReadOptions): OpenOptions {
  const { rate, unit, columns, timeColumn, delimiter, header, sideCars } = options;
  const csv: CsvOptions = {
    ...(rate === undefined ? {} : { rateHz: rate }),
    ...(unit === undefined ? {} : { unit }),
    ...(columns === undefined ? {} : { columns }),
    ...(timeColumn === undefined ? {} : { timeColumn }),
    ...(delimiter === undefined ? {} : { delimiter: delimiters[delimiter] }),
    ...(header === false ? { header: false } : {}), // true is only commander's default
  };
  return { sideCars: sideCars ?? true, csv };
}
