import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sourceExecArgv, workerUrl } from '@vitalwire/runtime';
import type { Exit } from './crash-reason.ts';
import type { LogFile } from './log-file.ts';
import type { ServiceName } from './service-settings.ts';
import type { Addresses, Child } from './supervisor.ts';

const KEPT_LINES = 40;
const LONGEST_LINE = 16_384;

/** What a service process tells the one that supervises it. */
type ReadyMessage = { readonly type: 'ready'; readonly addresses: Addresses };

export type Command = { readonly command: string; readonly args: readonly string[] };

/** The command line that runs a verb of this very program, from source or from dist. */
export function ownCommand(...args: string[]): Command {
  const main = fileURLToPath(workerUrl('../main', import.meta.url));
  return { command: process.execPath, args: [...sourceExecArgv(import.meta.url), main, ...args] };
}

/**
 * Young objects of a service get 2 MB before they are swept, the front door's 8: V8's own 16 MB, which it takes while it loads modules and then
 * keeps, are a quarter of an idle stack's memory.
 */
export function serviceCommand(name: ServiceName): Command {
  const { command, args } = ownCommand('service', name);
  return { command, args: [`--max-semi-space-size=${name === 'ingest' ? 8 : 2}`, ...args] };
}

/** Starts a service as a child. Its output goes to `log`; its readiness comes over the channel between us. */
export function spawnService({ command, args }: Command, env: NodeJS.ProcessEnv, log: LogFile): Child {
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A group of its own: a Ctrl-C in the terminal reaches the supervisor alone, which then stops the services in order.
    detached: true,
  });
  const lastLines: string[] = [];
  const read = lineReader((line) => {
    lastLines.push(line);
    if (lastLines.length > KEPT_LINES) lastLines.shift();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    log.write(chunk);
    read(chunk.toString('utf8'));
  });
  child.stdout?.on('data', (chunk: Buffer) => log.write(chunk));
  const ready = new Promise<Addresses>((resolve) => {
    child.on('message', (message: unknown) => {
      if (isReady(message)) resolve(message.addresses);
    });
  });
  const exited = new Promise<Exit>((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, lastLines: [error.message] }));
    // 'close' comes after the last line has been read, 'exit' may come before.
    child.on('close', (code, signal) => resolve({ code, signal, lastLines }));
  });
  return {
    pid: child.pid,
    ready,
    exited,
    terminate: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  };
}

function isReady(message: unknown): message is ReadyMessage {
  return (
    typeof message === 'object' &&
    message !== null &&
    'type' in message &&
    message.type === 'ready' &&
    'addresses' in message &&
    typeof message.addresses === 'object'
  );
}

/** Calls `onLine` for every whole line of a stream of texts. */
export function lineReader(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-LONGEST_LINE);
    for (const line of lines) onLine(line);
  };
}
