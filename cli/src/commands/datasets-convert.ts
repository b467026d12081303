import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { numericFacts } from '@vitalwire/contract';
import { openSource, type SignalSource, writeCsv, writeEdf, writeSzcoreTsv } from '@vitalwire/datasets';
import { type Command, Option } from 'commander';
import { parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type Io, noteLine, printLine } from '../io.ts';
import { addReadOptions, type ReadOptions, readOptionsOf } from './datasets-reading.ts';

type Target = (typeof targets)[number];
type Flags = ReadOptions & { to?: Target; group?: number; force?: boolean };

const targets = ['edf', 'bdf', 'csv', 'tsv'] as const;

/** `vitalwire datasets convert`: the same recording in another format. */
export function addConvertCommand(datasets: Command, io: Io): void {
  addReadOptions(datasets.command('convert <file> <out>'))
    .description('write a recording as EDF+, BDF+ or CSV, or its seizures as a SzCORE table')
    .addOption(new Option('--to <format>', 'edf (16 bit), bdf (24 bit), csv or tsv (default: by the ending of <out>)').choices(targets))
    .option('--group <n>', 'CSV: which group of channels, when there are several rates', parseWhole(0, 9_999))
    .option('--force', 'write over a file that is there')
    .addHelpText('after', help)
    .action((file: string, out: string, flags: Flags) => convert(io, file, out, flags));
}

const help = `
Examples:
  vitalwire datasets convert chb05_06.edf chb05_06.tsv      its seizures, as SzCORE reads them
  vitalwire datasets convert night.csv night.edf --rate 256 --unit uV
  vitalwire datasets convert S065.txt S065.edf
  vitalwire datasets convert night.edf night.csv --group 0

EDF+ and BDF+ keep every sample, time, gap and annotation, and name nobody: the patient fields say X. A recording that does not end with a
data record is filled up, and an annotation 'Vitalwire: padding' says from when on. What could not be kept exactly is told; numbers of vitals are not written.`;

async function convert(io: Io, file: string, out: string, flags: Flags): Promise<void> {
  const to = flags.to ?? targetOf(out);
  if (flags.force !== true && existsSync(out)) {
    throw new CliError('WRONG_ARGUMENT', `${out} is there already: choose another name, or write over it with --force`);
  }
  const source = await openSource(file, readOptionsOf(flags));
  try {
    for (const { field, found, expected } of source.problems) noteLine(io, `problem: ${field}: found ${found}, expected ${expected}`);
    printLine(io, `${out}: ${await write(io, source, out, to, flags.group)}`);
    if (source.vitals.length > 0) noteLine(io, `not written: ${source.vitals.map(({ stream }) => numericFacts(stream).label).join(', ')}`);
  } finally {
    await source.close();
  }
}

async function write(io: Io, source: SignalSource, out: string, to: Target, group: number | undefined): Promise<string> {
  if (to === 'csv') {
    const { rows } = await writeCsv(out, source, { signal: io.signal, ...(group === undefined ? {} : { group }) });
    return `CSV, ${rows} rows`;
  }
  if (group !== undefined) throw new CliError('WRONG_ARGUMENT', '--group is for CSV; other formats keep all groups');
  if (to === 'tsv') {
    await writeSzcoreTsv(out, source);
    const seizures = (await source.annotations()).filter(({ type }) => type === 'seizure').length;
    return `SzCORE events, ${seizures === 0 ? 'no seizure, one row of background' : `${seizures} seizure${seizures === 1 ? '' : 's'}`}`;
  }
  const written = await writeEdf(out, source, { format: to, signal: io.signal });
  for (const note of written.notes) noteLine(io, `note: ${note}`);
  return `${written.format}, ${written.records} data records`;
}

function targetOf(out: string): Target {
  const ending = extname(out).slice(1).toLowerCase();
  const target = targets.find((one) => one === ending);
  if (target === undefined) throw new CliError('WRONG_ARGUMENT', `${out}: its ending tells no format; give --to ${targets.join(', ')}`);
  return target;
}
