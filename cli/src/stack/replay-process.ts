import { spawn } from 'node:child_process';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { crashReason } from './crash-reason.ts';
import { lineReader, ownCommand } from './spawn-service.ts';

const Line = z.looseObject({
  type: z.enum(['start', 'progress', 'end']),
  id: z.string(),
  manifest: z.string().optional(),
  samplesSent: z.number().default(0),
  resends: z.number().default(0),
  unfinished: z.array(z.string()).default([]),
});
export type ReplayLine = z.infer<typeof Line>;

/** It gives up on its last answers after 15 s by itself. */
const STOP_WITHIN_MS = 25_000;

/** A replay in a process of its own, like any device outside the stack. */
export type ReplayProcess = {
  /** What it said last. */
  latest(): ReplayLine | null;
  /** Asks it to end its captures; resolves with its last word when it is gone. */
  stop(): Promise<ReplayLine>;
  /** Rejects if it ends although nobody asked. */
  readonly broken: Promise<never>;
  kill(): void;
};

export type ReplayWish = {
  readonly sources: readonly string[]; // built-in ones
  readonly data: string;
  readonly patients: number;
  readonly seed: number;
  readonly env: NodeJS.ProcessEnv;
};

export function startReplay(options: ReplayWish): ReplayProcess {
  const { command, args } = ownCommand(
    'replay',
    ...options.sources,
    '--data',
    options.data,
    '--patients',
    String(options.patients),
    '--seed',
    String(options.seed),
    '--json',
  );
  const child = spawn(command, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
  let latest: ReplayLine | null = null;
  let asked = false;
  const lastLines: string[] = [];
  const readOut = lineReader((line) => {
    const parsed = Line.safeParse(parseOrNull(line));
    if (parsed.success) latest = parsed.data;
  });
  const readErr = lineReader((line) => {
    lastLines.push(line);
    if (lastLines.length > 20) lastLines.shift();
  });
  child.stdout?.on('data', (chunk: Buffer) => readOut(chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => readErr(chunk.toString('utf8')));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on('error', (error) => {
      lastLines.push(error.message);
      resolve({ code: null, signal: null });
    });
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const failure = (exit: { code: number | null; signal: string | null }): CliError =>
    new CliError('REPLAY_FAILED', crashReason({ ...exit, lastLines }));
  const broken = ended.then((exit): Promise<never> => (asked ? new Promise(() => {}) : Promise.reject(failure(exit))));
  broken.catch(() => {}); // whoever waits for it hears of it
  return {
    latest: () => latest,
    broken,
    kill: () => void child.kill('SIGKILL'),
    async stop() {
      asked = true;
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      const exit = await ended;
      clearTimeout(hard);
      if (latest?.type !== 'end') throw failure(exit);
      return latest;
    },
  };
}

function parseOrNull(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
