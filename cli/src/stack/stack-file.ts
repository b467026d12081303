import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import type { DataDir } from './data-dir.ts';

/** `stack.json`: how other commands find a running stack. Present while it runs; a killed one may leave it behind. */
export const StackFile = z.object({
  version: z.string(),
  pid: z.number(),
  label: z.string(),
  startedAtUs: z.number(),
  dataDir: z.string(),
  gatewayId: z.string(),
  database: z.enum(['sqlite', 'mysql']),
  urls: z.object({
    web: z.string(),
    storage: z.string(),
    frontDoor: z.string(),
    intake: z.string(),
    probes: z.record(z.string(), z.string()),
  }),
  caPath: z.string(),
  tokenPath: z.string(), // the viewers' token, for web
  storageTokenPath: z.string(),
  edgeTokenPath: z.string(), // for the agent's own status
  edgeTokensDir: z.string(), // one file per device
  pkiDir: z.string(),
});
export type StackFile = z.infer<typeof StackFile>;

/** The running stack of this data directory, or null. A file left behind by a killed stack does not count. */
export function findStack(dirs: DataDir): StackFile | null {
  let stack: StackFile;
  try {
    stack = StackFile.parse(JSON.parse(readFileSync(dirs.stackFile, 'utf8')));
  } catch {
    return null;
  }
  return isAlive(stack.pid) ? stack : null;
}

/** The running stack of this data directory; an error that says how to start one otherwise. */
export function requireStack(dirs: DataDir): StackFile {
  const stack = findStack(dirs);
  if (stack === null)
    throw new CliError(
      'NO_STACK',
      `${dirs.root}; start one with 'vitalwire up --data ${dirs.root}', or name another directory with --data`,
    );
  return stack;
}

/** The address a browser opens: the token stands behind the #, so that no server ever logs it. */
export function pageUrl(stack: StackFile): string {
  return `${stack.urls.web}/#token=${readToken(stack.tokenPath)}`;
}

export function readToken(file: string): string {
  return readFileSync(file, 'utf8').trim();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
