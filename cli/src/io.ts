import type { Writable } from 'node:stream';
import { cleanJson, cleanLine, cleanText } from '@vitalwire/contract';
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

/** One line of the answer. Whatever is in it, no terminal acts on it: this file is the border (a test looks for others). */
export function printLine(io: Io, text: string): void {
  io.stdout.write(`${cleanLine(text)}\n`);
}

/** A text of our own, of several lines. */
export function printText(io: Io, text: string): void {
  io.stdout.write(`${cleanText(text)}\n`);
}

/** For people watching; never on stdout, which belongs to the answer. */
export function noteLine(io: Io, text: string): void {
  io.stderr.write(`${cleanLine(text)}\n`);
}

export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${cleanJson(JSON.stringify(value))}\n`);
}

/** A fresh screen, for what is shown again and again. */
export function clearScreen(io: Io): void {
  io.stdout.write('\u001b[2J\u001b[H');
}

/** The terminal's bell. */
export function ring(io: Io): void {
  io.stdout.write('\u0007');
}

/** One line on the terminal of whoever watches, in place of the one before; '' takes it away. */
export function redrawNote(io: Io, text: string): void {
  io.stderr.write(`\r\u001b[2K${cleanLine(text)}`);
}
