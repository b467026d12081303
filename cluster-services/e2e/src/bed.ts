import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { Client } from '@vitalwire/client';
import { EdgeWatch } from '@vitalwire/contract';
import { loadStreamDetector } from '@vitalwire/detector';
import { createLog, HttpClient, systemClock } from '@vitalwire/runtime';
import { FaultProxy, removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { windowShapeFor } from '@vitalwire/vitals';
import { type Command, ownCommand, readToken, resolveDataDir, type ServiceName, Stack } from 'vitalwire/stack';
import { afterAll, afterEach, expect } from 'vitest';
import type { Victim } from './killing.ts';

export const PATIENTS = 4;
/** Patients of one channel each, who seize often. */
const restless = ['synth', '--patients', String(PATIENTS), '--synth', 'channels=1,seizures=40,artefacts=none'];
const DELIVERED_MS = 60_000;
const SCORED_MS = 60_000;
const run = promisify(execFile);

type DataDir = ReturnType<typeof resolveDataDir>;

export type BedOptions = {
  /** `mysql://…`; SQLite in the bed's own directory unless given. */
  readonly database?: string;
  readonly commandOf?: (name: ServiceName) => Command | null;
  /** Settings of services, on top of the process's own. */
  readonly settings?: Readonly<Record<string, string>>;
  /** It ends with the test that started it, or with all tests of its file. */
  readonly lasts?: 'test' | 'file';
};
export type VerifyReport = {
  readonly lost: number;
  readonly duplicated: number;
  readonly different: number;
  readonly samplesStored: number;
  readonly ledgerMissing: number;
};

const cleanups: Record<'test' | 'file', (() => unknown)[]> = { test: [], file: [] };
afterEach(() => cleanUp('test'));
afterAll(() => cleanUp('file'));

async function cleanUp(lasts: 'test' | 'file'): Promise<void> {
  for (const cleanup of cleanups[lasts].splice(0).reverse()) await cleanup();
}

/** Ends something with the test that began it, or with its file, last begun first. */
export function atEnd(cleanup: () => unknown, lasts: 'test' | 'file' = 'test'): void {
  cleanups[lasts].push(cleanup);
}

/** The real stack in a directory of its own, a replay to feed it, and the comparison of what was sent with what is stored. */
export class Bed {
  readonly dirs: DataDir;
  readonly #options: BedOptions;
  readonly #gatewayNetwork: FaultProxy;
  #stack: Stack | null = null;
  #client: Client | null = null;

  private constructor(dirs: DataDir, gatewayNetwork: FaultProxy, options: BedOptions) {
    this.dirs = dirs;
    this.#gatewayNetwork = gatewayNetwork;
    this.#options = options;
  }

  static async start(options: BedOptions = {}): Promise<Bed> {
    const root = tempDir('vw-bed-');
    atEnd(() => removeTempDir(root), options.lasts);
    const gatewayNetwork = await FaultProxy.start(() => bed.#frontDoorPort());
    atEnd(() => gatewayNetwork.close(), options.lasts);
    const bed = new Bed(resolveDataDir(root, {}), gatewayNetwork, options);
    atEnd(() => bed.stop(), options.lasts);
    await bed.start();
    return bed;
  }

  get client(): Client {
    if (this.#client === null) throw new Error('the bed is not running');
    return this.#client;
  }

  get stack(): Stack {
    if (this.#stack === null) throw new Error('the bed is not running');
    return this.#stack;
  }

  /** Starts the stack, again after `stop`: the same directory, the same ports. */
  async start(): Promise<void> {
    const commandOf = (name: ServiceName): Command | null =>
      this.#options.commandOf?.(name) ?? (name === 'edge' ? this.#edgeBehindProxy() : null);
    const { settings, lasts: _, ...options } = this.#options;
    this.#stack = new Stack({ dirs: this.dirs, env: { ...process.env, ...settings }, clock: systemClock, ...options, commandOf });
    await this.#stack.start(new AbortController().signal);
    this.#client = await this.viewer();
  }

  async stop(): Promise<void> {
    await this.#client?.close();
    this.#client = null;
    await this.#stack?.stop();
    this.#stack = null;
  }

  /** Breaks the gateway's connections to the front door; it can make new ones at once. */
  cutGateway(): void {
    this.#gatewayNetwork.cut();
  }

  /** Cuts the gateway off from the cluster until `mendLink`: its connections break and it can make no new ones. */
  cutLink(): void {
    this.#gatewayNetwork.refuse(true);
    this.#gatewayNetwork.cut();
  }

  mendLink(): void {
    this.#gatewayNetwork.refuse(false);
  }

  /** What the edge agent itself shows (`--detect`), asked at the agent: no cluster is needed for it. */
  async watchEdge(): Promise<EdgeWatch> {
    const { urls, edgeTokenPath, caPath } = this.stack.info;
    const agent = new HttpClient({ baseUrl: urls.intake, token: readToken(edgeTokenPath), caPath, timeoutMs: 5_000 });
    try {
      return await agent.getJson('/v1/watch', EdgeWatch);
    } finally {
      await agent.close();
    }
  }

  /** Where a service listens that the stack's own file does not name. */
  urlOf(name: ServiceName): string {
    return String(this.#view(name).addresses?.['url'] ?? '');
  }

  /** One more client of web; closed by whoever asked for it. */
  viewer(): Promise<Client> {
    const { urls, caPath, tokenPath } = this.stack.info;
    return Client.connect({ url: urls.web, token: readToken(tokenPath), caPath, timeoutMs: 20_000 });
  }

  /** A service of the stack, killed as soon as it has a process. */
  readonly victim = (name: ServiceName): Victim => ({
    name,
    kill: async () => {
      // Between the end of a process and the supervisor's word of it, its number is still shown.
      await until(() => isKilled(this.#view(name).pid), { timeoutMs: 30_000, what: `${name} has a process that can be killed` });
    },
  });

  /** Kills a service and waits for the one that takes its place. */
  async killAndAwait(name: ServiceName): Promise<void> {
    const { restarts } = this.#view(name);
    await this.victim(name).kill();
    await until(() => this.#view(name).restarts > restarts && this.#view(name).state === 'ready', {
      timeoutMs: 30_000,
      everyMs: 50,
      what: `${name} is ready again`,
    });
  }

  /** Replays while something happens to the stack, then ends the replay in order. */
  async replayWhile<T>(seed: number, happens: () => Promise<T>, source: readonly string[] = restless): Promise<T> {
    const replay = this.#spawn('replay', ...source, '--speed', '1', '--seed', String(seed), '--json');
    const before = (await this.client.stats()).samples;
    await until(async () => (await this.client.stats()).samples > before, {
      timeoutMs: 30_000,
      everyMs: 250,
      what: 'the first sample is stored',
    });
    const result = await happens();
    replay.child.kill('SIGINT');
    expect(await replay.exited, replay.said()).toBe(0);
    return result;
  }

  /** Runs a verb of the command line on this bed to its end; its exit code and what it printed. */
  async cli(...verb: string[]): Promise<{ code: number; stdout: string }> {
    const { command, args } = ownCommand(...verb, '--data', this.dirs.root);
    return run(command, args, { maxBuffer: 64 * 1024 * 1024 }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
    );
  }

  /** Lines of `vitalwire watch --plain`, as they come. */
  watchPlain(): { readonly lines: () => string[] } {
    const watch = this.#spawn('watch', '--plain');
    return { lines: () => watch.printed().split('\n').filter(Boolean) };
  }

  /** Until the agent's outbox holds nothing that was not acknowledged. */
  async untilDelivered(): Promise<void> {
    const fromUs = await this.client.time();
    await until(
      async () => {
        const { gateways } = await this.client.gateways();
        return gateways.some(
          ({ state, depthChunks, statusReceivedAtUs }) => state === 'online' && depthChunks === 0 && (statusReceivedAtUs ?? 0) > fromUs,
        );
      },
      { timeoutMs: DELIVERED_MS, everyMs: 250, what: 'the outbox is empty' },
    );
  }

  /** `vitalwire verify`: exit code and report. */
  async verify(): Promise<{ code: number; report: VerifyReport }> {
    const { code, stdout } = await this.cli('verify', '--json');
    return { code, report: JSON.parse(stdout) as VerifyReport };
  }

  /** Everything that was sent is stored once, and as it was; nothing is missing in any ledger; every scorable window has its detection. */
  async expectNothingMissing(): Promise<void> {
    await this.untilDelivered();
    const verdict = await this.verify();
    expect(verdict.report).toMatchObject({ lost: 0, duplicated: 0, different: 0, ledgerMissing: 0 });
    expect(verdict.code, JSON.stringify(verdict.report)).toBe(0);
    expect(verdict.report.samplesStored).toBeGreaterThan(0);
    const { conflicts, quarantined } = await this.client.stats();
    expect({ conflicts, quarantined }).toEqual({ conflicts: 0, quarantined: 0 });
    await until(async () => (await this.#unscoredWindows()) === 0, {
      timeoutMs: SCORED_MS,
      everyMs: 250,
      what: 'every scorable window has a detection',
    });
  }

  /** Windows that could be scored by the shipped model and are not, over all recordings. */
  async #unscoredWindows(): Promise<number> {
    const { modelHash: model } = await loadStreamDetector({ backend: 'wasm', log: createLog({ name: 'e2e', level: 'silent' }) });
    let unscored = 0;
    for await (const { recordingId, rate } of this.client.eachRecording({ stream: 'eeg' })) {
      if (rate === null) throw new Error(`the start record of ${recordingId} is not stored`);
      const { windowSamples: window, hopSamples: hop } = windowShapeFor(rate);
      const { scorableWindows, scoredWindows } = await this.client.unscored(recordingId, { model, window, hop });
      unscored += scorableWindows - scoredWindows;
    }
    return unscored;
  }

  // The stack decides where its agent finds the front door; here a bad network stands between them.
  #edgeBehindProxy(): Command {
    const { command, args } = ownCommand('service', 'edge');
    const setting = `VITALWIRE_EDGE_FRONT_DOOR_URL=mqtts://127.0.0.1:${this.#gatewayNetwork.port}`;
    return { command: 'env', args: [setting, command, ...args] };
  }

  #frontDoorPort(): number {
    return Number(this.#view('ingest').addresses?.['port'] ?? 0);
  }

  #view(name: ServiceName) {
    const view = this.stack.views().find((one) => one.name === name);
    if (view === undefined) throw new Error(`the stack has no ${name}`);
    return view;
  }

  /** A verb of the command line on this bed's directory, ended with the test at the latest. */
  #spawn(...verb: string[]) {
    const { command, args } = ownCommand(...verb, '--data', this.dirs.root);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let printed = '';
    child.stderr.on('data', (text: Buffer) => {
      said = `${said}${text.toString()}`.slice(-4_000);
    });
    child.stdout.on('data', (text: Buffer) => {
      printed = `${printed}${text.toString()}`.slice(-200_000);
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    atEnd(() => child.kill('SIGKILL'));
    return { child, exited, said: () => said, printed: () => printed };
  }
}

function isKilled(pid: number | null): boolean {
  if (pid === null) return false;
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ESRCH') return false;
    throw cause;
  }
}
