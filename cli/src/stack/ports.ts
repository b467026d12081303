import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Clock } from '@vitalwire/runtime';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { type DataDir, writeWhole } from './data-dir.ts';
import { type ServiceName, serviceNames } from './service-settings.ts';

/** The ports other programs know a stack by, and the setting that names each. */
const portSettings = {
  web: 'VITALWIRE_WEB_PORT',
  intake: 'VITALWIRE_EDGE_INTAKE_PORT',
  'front-door': 'VITALWIRE_INGEST_PORT',
  storage: 'VITALWIRE_STORAGE_PORT',
  alarms: 'VITALWIRE_ALARMS_PORT',
} as const;
export type PortName = keyof typeof portSettings;
export const portNames = Object.keys(portSettings) as PortName[];
export type PortChoice = Readonly<Partial<Record<PortName, number>>>;
export type StackPorts = { readonly ports: Readonly<Record<PortName, number>>; readonly probes: Readonly<Record<ServiceName, number>> };

const Port = z.int().min(1).max(65_535);
/** `ports.json`: chosen at the first start and kept, so that phones, gateways and a running replay find the stack again. */
const PortsFile = z.object({
  ports: z.partialRecord(z.enum(portNames), Port),
  probes: z.partialRecord(z.enum(serviceNames), Port),
});
export type PortsFile = z.infer<typeof PortsFile>;

// Below the range that systems take the ports of outgoing connections from: a kept port must still be free at the next start.
const FIRST = 20_000;
const LAST = 29_999;
const ATTEMPTS = 1_000;
/** A killed stack's services end by themselves; the front door waits up to 12 s for commits on their way. */
const LEFTOVER_MS = 15_000;
const POLL_MS = 250;

/** Every port of a stack: as told by a flag, else by the environment, else as in the file, which is completed where it says nothing. */
export async function choosePorts(dirs: DataDir, told: PortChoice, env: Readonly<Record<string, string | undefined>>): Promise<StackPorts> {
  const kept = await readPorts(dirs.portsFile);
  const fresh = freshPorts(new Set([...Object.values(kept.ports), ...Object.values(kept.probes)]));
  const ports: Partial<Record<PortName, number>> = {};
  const probes: Partial<Record<ServiceName, number>> = {};
  for (const name of portNames) ports[name] = kept.ports[name] ?? (await fresh());
  for (const name of serviceNames) probes[name] = kept.probes[name] ?? (await fresh());
  const whole = { ports, probes } as StackPorts;
  const text = `${JSON.stringify(whole, null, 2)}\n`;
  if (JSON.stringify(kept) !== JSON.stringify(whole)) await writeWhole(dirs.portsFile, text);
  for (const name of portNames)
    ports[name] = await numberOr(told[name] ?? fromEnvironment(portSettings[name], env), whole.ports[name], fresh);
  for (const name of serviceNames) probes[name] = await numberOr(fromEnvironment(probeSetting(name), env), whole.probes[name], fresh);
  checkDifferent(whole);
  return whole;
}

/** Throws one sentence if ports are taken. After a stack that was killed it waits until that one's services are gone. */
export async function checkFree(dirs: DataDir, chosen: StackPorts, clock: Clock, signal: AbortSignal): Promise<void> {
  const endMs = clock.monotonicMs() + (existsSync(dirs.stackFile) ? LEFTOVER_MS : 0);
  for (;;) {
    const taken = await takenPorts(chosen);
    if (taken.length === 0) return;
    if (clock.monotonicMs() >= endMs) {
      throw new CliError(
        'PORT_TAKEN',
        `another program has ${taken.length === 1 ? 'port' : 'the ports'} ${taken.join(', ')}; stop it, give another with --port <name>=<number>, or change ${dirs.portsFile}`,
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** The ports of this data directory, or null where none have been chosen yet. */
export async function keptPorts(dirs: DataDir): Promise<PortsFile | null> {
  return existsSync(dirs.portsFile) ? readPorts(dirs.portsFile) : null;
}

/** Those that another program listens at, each as `20443 (web)`. */
export async function takenPorts({ ports, probes }: PortsFile): Promise<string[]> {
  const named = [
    ...Object.entries(ports).map(([name, port]) => [port, name] as const),
    ...Object.entries(probes).map(([name, port]) => [port, `probes of ${name}`] as const),
  ];
  const taken: string[] = [];
  for (const [port, name] of named) if (!(await isFree(port))) taken.push(`${port} (${name})`);
  return taken;
}

/** `web=8443`. For commander's options, which may come several times. */
export function parsePort(text: string, before: PortChoice = {}): PortChoice {
  const [, name, number] = /^([a-z-]+)=(\d{1,5})$/.exec(text) ?? [];
  if (name === undefined || !isPortName(name) || Number(number) > 65_535)
    throw new InvalidArgumentError(`Give a name and a number, for example web=8443. Names: ${portNames.join(', ')}.`);
  return { ...before, [name]: Number(number) };
}

function isPortName(name: string): name is PortName {
  return name in portSettings;
}

function probeSetting(service: ServiceName): string {
  return `VITALWIRE_${service.toUpperCase()}_PROBE_PORT`;
}

async function readPorts(file: string): Promise<PortsFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { ports: {}, probes: {} };
    throw new CliError('PORTS_DAMAGED', `${file} cannot be read; change its rights`, { cause });
  }
  const ports = PortsFile.safeParse(parseOrNull(text));
  if (!ports.success)
    throw new CliError(
      'PORTS_DAMAGED',
      `${file} is not understood (${z.prettifyError(ports.error).split('\n')[0]}); mend it, or remove it: then other ports are chosen, which phones and gateways must be told`,
    );
  return ports.data;
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fromEnvironment(setting: string, env: Readonly<Record<string, string | undefined>>): number | undefined {
  const text = env[setting];
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new CliError('WRONG_ARGUMENT', `${setting}=${text}: expected a port from 0 to 65535`);
  return Number(text);
}

/** 0 stands for any free port, as in every setting of a port. */
async function numberOr(told: number | undefined, kept: number, fresh: () => Promise<number>): Promise<number> {
  if (told === undefined) return kept;
  return told === 0 ? fresh() : told;
}

function checkDifferent({ ports, probes }: StackPorts): void {
  const owners = new Map<number, string>();
  const all = [...Object.entries(ports), ...Object.entries(probes).map(([name, port]) => [`probes of ${name}`, port] as const)];
  for (const [name, port] of all) {
    const other = owners.get(port);
    if (other !== undefined) throw new CliError('WRONG_ARGUMENT', `port ${port} is given to ${other} and to ${name}; give each its own`);
    owners.set(port, name);
  }
}

/** Free ports one after the other, none twice and none of these. */
function freshPorts(taken: Set<number>): () => Promise<number> {
  let next = randomInt(FIRST, LAST + 1);
  return async () => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const port = next;
      next = next === LAST ? FIRST : next + 1;
      if (taken.has(port) || !(await isFree(port))) continue;
      taken.add(port);
      return port;
    }
    throw new CliError('PORT_TAKEN', `no free port was found between ${FIRST} and ${LAST}`);
  };
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    if (error instanceof Error && 'code' in error && error.code === 'EACCES')
      throw new CliError('PORT_TAKEN', `port ${port} may not be used by this user; give one above 1023`, { cause: error });
    throw error;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
