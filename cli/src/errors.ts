import { defineErrors, type ErrorTable } from '@vitalwire/runtime';
import { exitCodes } from './io.ts';

/** What a command can fail with. The text after the code says what, where and what to do next. */
export const cliErrors = {
  WRONG_ARGUMENT: { retry: 'no', summary: 'wrong argument' },
  DATA_IN_USE: { retry: 'no', summary: 'this data directory is in use' },
  DATA_UNWRITABLE: { retry: 'no', summary: 'the data directory cannot be used' },
  NO_STACK: { retry: 'yes', summary: 'no stack is running here' },
  SERVICE_FAILED: { retry: 'yes', summary: 'a service did not start' },
  UNREACHABLE: { retry: 'yes', summary: 'no answer' },
  NOTHING_TO_VERIFY: { retry: 'no', summary: 'nothing to compare' },
  REPLAY_FAILED: { retry: 'yes', summary: 'the replay ended early' },
} as const satisfies ErrorTable;

export class CliError extends defineErrors('cli', cliErrors) {}

/** Which exit code an error that ends a command stands for. */
export function exitCodeOf(error: unknown): number {
  if (CliError.is(error)) return error.code === 'WRONG_ARGUMENT' ? exitCodes.usage : exitCodes.unavailable;
  if (!(error instanceof Error)) return exitCodes.bug;
  if (error.name === 'ConfigError') return exitCodes.usage;
  // Every package's own errors carry a stable code: an expected failure of the world, not a bug.
  if ('retry' in error || isSystemError(error)) return exitCodes.unavailable;
  return exitCodes.bug;
}

/** The one clear sentence for a person; the stack is for --debug only. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isSystemError(error)) return systemSentence(error);
  if (error instanceof AggregateError && error.message === '') return error.errors.map(sentenceOf).join('; ');
  return error.message;
}

type SystemError = Error & { code: string; path?: string; port?: number; address?: string };

function isSystemError(error: Error): error is SystemError {
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code);
}

function systemSentence(error: SystemError): string {
  const where = error.path ?? (error.port === undefined ? undefined : `${error.address ?? '127.0.0.1'}:${error.port}`);
  const at = where === undefined ? '' : ` (${where})`;
  switch (error.code) {
    case 'ENOSPC':
      return `the disk is full${at}: free some space, nothing that was acknowledged is lost`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `no permission to write or read${at}: choose another directory with --data or change its rights`;
    case 'EADDRINUSE':
      return `the port is already in use${at}: stop the other program or choose another port`;
    case 'ECONNREFUSED':
      return `nothing answers${at}: is the stack running? See 'vitalwire status'`;
    case 'ENOENT':
      return `not found${at}`;
    case 'ENOTDIR':
      return `a file stands where a directory is needed${at}`;
    default:
      return `${error.message}`;
  }
}
