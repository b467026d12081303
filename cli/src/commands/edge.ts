import { existsSync } from 'node:fs';
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentStatus, isId } from '@vitalwire/contract';
import { createLog, pause, printConfig, readConfig, startAll } from '@vitalwire/runtime';
import { Argument, type Command } from 'commander';
import { parseDurationMs, parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { type AddCommand, clearScreen, type Io, noteLine, printJson, printLine, printText } from '../io.ts';
import { agentClient, agentDir, type Place } from './edge-client.ts';
import { drainLine, statusLines } from './edge-view.ts';
import { registerEdgeWatch } from './edge-watch.ts';

const WATCH_MS = 1_000;
const POLL_MS = 500;

const dataOption = [
  '--data <dir>',
  "data directory of the agent, or of a stack made with 'vitalwire up' (default: VITALWIRE_EDGE_DATA_DIR, else VITALWIRE_DATA/edge, else ~/.vitalwire/edge)",
] as const;

/** `vitalwire edge …`: the agent on a gateway, run and looked after. */
export const addCommand: AddCommand = (program, io) => {
  const edge = program
    .command('edge')
    .description('the agent beside the patient: run it, look at it, empty it, give devices their tokens')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire edge run --config /etc/vitalwire/edge.yaml   run it in the foreground
  vitalwire edge status --watch                          how it is, every second
  vitalwire edge token eeg-7                             the token a device sends with`,
    );
  addRun(edge, io);
  registerEdgeWatch(edge, io, dataOption);
  addStatus(edge, io);
  addDrain(edge, io);
  addToken(edge, io);
  addInstall(edge, io);
};

function addRun(edge: Command, io: Io): void {
  edge
    .command('run')
    .description('run the agent in the foreground until it is asked to stop')
    .option('--config <file>', 'settings from a YAML file; environment variables win over it')
    .option('--print-config', 'print the settings in force as YAML, secrets masked, and end')
    .option('--detect', "run the detector and the alarm engine here too: 'vitalwire edge watch' shows them without a cluster")
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire edge run --config /etc/vitalwire/edge.yaml --detect\n  VITALWIRE_EDGE_CHUNK_MS=500 vitalwire edge run --print-config',
    )
    .action((options: RunOptions) => run(io, options));
}

function addStatus(edge: Command, io: Io): void {
  edge
    .command('status')
    .description('how the agent is: outbox depth, oldest chunk, rates, forecast, certificate, clock')
    .option(...dataOption)
    .option('--json', 'as one JSON object')
    .option('--watch', 'again every second, until Ctrl-C')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire edge status\n  vitalwire edge status --data ./ward --json\n  vitalwire edge status --watch',
    )
    .action((options: Place & { json?: boolean; watch?: boolean }) => status(io, options));
}

function addDrain(edge: Command, io: Io): void {
  edge
    .command('drain')
    .description('close the intake, end the recordings and wait until the cluster has acknowledged everything')
    .option(...dataOption)
    .option('--timeout <duration>', 'give up waiting after this; the intake stays closed', parseDurationMs)
    .option('--resume', 'open the intake again')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire edge drain\n  vitalwire edge drain --timeout 10m\n  vitalwire edge drain --resume\n\nExit code 3 if the outbox is not empty when it ends.',
    )
    .action((options: Place & { timeout?: number; resume?: boolean }) => drain(io, options));
}

function addToken(edge: Command, io: Io): void {
  edge
    .command('token')
    .description("print a device's token, making one if it has none; the agent notices within a second")
    .addArgument(new Argument('<device>', 'id of the device: letters, digits, dots, hyphens, underscores'))
    .option(...dataOption)
    .option('--rotate', 'make a new one; the old one is worthless at once')
    .option('--revoke', 'take it away')
    .addHelpText(
      'after',
      '\nExamples:\n  vitalwire edge token eeg-7\n  vitalwire edge token eeg-7 --rotate\n  vitalwire edge token eeg-7 --revoke',
    )
    .action((device: string, options: Place & { rotate?: boolean; revoke?: boolean }) => token(io, device, options));
}

function addInstall(edge: Command, io: Io): void {
  edge
    .command('install')
    .description('print a systemd unit for the agent (own user, watchdog, memory limit), or write it')
    .option('--config <file>', 'settings of the agent', '/etc/vitalwire/edge.yaml')
    .option('--data <dir>', 'data directory of the agent, writable for its user', '/var/lib/vitalwire/edge')
    .option('--user <name>', 'user and group the agent runs as', 'vitalwire')
    .option('--memory-max <mb>', 'memory limit in MB; beyond it the agent is killed and started again', parseWhole(128, 1_048_576), 768)
    .option('--write [file]', 'write it, by default to /etc/systemd/system/vitalwire-edge.service')
    .addHelpText('after', '\nExamples:\n  vitalwire edge install\n  sudo vitalwire edge install --config /etc/vitalwire/edge.yaml --write')
    .action((options: InstallOptions) => install(io, options));
}

type RunOptions = { config?: string; printConfig?: boolean; detect?: boolean };

async function run(io: Io, options: RunOptions): Promise<void> {
  const { EdgeConfig, edgePrefix, createEdgeAgent } = await import('@vitalwire/edge-agent');
  const flags = options.detect === true ? { detect: true } : {};
  const config = readConfig(EdgeConfig, { prefix: edgePrefix, env: io.env, file: options.config, flags, configName: 'edge' });
  if (options.printConfig === true) {
    printText(io, printConfig(EdgeConfig, config).trimEnd());
    return;
  }
  const agent = createEdgeAgent(config, { log: createLog({ name: 'edge', level: config.logLevel }), clock: io.clock });
  const running = await startAll([agent], io.signal);
  io.reportReady?.(agent.addresses());
  await new Promise<void>((done) => {
    if (io.signal.aborted) done();
    else io.signal.addEventListener('abort', () => done(), { once: true });
  });
  await running.stop();
}

async function status(io: Io, options: Place & { json?: boolean; watch?: boolean }): Promise<void> {
  if (options.watch !== true) {
    await withAgent(io, options, async (ask) => printStatus(io, options, await ask()));
    return;
  }
  while (!io.signal.aborted) {
    try {
      await withAgent(io, options, async (ask) => {
        const answer = await ask();
        if (io.isTerminal && options.json !== true) clearScreen(io);
        printStatus(io, options, answer);
      });
    } catch (error) {
      if (io.signal.aborted) return;
      noteLine(io, error instanceof Error ? error.message : String(error)); // an agent that restarts is worth waiting for
    }
    await pause(io.clock, WATCH_MS, io.signal);
  }
}

function printStatus(io: Io, options: { json?: boolean }, answer: AgentStatus): void {
  if (options.json === true) printJson(io, answer);
  else for (const line of statusLines(answer, io.clock.nowUs())) printLine(io, line);
}

async function drain(io: Io, options: Place & { timeout?: number; resume?: boolean }): Promise<void> {
  const { EdgeError } = await import('@vitalwire/edge-agent');
  await withAgent(io, options, async (ask, post) => {
    if (options.resume === true) {
      await post('/v1/drain', { on: false });
      printLine(io, 'The intake is open again.');
      return;
    }
    let answer = await post('/v1/drain', { on: true });
    noteLine(io, "The intake is closed ('vitalwire edge drain --resume' opens it again).");
    const giveUpMs = io.clock.monotonicMs() + (options.timeout ?? Number.POSITIVE_INFINITY);
    while (answer.depthChunks > 0) {
      if (io.signal.aborted || io.clock.monotonicMs() > giveUpMs)
        throw new EdgeError('DRAIN_UNFINISHED', `${drainLine(answer)}; the intake stays closed`);
      noteLine(io, drainLine(answer));
      await pause(io.clock, POLL_MS, io.signal);
      answer = await ask();
    }
    printLine(io, 'The outbox is empty: everything this gateway took in is committed in the cluster.');
  });
}

async function token(io: Io, device: string, options: Place & { rotate?: boolean; revoke?: boolean }): Promise<void> {
  if (!isId(device))
    throw new CliError('WRONG_ARGUMENT', `'${device}' is not a device id: 1 to 63 letters, digits, dots, hyphens or underscores`);
  const { ensureDeviceToken, readAgentFile, revokeDeviceToken } = await import('@vitalwire/edge-agent');
  const dataDir = await agentDir(io, options);
  await refuseOtherDir(io, options, dataDir);
  const dir = (await readAgentFile(dataDir))?.tokensDir ?? io.env['VITALWIRE_EDGE_TOKENS_DIR'] ?? join(dataDir, 'tokens');
  if (options.revoke === true) {
    const revoked = await revokeDeviceToken(dir, device);
    printLine(io, revoked ? `${device} has no token any more.` : `${device} had no token.`);
    return;
  }
  const { token: text, made } = await ensureDeviceToken(dir, device, options.rotate === true);
  noteLine(io, made ? `New token of ${device}, kept in ${join(dir, device)}:` : `Token of ${device} (--rotate makes a new one):`);
  printLine(io, text);
}

/** A token in a directory that no agent looks into would be of no use, and nobody would notice. */
async function refuseOtherDir(io: Io, options: Place, dataDir: string): Promise<void> {
  const isGiven = (options.data ?? io.env['VITALWIRE_EDGE_DATA_DIR'] ?? io.env['VITALWIRE_DATA']) !== undefined;
  const names = await readdir(dataDir).catch((error: unknown) => {
    if (isMissing(error) && !isGiven) return []; // the agent's own place, before its first start
    const why = isMissing(error) ? 'there is no such directory' : error instanceof Error ? error.message : String(error);
    throw new CliError('WRONG_ARGUMENT', `--data ${dataDir}: ${why}; name the directory the agent runs with, or make it first`);
  });
  if (names.length > 0 && !names.some((name) => agentFiles.has(name)))
    throw new CliError('WRONG_ARGUMENT', `--data ${dataDir}: this is no data directory of an agent; name the one it runs with`);
}

const agentFiles = new Set(['tokens', 'outbox.sqlite', 'agent.token', 'agent.json']);

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

type InstallOptions = { config: string; data: string; user: string; memoryMax: number; write?: string | true };

async function install(io: Io, options: InstallOptions): Promise<void> {
  const { systemdUnit } = await import('@vitalwire/edge-agent');
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(options.user)) throw new CliError('WRONG_ARGUMENT', `--user ${options.user}: not a user name`);
  const unit = systemdUnit({
    user: options.user,
    script: fileURLToPath(new URL('../../bin/vitalwire.js', import.meta.url)),
    configPath: resolve(options.config),
    dataDir: resolve(options.data),
    memoryMaxMb: options.memoryMax,
  });
  if (options.write === undefined) {
    printText(io, unit.trimEnd());
    return;
  }
  const path = options.write === true ? '/etc/systemd/system/vitalwire-edge.service' : resolve(options.write);
  await writeFile(path, unit).catch((cause: unknown) => {
    throw cause instanceof Error ? Object.assign(cause, { path }) : cause; // that of a full disk does not say where
  });
  await chmod(path, 0o644);
  printLine(io, `Written to ${path}. Next, as root:`);
  printLine(io, `  useradd --system --home-dir ${resolve(options.data)} ${options.user}`);
  printLine(io, `  install -d -o ${options.user} -g ${options.user} -m 700 ${resolve(options.data)}`);
  printLine(io, `  systemctl daemon-reload && systemctl enable --now ${path.split('/').at(-1) ?? ''}`);
  if (!existsSync(options.config))
    printLine(io, `${resolve(options.config)} is not there yet: see 'vitalwire settings' for what it may hold.`);
}

async function withAgent<T>(io: Io, options: Place, work: (ask: Ask, post: Post) => Promise<T>): Promise<T> {
  const client = await agentClient(io, options);
  try {
    return await work(
      () => client.getJson('/v1/status', AgentStatus),
      (path, body) => client.postJson(path, body, AgentStatus),
    );
  } finally {
    await client.close();
  }
}

type Ask = () => Promise<AgentStatus>;
type Post = (path: string, body: object) => Promise<AgentStatus>;
