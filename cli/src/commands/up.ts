import { labelLines, labelShort } from '@vitalwire/contract';
import { parseDatabase } from '../database-option.ts';
import { parseDurationMs } from '../duration.ts';
import { type AddCommand, type Io, noteLine, printJson, printLine } from '../io.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { type PortChoice, parsePort } from '../stack/ports.ts';
import { Stack } from '../stack/stack.ts';
import { certificateLine, pageUrl } from '../stack/stack-file.ts';
import { type StackNumbers, watchStack } from '../stack/stack-watch.ts';
import type { ServiceView } from '../stack/supervisor.ts';

type Options = { data?: string; database?: string; for?: number; json?: boolean; detect?: boolean; port?: PortChoice };

/** `vitalwire up`: the services on this machine, until told to stop. */
export const addCommand: AddCommand = (program, io) => {
  program
    .command('up')
    .description('run all services on this machine as supervised processes')
    .option('--data <dir>', 'data directory (default: VITALWIRE_DATA, else ~/.vitalwire); made if it is not there')
    .option(
      '--database <where>',
      'sqlite:DIR or mysql://user:password@host:port/name (default: SQLite in the data directory)',
      parseDatabase,
    )
    .option(
      '--port <name=number>',
      'a port for this run: web, intake, front-door, storage or alarms (default: chosen once, kept in <data>/ports.json)',
      parsePort,
    )
    .option('--for <duration>', 'stop by itself after this long, for example 30s', parseDurationMs)
    .option('--detect', "the edge agent detects and alarms by itself too: 'vitalwire edge watch' shows it")
    .option('--json', 'events as one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire up
  vitalwire up --data ./ward --json
  vitalwire up --port web=8443 --port intake=8446
  vitalwire up --database mysql://vitalwire:secret@127.0.0.1:3306/vitalwire

Certificates, tokens and the database are made on the first start. Crashed services restart automatically; the reason
is printed and the logs are in <data>/logs. Ports stay what they were, so that phones and gateways find the stack again.
Settings of single services: VITALWIRE_<SERVICE>_<SETTING> (vitalwire settings).`,
    )
    .action((options: Options) => up(io, options));
};

async function up(io: Io, options: Options): Promise<void> {
  const startedMs = io.clock.monotonicMs();
  const dirs = resolveDataDir(options.data, io.env);
  const teller = await openTeller(io, options);
  const stack = new Stack({
    dirs,
    database: options.database,
    ports: options.port,
    env: options.detect === true ? { ...io.env, VITALWIRE_EDGE_DETECT: 'true' } : io.env,
    clock: io.clock,
    onChange: (view) => teller.service(view, stack.views()),
  });
  const ended = new AbortController();
  let watching: Promise<void> = Promise.resolve();
  try {
    await stack.start(io.signal);
    teller.ready(stack, io.clock.monotonicMs() - startedMs);
    watching = watchStack(stack.info, io.clock, ended.signal, (numbers) => teller.numbers(numbers));
    await untilAsked(io, options.for);
  } finally {
    ended.abort();
    await watching;
    await stack.stop();
    teller.end();
  }
}

async function untilAsked(io: Io, forMs: number | undefined): Promise<void> {
  try {
    for (let left = forMs ?? Number.POSITIVE_INFINITY; left > 0; left -= 3_600_000)
      await io.clock.sleep(Math.min(left, 3_600_000), io.signal);
  } catch (error) {
    if (!io.signal.aborted) throw error;
  }
}

/** Who is told what happens: a person at a terminal, a program, or a log. */
type Teller = {
  service(view: ServiceView, all: readonly ServiceView[]): void;
  ready(stack: Stack, tookMs: number): void;
  numbers(numbers: StackNumbers): void;
  end(): void;
};

async function openTeller(io: Io, options: Options): Promise<Teller> {
  if (options.json === true) return jsonTeller(io);
  if (!io.isTerminal) return lineTeller(io);
  const { showUpView } = await import('../stack/up-view.ts');
  const view = showUpView(io.stdout as NodeJS.WriteStream, () => io.clock.nowMs());
  return {
    service: (_view, all) => view.update({ services: all }),
    ready: (stack) => view.update({ info: stack.info }),
    numbers: (numbers) => view.update({ numbers }),
    end: () => view.close(),
  };
}

function jsonTeller(io: Io): Teller {
  const event = (type: string, fields: object): void => printJson(io, { type, atMs: io.clock.nowMs(), ...fields });
  event('label', { text: labelShort });
  return {
    service: (view) => event('service', view),
    ready: (stack, tookMs) => event('ready', { tookMs: Math.round(tookMs), ...stack.info }),
    numbers: ({ chunksPerSecond, stats, gateway, problems }) =>
      event('numbers', {
        chunksPerSecond,
        stats,
        problems,
        outbox:
          gateway === null
            ? null
            : { depthChunks: gateway.depthChunks, oldestAgeMs: gateway.oldestAgeMs, lastPubackUs: gateway.lastPubackUs },
      }),
    end: () => event('stopped', {}),
  };
}

const SUMMARY_EVERY = 10;

function lineTeller(io: Io): Teller {
  let seconds = 0;
  let told: readonly string[] = [];
  for (const line of labelLines) noteLine(io, line);
  return {
    service: ({ name, state, restarts, lastCrash }) => {
      noteLine(
        io,
        `${name}: ${state}${restarts === 0 ? '' : ` (${restarts} restarts)`}${state === 'restarting' && lastCrash !== null ? `, ended with ${lastCrash.reason}` : ''}`,
      );
    },
    ready: (stack, tookMs) => {
      printLine(io, `ready after ${(tookMs / 1000).toFixed(1)} s; the page: ${pageUrl(stack.info)}`);
      noteLine(io, certificateLine(stack.info));
    },
    numbers: ({ chunksPerSecond, stats, gateway, problems }) => {
      for (const problem of problems) if (!told.includes(problem)) noteLine(io, `PROBLEM: ${problem}`);
      if (problems.length === 0 && told.length > 0) noteLine(io, 'no problem any more');
      told = problems;
      if (seconds++ % SUMMARY_EVERY !== 0 || stats === null) return;
      noteLine(
        io,
        `${stats.chunks} chunks stored, ${chunksPerSecond?.toFixed(1) ?? '--'} chunks/s, outbox ${gateway?.depthChunks ?? '--'} chunks`,
      );
    },
    end: () => noteLine(io, 'stopped'),
  };
}
