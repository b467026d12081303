import { readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writePrivate } from './device-tokens.ts';

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
const TOKEN_NAME = 'agent.token';

export function writeAgentFile(dataDir: string, agent: AgentFile): Promise<void> {
  return writePrivate(join(dataDir, NAME), `${JSON.stringify(agent)}\n`);
}

export function removeAgentFile(dataDir: string): Promise<void> {
  return rm(join(dataDir, NAME), { force: true });
}

/** What the agent of this data directory said of itself; null if none is running or it ended without a word. */
export async function readAgentFile(dataDir: string): Promise<AgentFile | null> {
  const text = await readFile(join(dataDir, NAME), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return AgentFile.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** `~` is the home directory of whoever runs this. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

export function operatorTokenPath(dataDir: string): string {
  return join(dataDir, TOKEN_NAME);
}
