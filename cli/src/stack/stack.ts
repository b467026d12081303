import { rm } from 'node:fs/promises';
import path from 'node:path';
import { labelShort } from '@vitalwire/contract';
import { type Clock, fullJitter, type Lifecycle, Pki, version } from '@vitalwire/runtime';
import { type DataDir, ensureSecret, lockDataDir, makeDirectories, writeWhole } from './data-dir.ts';
import { LogFile } from './log-file.ts';
import { checkFree, choosePorts, type PortChoice } from './ports.ts';
import { type ServiceName, type ServiceSettings, serviceEnvironment, serviceNames } from './service-settings.ts';
import { type Command, serviceCommand, spawnService } from './spawn-service.ts';
import type { StackFile } from './stack-file.ts';
import { type ServiceView, Supervisor } from './supervisor.ts';

export type StackOptions = {
  readonly dirs: DataDir;
  /** `sqlite:DIR` or `mysql://…`; in the data directory unless given. */
  readonly database?: string | undefined;
  /** Ports of a flag: they win over the environment, and that over those kept in the data directory. */
  readonly ports?: PortChoice | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly onChange?: (view: ServiceView) => void;
  /** What to run in place of `vitalwire service <name>`, or null: for tests that need a service to misbehave. */
  readonly commandOf?: (name: ServiceName) => Command | null;
};

/** The one gateway of a stack on one machine. */
const GATEWAY = 'gateway-1';

// storage migrates the database before the front door writes to it; the others need the front door.
const stages: readonly (readonly ServiceName[])[] = [['storage'], ['ingest'], ['prediction', 'alarms', 'web', 'edge']];

// Local processes come back fast; one that keeps crashing must not eat the machine.
const RESTART = { baseMs: 250, maxMs: 15_000, resetAfterMs: 30_000 } as const;

/** All services on this machine as supervised children, with one data directory. */
export class Stack implements Lifecycle {
  readonly #options: StackOptions;
  readonly #cleanups: (() => Promise<void> | void)[] = [];
  #supervisor: Supervisor | null = null;
  #info: StackFile | null = null;

  constructor(options: StackOptions) {
    this.#options = options;
  }

  /** Where everything is; known once started. */
  get info(): StackFile {
    if (this.#info === null) throw new Error('the stack has not been started');
    return this.#info;
  }

  views(): ServiceView[] {
    return this.#supervisor?.views() ?? [];
  }

  async start(signal: AbortSignal): Promise<void> {
    const { dirs, clock } = this.#options;
    await makeDirectories(dirs);
    const lock = await lockDataDir(dirs);
    this.#cleanups.push(() => lock.release());
    try {
      const settings = await this.#prepare(signal);
      const logs = new Map(serviceNames.map((name) => [name as string, new LogFile(dirs.logs, name)]));
      this.#cleanups.push(() => {
        for (const log of logs.values()) log.close();
      });
      const onChange = this.#options.onChange;
      const supervisor = new Supervisor({
        stages,
        clock,
        backoff: () => fullJitter({ ...RESTART, clock }),
        spawn: (name) => {
          const log = logs.get(name);
          if (log === undefined) throw new Error(`no service is called ${name}`);
          const service = name as ServiceName;
          const command = this.#options.commandOf?.(service) ?? serviceCommand(service);
          return spawnService(command, serviceEnvironment(service, settings, this.#options.env), log);
        },
        ...(onChange === undefined ? {} : { onChange }),
      });
      this.#supervisor = supervisor;
      this.#cleanups.push(() => supervisor.stop());
      await supervisor.start(signal);
      this.#info = infoOf(settings, clock.nowUs());
      await writeWhole(dirs.stackFile, `${JSON.stringify(this.#info, null, 2)}\n`);
      this.#cleanups.push(() => rm(dirs.stackFile, { force: true }));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    // One after the other, last first; an entry leaves the list before it runs, so that a second stop does nothing twice.
    for (let cleanup = this.#cleanups.pop(); cleanup !== undefined; cleanup = this.#cleanups.pop()) await cleanup();
  }

  async #prepare(signal: AbortSignal): Promise<ServiceSettings> {
    const { dirs, database, env, clock } = this.#options;
    const chosen = await choosePorts(dirs, this.#options.ports ?? {}, env);
    await checkFree(dirs, chosen, clock, signal);
    const [pki, storageToken, alarmsToken, webToken, edgeToken] = await Promise.all([
      Pki.open(dirs.pki),
      ensureSecret(dirs, 'storage'),
      ensureSecret(dirs, 'alarms'),
      ensureSecret(dirs, 'web'),
      ensureSecret(dirs, 'edge'),
    ]);
    const identities = Object.fromEntries(
      await Promise.all(
        serviceNames.map(async (name) => {
          const gateway = name === 'edge';
          return [name, await pki.ensure(gateway ? GATEWAY : name, { kind: gateway ? 'gateway' : 'service' })] as const;
        }),
      ),
    ) as ServiceSettings['identities'];
    const { storage, web, intake, alarms, 'front-door': frontDoor } = chosen.ports;
    return {
      dirs,
      gatewayId: GATEWAY,
      database: database ?? `sqlite:${dirs.root}`,
      databasePath: await keepDatabaseAddress(dirs, database ?? `sqlite:${dirs.root}`),
      identities,
      caPath: pki.caPath,
      tokens: { storage: storageToken, alarms: alarmsToken, web: webToken, edge: edgeToken },
      ports: { storage, frontDoor, web, intake, alarms },
      probePorts: chosen.probes,
    };
  }
}

/** The database's address holds a password: the services read it from a file that only its owner can read. */
async function keepDatabaseAddress(dirs: DataDir, address: string): Promise<string> {
  const file = path.join(dirs.secrets, 'database.url');
  await writeWhole(file, `${address}\n`);
  return file;
}

function infoOf(settings: ServiceSettings, startedAtUs: number): StackFile {
  const { dirs, ports, probePorts, tokens } = settings;
  return {
    version,
    pid: process.pid,
    label: labelShort,
    startedAtUs,
    dataDir: dirs.root,
    gatewayId: settings.gatewayId,
    database: settings.database.startsWith('mysql:') ? 'mysql' : 'sqlite',
    urls: {
      web: `https://127.0.0.1:${ports.web}`,
      storage: `https://127.0.0.1:${ports.storage}`,
      frontDoor: `mqtts://127.0.0.1:${ports.frontDoor}`,
      intake: `https://127.0.0.1:${ports.intake}`,
      probes: Object.fromEntries(Object.entries(probePorts).map(([name, port]) => [name, `http://127.0.0.1:${port}`])),
    },
    caPath: settings.caPath,
    tokenPath: tokens.web,
    storageTokenPath: tokens.storage,
    edgeTokenPath: tokens.edge,
    edgeTokensDir: dirs.edgeTokens,
    pkiDir: path.resolve(dirs.pki),
  };
}
