import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { BenchError } from './bench-error.ts';
import { benchCodec } from './codec.ts';
import { benchExports } from './exports.ts';
import { benchGroupCommit } from './group-commit.ts';
import { benchPipeline } from './pipeline.ts';
import { benchReplay } from './replay.ts';
import { codecTable, commitTable, exportsTable, pipelineTable, replayTable, wardTable } from './tables.ts';
import { benchWard } from './ward.ts';

const usage = `npm run bench [-- commit|pipeline|codec|replay|exports|ward] [--rounds N] [--seconds N] [--tls off|on|both] [--patients N] [--json]

Measurements side by side, whose ratios count. Without a name all but ward run, about 7 minutes in all.

  commit         group commit beside one commit per message, through our front door into SQLite (about 30 s)
  pipeline       our front door and MariaDB beside Mosquitto, paho-mqtt and PyMySQL (about 4 minutes)
  codec          our sample codecs beside JSON, on real EEG (about 5 s)
  replay         a device's side of a replay: its clock, and how fast it can be (about 1 minute)
  exports        the edge agent's memory, and the EEG it takes meanwhile, while two phone exports of 57 MB come in (about 30 s)
  ward           the whole stack with patients of 8 channels at 256 Hz: processor time, waits, how seldom is judged (about 2 minutes)

codec and pipeline send real EEG: the Bonn recordings, which 'npx vitalwire datasets fetch bonn' fetches.

  --rounds N     rounds per side, 1 to 9 (default 3)
  --seconds N    pipeline: seconds of load per round and side, 1 to 10 (default 2); replay: ten times as many at 1x; ward: thirty times as many
  --patients N   ward: 1 to 500 (default 120)
  --tls MODE     pipeline: TLS off or on, on all sides alike (default both, one after the other)
  --json         only the result as JSON on stdout

The exit code is 0, 1 when something could not be measured or stays below its bar, 2 for wrong arguments.

Example: npm run bench -- pipeline --seconds 3 --json`;

const names = ['commit', 'pipeline', 'codec', 'replay', 'exports', 'ward'] as const;
const withoutName = names.filter((name) => name !== 'ward'); // a load for the whole machine, only when asked for
type Name = (typeof names)[number];
type Task = {
  readonly names: readonly Name[];
  readonly rounds: number;
  readonly seconds: number;
  readonly tls: readonly boolean[];
  readonly patients: number;
};
type Outcome = { readonly result: { readonly bench: Name }; readonly table: string; readonly isGood: boolean };

// Children and temporary directories go when the process ends; without a listener a signal would end it too soon for that.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
await main();

async function main(): Promise<void> {
  let asked: ReturnType<typeof readArguments>;
  try {
    asked = readArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${firstSentence(messageOf(error))}; \`npm run bench -- --help\` shows what there is\n`);
    process.exitCode = 2;
    return;
  }
  if (asked === 'help') process.stdout.write(`${usage}\n`);
  else await run(asked.task, asked.json);
}

async function run(task: Task, json: boolean): Promise<void> {
  const outcomes: Outcome[] = [];
  for (const name of task.names) {
    try {
      const outcome = await measure(name, task);
      outcomes.push(outcome);
      if (!json) process.stdout.write(`\n${outcome.table}\n\n`);
      if (!outcome.isGood) process.exitCode = 1;
    } catch (error) {
      process.stderr.write(`bench: ${name}: ${messageOf(error)}\n`);
      process.exitCode = 1;
    }
  }
  if (!json || outcomes.length === 0) return;
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  const results = outcomes.map(({ result }) => result);
  process.stdout.write(`${JSON.stringify(task.names.length === 1 ? { ...results[0], ...machine } : { results, ...machine }, null, 2)}\n`);
}

async function measure(name: Name, { rounds, seconds, tls, patients }: Task): Promise<Outcome> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (name === 'commit') {
    const result = await benchGroupCommit(rounds, say);
    return { result, table: commitTable(result), isGood: true };
  }
  if (name === 'codec') {
    const result = benchCodec(rounds * 3, say);
    return { result, table: codecTable(result), isGood: result.isGood };
  }
  if (name === 'replay') {
    const result = await benchReplay(rounds, seconds * 10, say);
    return { result, table: replayTable(result), isGood: result.isGood };
  }
  if (name === 'ward') {
    const result = await benchWard(patients, seconds * 30, say);
    return { result, table: wardTable(result), isGood: result.judged === patients };
  }
  if (name === 'exports') {
    const result = await benchExports(say);
    return { result, table: exportsTable(result), isGood: result.isGood };
  }
  const result = await benchPipeline({ rounds, seconds, tls }, say);
  return { result, table: pipelineTable(result), isGood: result.isGood };
}

function readArguments(args: readonly string[]): 'help' | { task: Task; json: boolean } {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      tls: { type: 'string', default: 'both' },
      patients: { type: 'string', default: '120' },
    },
  });
  if (values.help) return 'help';
  const [asked, ...more] = positionals;
  const known = names.filter((name) => name === asked);
  if (more.length > 0) throw new BenchError(`one benchmark at a time, but '${more.join(' ')}' came behind '${asked}'`);
  if (asked !== undefined && known.length === 0) throw new BenchError(`there is no benchmark '${asked}', only ${names.join(', ')}`);
  const task = {
    names: asked === undefined ? withoutName : known,
    rounds: wholeNumber('rounds', values.rounds, 9),
    seconds: wholeNumber('seconds', values.seconds, 10),
    tls: tlsModes(values.tls),
    patients: wholeNumber('patients', values.patients, 500),
  };
  return { task, json: values.json };
}

function wholeNumber(name: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
  throw new BenchError(`--${name} is a whole number from 1 to ${most}, not '${text}'`);
}

function tlsModes(text: string): boolean[] {
  if (text === 'both') return [false, true];
  if (text === 'on' || text === 'off') return [text === 'on'];
  throw new BenchError(`--tls is off, on or both, not '${text}'`);
}

function firstSentence(text: string): string {
  return text.split('. ')[0] ?? text;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
