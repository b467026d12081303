import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HttpClient } from '@vitalwire/runtime';
import type { Io } from '../io.ts';

const ASK_MS = 5_000;

/** Where an agent keeps its data; a stack keeps it in `edge`. */
export type Place = { data?: string };

/** A client of the agent that runs on this machine, with the operator's token. Whoever asks closes it. */
export async function agentClient(io: Io, place: Place): Promise<HttpClient> {
  const { EdgeError, operatorTokenPath, readAgentFile } = await import('@vitalwire/edge-agent');
  const dataDir = await agentDir(io, place);
  const agent = await readAgentFile(dataDir);
  if (agent === null)
    throw new EdgeError('NOT_RUNNING', `nothing runs on ${dataDir}; start it with 'vitalwire edge run', or name its directory with --data`);
  const secret = await readFile(operatorTokenPath(dataDir), 'utf8');
  return new HttpClient({ baseUrl: agent.url, token: secret.trim(), caPath: agent.caPath, timeoutMs: ASK_MS });
}

/** The agent's own directory. */
export async function agentDir(io: Io, place: Place): Promise<string> {
  const { expandHome } = await import('@vitalwire/edge-agent');
  const dir = resolve(expandHome(place.data ?? io.env['VITALWIRE_EDGE_DATA_DIR'] ?? '~/.vitalwire/edge'));
  const inside = join(dir, 'edge');
  return existsSync(join(inside, 'tokens')) ? inside : dir;
}
