import { readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeKept } from '@vitalwire/runtime';
import { z } from 'zod';

/** Where a running agent can be reached: written at its start, removed at a clean stop. */
export const AgentFile = z.object({
  gateway: z.string(),
  pid: z.number(),
  url: z.string(),
  probes: z.string(),
  caPath: z.string(),
  tokensDir: z.string(),
  version: z.string(),
});
export type AgentFile = z.infer<typeof AgentFile>;

const NAME = 'agent.json';
const DRAINED_NAME = 'drained';
const TOKEN_NAME = 'agent.token';

export function writeAgentFile(dataDir: string, agent: AgentFile): Promise<void> {
  return writeKept(join(dataDir, NAME), `${JSON.stringify(agent)}\n`);
}

export function removeAgentFile(dataDir: string): Promise<void> {
  return rm(join(dataDir, NAME), { force: true });
}

/** What the agent of this data directory said of itself; null if none is running or it ended without a word. Throws where it may not be read. */
export async function readAgentFile(dataDir: string): Promise<AgentFile | null> {
  const text = await readIfThere(join(dataDir, NAME));
  if (text === null) return null;
  try {
    return AgentFile.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Whether the intake was closed to empty the outbox: until it is opened again, and so across a restart. Unreadable is not open. */
export async function isDrained(dataDir: string): Promise<boolean> {
  return (await readIfThere(join(dataDir, DRAINED_NAME))) !== null;
}

export function keepDrained(dataDir: string, on: boolean): Promise<void> {
  const file = join(dataDir, DRAINED_NAME);
  return on ? writeKept(file, 'the intake is closed; vitalwire edge drain --resume opens it\n') : rm(file, { force: true });
}

// Only a file that is not there means nothing: one that cannot be read is a failure.
async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return null;
    throw cause;
  }
}

/** `~` is the home directory of whoever runs this. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

export function operatorTokenPath(dataDir: string): string {
  return join(dataDir, TOKEN_NAME);
}
