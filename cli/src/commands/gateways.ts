import type { Client } from '@vitalwire/client';
import type { GatewayState, Problem } from '@vitalwire/contract';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { type AddCommand, clearScreen, exitCodes, type Io, printJson, printLine } from '../io.ts';
import { tableLines } from '../table.ts';
import { age } from '../text.ts';

type GatewaysOptions = ConnectOptions & { json?: boolean; watch?: boolean };

const WATCH_MS = 2_000;

/** `vitalwire gateways`: the fleet at a glance. */
export const addCommand: AddCommand = (program, io) => {
  addConnectOptions(program.command('gateways'))
    .description('every gateway: version, outbox depth, oldest age, forecast, certificate days, clock offset')
    .option('--json', 'as one JSON object (with --watch: one per line)')
    .option('--watch', 'again and again until interrupted')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire gateways
  vitalwire gateways --watch --json

Exit code 1 if a gateway is not online or has a problem (without --watch).`,
    )
    .action((options: GatewaysOptions) => gateways(io, options));
};

async function gateways(io: Io, options: GatewaysOptions): Promise<void> {
  const client = await connect(io, options);
  try {
    for (;;) {
      const answer = await client.gateways();
      if (options.json === true) printJson(io, answer);
      else {
        // On a terminal the table stays where it is; elsewhere each round is printed below the last.
        if (options.watch === true && io.isTerminal) clearScreen(io);
        for (const line of table(answer.gateways, answer.nowUs)) printLine(io, line);
        for (const { gateway, problem } of answer.gateways) if (problem !== null) printLine(io, `PROBLEM ${gateway}: ${problem}`);
        for (const { about, text } of await othersProblems(client, answer.gateways)) printLine(io, `PROBLEM ${about}: ${text}`);
        if (answer.storage === 'down') printLine(io, 'storage does not answer: births and deaths are not known, live status is');
      }
      if (options.watch !== true) {
        if (answer.gateways.some(({ state, problem }) => state !== 'online' || problem !== null)) io.exitCode(exitCodes.answerIsNo);
        return;
      }
      await io.clock.sleep(WATCH_MS, io.signal);
    }
  } finally {
    await client.close();
  }
}

/** What is wrong behind the gateways, such as a damaged database: it is their readings that wait. */
async function othersProblems(client: Client, gateways: readonly GatewayState[]): Promise<readonly Problem[]> {
  const { links } = await client.state();
  return (links.problems ?? []).filter(({ about }) => !gateways.some(({ gateway }) => gateway === about));
}

const titles = ['GATEWAY', 'STATE', 'VERSION', 'OUTBOX', 'OLDEST', 'IN/OUT per s', 'FULL IN', 'CERT', 'CLOCK'] as const;

function table(gateways: readonly GatewayState[], nowUs: number): string[] {
  if (gateways.length === 0) return ['No gateway has been heard of yet.'];
  const rows = [titles, ...gateways.map((gateway) => cells(gateway, nowUs))];
  return tableLines(rows);
}

function cells(gateway: GatewayState, nowUs: number): string[] {
  const silentMs = gateway.statusReceivedAtUs === null ? null : (nowUs - gateway.statusReceivedAtUs) / 1000;
  return [
    gateway.gateway,
    gateway.state === 'silent' && silentMs !== null ? `silent for ${age(silentMs)}` : gateway.state,
    gateway.version ?? '--',
    gateway.depthChunks === null ? '--' : `${gateway.depthChunks} chunks, ${size(gateway.depthBytes ?? 0)}`,
    gateway.oldestAgeMs === null ? '--' : age(gateway.oldestAgeMs),
    gateway.chunksPerSecondIn === null ? '--' : `${gateway.chunksPerSecondIn.toFixed(1)} / ${(gateway.chunksPerSecondOut ?? 0).toFixed(1)}`,
    gateway.secondsUntilFull === null ? '--' : gateway.secondsUntilFull === 0 ? 'now' : age(gateway.secondsUntilFull * 1000),
    gateway.certificateDaysLeft === null
      ? '--'
      : gateway.certificateDaysLeft < 0
        ? 'EXPIRED'
        : `${Math.floor(gateway.certificateDaysLeft)} d`,
    clockText(gateway.clock),
  ];
}

function clockText(clock: GatewayState['clock']): string {
  if (clock === null || clock.source === 'none') return 'not measured';
  const sign = clock.offsetUs < 0 ? '-' : '+';
  return `${sign}${(Math.abs(clock.offsetUs) / 1000).toFixed(1)} ms ± ${(clock.uncertaintyUs / 1000).toFixed(1)} (${clock.source})`;
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
