import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HttpClient } from '@vitalwire/runtime';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

const ASK_MS = 5_000;

/** Where an agent keeps its data; a stack keeps it in `edge`. */
export type Place = { data?: string };

/** A client of the agent that runs on this machine, with the operator's token. Whoever asks closes it. */
export async function agentClient(io: Io, place: Place): Promise<HttpClient> {
  const { EdgeError, operatorTokenPath, readAgentFile } = await import('@vitalwire/edge-agent');
  const dataDir = await agentDir(io, place);
  const agent = await readAgentFile(dataDir).catch((cause: unknown) => {
    throw notAllowed(dataDir, cause);
  });
  if (agent === null)
    throw new EdgeError('NOT_RUNNING', `nothing runs on ${dataDir}; start it with 'vitalwire edge run', or name its directory with --data`);
  const secret = await readFile(operatorTokenPath(dataDir), 'utf8').catch((cause: unknown) => {
    throw notAllowed(dataDir, cause);
  });
  return new HttpClient({ baseUrl: agent.url, token: secret.trim(), caPath: agent.caPath, timeoutMs: ASK_MS, acceptExpired: true });
}

/** Only the agent's user and root may read its directory: that is no sign that nothing runs there. */
function notAllowed(dataDir: string, cause: unknown): unknown {
  if (!(cause instanceof Error && 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM'))) return cause;
  return new CliError('NOT_ALLOWED', `${dataDir} belongs to another user: run this as that one (sudo -u <user> ...) or as root`, { cause });
}

/** The agent's own directory; where nothing names one, that of the stack every other verb would speak to. */
export async function agentDir(io: Io, place: Place): Promise<string> {
  const { expandHome } = await import('@vitalwire/edge-agent');
  const stack = io.env['VITALWIRE_DATA'] || '~/.vitalwire';
  const dir = resolve(expandHome(place.data ?? io.env['VITALWIRE_EDGE_DATA_DIR'] ?? join(stack, 'edge')));
  const inside = join(dir, 'edge');
  return existsSync(join(inside, 'tokens')) ? inside : dir;
}
