import { defineErrors, type ErrorTable, HttpError } from '@vitalwire/runtime';
import { exitCodes } from './io.ts';

/** What a command can fail with. The text after the code says what, where and what to do next. */
export const cliErrors = {
  WRONG_ARGUMENT: { retry: 'no', summary: 'wrong argument', next: 'see the help of the verb' },
  DATA_IN_USE: {
    retry: 'no',
    summary: 'this data directory is in use',
    next: 'stop the other stack, or name another directory with --data',
  },
  PORT_TAKEN: { retry: 'yes', summary: 'a port cannot be had', next: 'stop the other program, or choose another port' },
  PORTS_DAMAGED: { retry: 'no', summary: 'the file of ports cannot be used', next: 'remove the file that is named: new ports are chosen' },
  DATA_UNWRITABLE: { retry: 'no', summary: 'the data directory cannot be used', next: 'check the path and its rights' },
  NOT_ALLOWED: { retry: 'no', summary: 'this user may not read it', next: 'run it as the user who started the stack' },
  INCOMPLETE: { retry: 'no', summary: 'this installation is incomplete', next: 'install again' },
  NO_STACK: { retry: 'yes', summary: 'no stack is running here', next: 'start one with `vitalwire up`, or name its directory with --data' },
  STACK_FILE_DAMAGED: {
    retry: 'no',
    summary: 'the file that says where the stack is cannot be used',
    next: 'stop the stack and start it again',
  },
  TOKEN_UNUSABLE: { retry: 'no', summary: 'the token cannot be used', next: 'check the file that is named' },
  CA_UNUSABLE: {
    retry: 'no',
    summary: 'the certificate of the authority cannot be used',
    next: 'check the file that is named: it must be the `pki/ca.pem` of that stack',
  },
  CONFIG_REFUSED: { retry: 'no', summary: 'a service refuses its configuration', next: 'correct the settings that are listed' },
  SERVICE_FAILED: { retry: 'yes', summary: 'a service did not start', next: 'read its log, which is named' },
  UNREACHABLE: { retry: 'yes', summary: 'no answer', next: 'see whether the stack runs and the address is right' },
  NOTHING_TO_VERIFY: { retry: 'no', summary: 'nothing to compare', next: 'replay something first' },
  NOTHING_TO_SCORE: { retry: 'no', summary: 'nothing to score', next: 'replay something with annotations, or name a reference' },
  TABLE_REFUSED: { retry: 'no', summary: 'the table of events cannot be used', next: 'correct the line that is named' },
  NO_MODEL: { retry: 'no', summary: 'there is no such model or report', next: 'check the folder, or train one: `vitalwire model train`' },
  OUTPUT_UNWRITABLE: { retry: 'no', summary: 'the result cannot be written', next: 'check the path, its rights and the disk' },
  NO_RECORDINGS: { retry: 'no', summary: 'these recordings are not here', next: 'fetch them: `vitalwire datasets fetch`' },
  NO_REPLAY: { retry: 'yes', summary: 'no such replay is running', next: 'see which run: `vitalwire replay --help`' },
  PATIENT_REPLAYED: {
    retry: 'yes',
    summary: 'another replay is sending as these patients',
    next: 'end that replay, or replay something else',
  },
  REPLAY_FAILED: { retry: 'yes', summary: 'the replay ended early', next: 'see the reason; `vitalwire verify` says what arrived' },
} as const satisfies ErrorTable;

export class CliError extends defineErrors('cli', cliErrors) {}

/** Codes of other packages that say: the command line was wrong. */
const usageCodes = new Set<unknown>(['BAD_DATABASE_URL', 'OPTION_NEEDED', 'OPTION_REFUSED']);

/** Which exit code an error that ends a command stands for. */
export function exitCodeOf(error: unknown): number {
  if (CliError.is(error)) return isUsage(error.code) ? exitCodes.usage : exitCodes.unavailable;
  if (!(error instanceof Error)) return exitCodes.bug;
  if (error.name === 'ConfigError' || ('code' in error && usageCodes.has(error.code))) return exitCodes.usage;
  if (error.name === 'DatasetError' && 'code' in error && (error.code === 'OPTION_REFUSED' || error.code === 'DATASET_UNKNOWN'))
    return exitCodes.usage;
  // Every package's own errors carry a stable code: an expected failure of the world, not a bug.
  if ('retry' in error || isSystemError(error)) return exitCodes.unavailable;
  return exitCodes.bug;
}

function isUsage(code: string): boolean {
  return code === 'WRONG_ARGUMENT' || code === 'CONFIG_REFUSED' || code === 'TABLE_REFUSED';
}

/** The one clear sentence for a person; the stack is for --debug only. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isSystemError(error)) return systemSentence(error);
  if (HttpError.is(error)) return httpSentence(error as HttpError);
  if (error instanceof AggregateError && error.message === '') return error.errors.map(sentenceOf).join('; ');
  return error.message;
}

/** A request that failed, in the words of someone who typed a command, not of someone who speaks HTTP. */
function httpSentence(error: HttpError): string {
  const url = /https?:\/\/[^/\s:]+(:\d+)?/.exec(error.message)?.[0] ?? 'the server';
  if (error.status === 401)
    return `${url} does not know this token: give the right one with --token-file (it is in <data>/secrets/web.token)`;
  if (error.status !== null && error.remoteMessage !== null) {
    const next = error.remoteNext?.replace(/PUT \/v1\/(patients|devices)\/(\S+)/, "'vitalwire $1 put $2'");
    return next === undefined ? error.remoteMessage : `${error.remoteMessage}: ${next}`;
  }
  if (error.code !== 'UNREACHABLE') return error.message;
  const why = error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : '';
  if (/CERT|SIGNED|SIGNATURE|ISSUER/.test(why)) {
    const next =
      why === 'CERT_HAS_EXPIRED'
        ? "start the stack again: 'vitalwire up' renews its certificates"
        : 'name its authority with --ca (it is <data>/pki/ca.pem)';
    return `the certificate of ${url} is not trusted (${why}): ${next}`;
  }
  if (/^(ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|UND_ERR_(CONNECT_TIMEOUT|SOCKET))$/.test(why))
    return `nothing usable answers at ${url} (${why}): is it running, and is this its address? See 'vitalwire status'`;
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
      return `the disk is full${at}: free some space`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `no permission to write or read${at}: choose another directory or change its rights`;
    case 'EADDRINUSE':
      return `the port is already in use${at}: stop the other program or choose another port`;
    case 'ECONNREFUSED':
      return `nothing answers${at}: is the stack running? See 'vitalwire status'`;
    case 'ENOENT':
      return `not found${at}: check the path`;
    case 'EISDIR':
      return `a directory stands where a file is needed${at}: check the path`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `a file stands where a directory is needed${at}: choose another path`;
    default:
      return `${error.message}`;
  }
}
