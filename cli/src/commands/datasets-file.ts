import { numericFacts } from '@vitalwire/contract';
import { DatasetError, openSource, type SignalSource, type SourceProblem, samplesOf, validateSource } from '@vitalwire/datasets';
import type { Command } from 'commander';
import { exitCodes, type Io, printJson, printLine } from '../io.ts';
import { tableLines } from '../table.ts';
import { addReadOptions, type ReadOptions, readOptionsOf } from './datasets-reading.ts';

type AnswerOptions = ReadOptions & { json?: boolean };

const MAX_SEIZURES_SHOWN = 20;

/** The sub-commands of `vitalwire datasets` that look at one file. */
export function addFileCommands(datasets: Command, io: Io): void {
  addReadOptions(datasets.command('info <file>'))
    .description('what a recording holds: start, length, channels, rates, gaps, vitals, annotations')
    .option('--json', 'as one JSON object')
    .addHelpText('after', '\nExamples:\n  vitalwire datasets info night.edf\n  vitalwire datasets info bonn:S065 --json')
    .action((file: string, options: AnswerOptions) => info(io, file, options));
  addReadOptions(datasets.command('validate <file>'))
    .description('read a recording whole and tell every problem of it and of the annotation files beside it')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire datasets validate night.edf\n  vitalwire datasets validate night.edf --json\n\nExit code 1 if there is a problem.',
    )
    .action((file: string, options: AnswerOptions) => validate(io, file, options));
}

async function info(io: Io, file: string, options: AnswerOptions): Promise<void> {
  const source = await openSource(file, readOptionsOf(options));
  try {
    const answer = await describe(source);
    if (options.json === true) printJson(io, answer);
    else tell(io, answer);
  } finally {
    await source.close();
  }
}

async function validate(io: Io, file: string, options: AnswerOptions): Promise<void> {
  const problems = await problemsOf(file, options, io.signal);
  if (options.json === true) printJson(io, { file, ok: problems.length === 0, problems });
  else {
    for (const problem of problems) printLine(io, problemText(problem));
    printLine(
      io,
      problems.length === 0 ? `${file} is whole and reads as its format says` : `${file}: ${counted(problems.length, 'problem')}`,
    );
  }
  if (problems.length > 0) io.exitCode(exitCodes.answerIsNo);
}

/** A file that is no recording at all is the one problem that validate can tell of it. */
async function problemsOf(file: string, options: ReadOptions, signal: AbortSignal): Promise<SourceProblem[]> {
  try {
    const source = await openSource(file, readOptionsOf(options));
    try {
      return await validateSource(source, signal);
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof DatasetError) || error.place === null) throw error;
    const { field, at, unit, found, expected } = error.place;
    return [{ field, at, unit, found, expected }];
  }
}

type Answer = Awaited<ReturnType<typeof describe>>;

async function describe(source: SignalSource) {
  const annotations = await source.annotations();
  const seizures = annotations.filter(({ type }) => type === 'seizure');
  return {
    name: source.name,
    synthetic: source.synthetic,
    startedAt: source.startedAtUs === null ? null : new Date(source.startedAtUs / 1000).toISOString().replace('Z', ''),
    durationUs: source.durationUs,
    groups: source.groups.map((group) => ({
      rate: group.rate,
      sampleBits: group.sampleBits,
      samples: samplesOf(group),
      stretches: group.stretches,
      channels: group.channels,
    })),
    vitals: source.vitals.map(({ stream, kind }) => ({ stream, kind })),
    annotations: annotations.length,
    seizures,
    problems: source.problems,
  };
}

function tell(io: Io, answer: Answer): void {
  const { groups, vitals, seizures, problems } = answer;
  printLine(io, `${answer.name}${answer.synthetic ? ' (synthetic)' : ''}`);
  printLine(io, `start     ${answer.startedAt?.replace('T', ' ') ?? 'not told'}`);
  printLine(io, `length    ${lengthText(answer.durationUs)}`);
  for (const [index, { rate, sampleBits, samples, stretches, channels }] of groups.entries()) {
    const gaps = stretches.length > 1 ? `, ${stretches.length} stretches` : '';
    printLine(
      io,
      `group ${index}   ${counted(channels.length, 'channel')}, ${rateText(rate)}, ${sampleBits} bit, ${samples} samples each${gaps}`,
    );
    const rows = channels.map((one, channel) => [
      `  ${channel}`,
      one.label,
      one.unit === '' ? '(counts)' : one.unit,
      `${one.physicalMin}…${one.physicalMax}`,
      `${one.digitalMin}…${one.digitalMax}`,
    ]);
    for (const line of tableLines([['   ', 'LABEL', 'UNIT', 'PHYSICAL', 'DIGITAL'], ...rows])) printLine(io, line);
  }
  if (vitals.length > 0) printLine(io, `vitals    ${vitals.map(({ stream }) => numericFacts(stream).label).join(', ')}`);
  printLine(io, `${counted(answer.annotations, 'annotation')}, ${counted(seizures.length, 'seizure')} among them`);
  for (const { onsetUs, durationUs, text } of seizures.slice(0, MAX_SEIZURES_SHOWN)) {
    printLine(io, `  ${lengthText(onsetUs)}  ${durationUs === null ? 'length not told' : `for ${lengthText(durationUs)}`}  ${text}`);
  }
  if (seizures.length > MAX_SEIZURES_SHOWN) printLine(io, `  and ${seizures.length - MAX_SEIZURES_SHOWN} more`);
  for (const problem of problems) printLine(io, `problem: ${problemText(problem)}`);
}

function problemText({ field, at, unit, found, expected }: SourceProblem): string {
  return `${at === null || unit === null ? '' : `${unit} ${at}, `}${field}: found ${found}, expected ${expected}`;
}

function rateText({ num, den }: { readonly num: number; readonly den: number }): string {
  const rate = num / den;
  return Number.isInteger(rate * 1000) ? `${rate} Hz` : `${num}/${den} Hz`;
}

/** h:mm:ss with as many decimals as it takes. */
function lengthText(us: number): string {
  const seconds = Math.floor(us / 1e6);
  const two = (value: number) => String(value).padStart(2, '0');
  const fraction =
    us % 1e6 === 0
      ? ''
      : `.${String(us - seconds * 1e6)
          .padStart(6, '0')
          .replace(/0+$/, '')}`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${fraction}`;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
