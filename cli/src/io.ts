import type { Writable } from 'node:stream';
import type { Clock } from '@vitalwire/runtime';

/** What a command may touch of the outside world. main.ts makes the real one; tests make their own. */
export type Io = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** The keyboard, for commands that are steered by keys; absent where nobody sits. */
  readonly keyboard?: NodeJS.ReadStream;
  /** A person sits there: stdin and stdout are a terminal. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP; the command then stops cleanly. */
  readonly signal: AbortSignal;
  /** Sets the exit code of the process; commands that fail throw instead. */
  exitCode(code: number): void;
  /** Tells the process that started this one that a service is ready; absent where nobody listens. */
  reportReady?(addresses: Readonly<Record<string, string | number>>): void;
};

/** One file per verb in src/commands/ exports this as `addCommand`; program.ts calls it. */
export type AddCommand = (program: import('commander').Command, io: Io) => void;

/** Exit codes, the same for every verb; `vitalwire --help` lists them. */
export const exitCodes = {
  ok: 0,
  /** The command ran and its answer is no: a difference found, a check failed, a reading lost. */
  answerIsNo: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** It cannot run here and now: port in use, directory taken, nothing reachable. */
  unavailable: 3,
  /** A bug of ours. */
  bug: 70,
} as const;

/** Whether somebody sits at a terminal that can do more than print lines. */
export function canShowWall({ isTerminal, env }: Pick<Io, 'isTerminal' | 'env'>): boolean {
  return isTerminal && !['', 'dumb'].includes(env['TERM'] ?? '');
}

export function printLine(io: Io, text: string): void {
  io.stdout.write(`${text}\n`);
}

/** For people watching; never on stdout, which belongs to the answer. */
export function noteLine(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}

export function printJson(io: Io, value: unknown): void {
  printLine(io, JSON.stringify(value));
}
