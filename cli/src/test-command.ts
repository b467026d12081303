import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { removeTempDir, tempDir, until } from '@vitalwire/testkit';
import { lineReader } from './stack/spawn-service.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/** For tests: what is to be ended after the running one, last first. */
export const ends: (() => Promise<void> | void)[] = [];

export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).toReversed()) await end();
}

/** A line that a command prints with --json. */
export type Event = Record<string, unknown>;

/** For tests: the command as a process; what is an object is its environment. */
export function start(...words: (string | Record<string, string>)[]) {
  const args = words.filter((word) => typeof word === 'string');
  const env = Object.assign({}, process.env, ...words.filter((word) => typeof word === 'object')) as NodeJS.ProcessEnv;
  const child: ChildProcess = spawn(process.execPath, ['--conditions=source', main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const events: Event[] = [];
  let stderr = '';
  let lastLine = '';
  const read = lineReader((line) => {
    lastLine = line;
    if (line.startsWith('{')) events.push(JSON.parse(line) as Event);
  });
  child.stdout?.on('data', (chunk: Buffer) => read(chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  ends.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(hard);
  });
  return {
    child,
    events,
    exited,
    stderr: () => stderr,
    lastLine: () => lastLine,
    async event(wanted: (event: Event) => boolean): Promise<Event> {
      await until(() => events.some(wanted) || child.exitCode !== null, { timeoutMs: 40_000 });
      const found = events.find(wanted);
      if (found === undefined) throw new Error(`the process ended with ${child.exitCode}: ${stderr}`);
      return found;
    },
  };
}

/** For tests: a directory that goes with its test. */
export function directory(): string {
  const made = tempDir();
  ends.push(() => removeTempDir(made));
  return made;
}
