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
  let text: string;
  try {
    text = readFileSync(dirs.stackFile, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return null;
    throw new CliError('STACK_FILE_DAMAGED', `${dirs.stackFile} cannot be read; run this as the user who started the stack`, { cause });
  }
  const stack = StackFile.safeParse(parseOrNull(text));
  if (!stack.success) {
    throw new CliError(
      'STACK_FILE_DAMAGED',
      `${dirs.stackFile} is damaged or of another release; stop the stack if it runs, and start it again with 'vitalwire up --data ${dirs.root}'`,
    );
  }
  return isAlive(stack.data.pid) ? stack.data : null;
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
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

/** Answers what a browser asks at the first visit of the page. */
export function certificateLine(stack: StackFile): string {
  return `the browser will ask about the page's certificate: this machine signed it itself. Accept it, or import ${stack.caPath} once`;
}

/** A token from its file; an error that names the file if it holds none. */
export function readToken(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CliError('TOKEN_UNUSABLE', `${file} cannot be read; give the path of its file with --token-file`, { cause });
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new CliError('TOKEN_UNUSABLE', `${file} holds no token: it should be one line of letters, digits, - and _`);
  return token;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
