/** What a failure means: may the caller try the same thing again, what happened, and what a person does next, in words. */
type ErrorRow = { readonly retry: 'yes' | 'no'; readonly summary: string; readonly next: string };

/** One row per failure of a package. */
export type ErrorTable = Readonly<Record<string, ErrorRow>>;

/** An error with a stable code. `retry` is true where trying the same thing again is safe and may help. */
export interface CodedError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly retry: boolean;
}

export type CodedErrorClass<Code extends string> = {
  new (code: Code, detail?: string, options?: { cause?: unknown }): CodedError<Code>;
  readonly table: Readonly<Record<Code, ErrorRow>>;
  /** True when `error` comes from this table (and has this code, if one is given). */
  is(error: unknown, code?: Code): error is CodedError<Code>;
};

/**
 * Makes a package's error class from its table: `export class EdgeError extends defineErrors('edge', edgeErrors) {}`,
 * then `throw new EdgeError('OUTBOX_FULL', 'detail', { cause })`.
 */
export function defineErrors<const Table extends ErrorTable>(packageName: string, table: Table): CodedErrorClass<keyof Table & string> {
  type Code = keyof Table & string;
  const name = `${packageName.replace(/(^|[-_])([a-z])/g, (_match, _dash: string, letter: string) => letter.toUpperCase())}Error`;
  return class extends Error implements CodedError<Code> {
    static readonly table: Table = table;
    readonly code: Code;
    readonly retry: boolean;

    constructor(code: Code, detail?: string, options?: { cause?: unknown }) {
      const summary = table[code]?.summary ?? code;
      super(detail === undefined ? summary : `${summary}: ${detail}`, options);
      this.name = name;
      this.code = code;
      this.retry = table[code]?.retry === 'yes';
    }

    static is(error: unknown, code?: Code): error is CodedError<Code> {
      return isCodedError(error) && error.name === name && error.code in table && (code === undefined || error.code === code);
    }
  };
}

/** True for errors of any package made by `defineErrors`. */
export function isCodedError(error: unknown): error is CodedError {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && 'retry' in error && typeof error.retry === 'boolean'
  );
}

/** What this package itself can fail with. */
export const runtimeErrors = {
  CERTIFICATE_UNREADABLE: {
    retry: 'no',
    summary: 'a certificate or key cannot be used',
    next: 'check the path and that the file is PEM; the local authority issues a new one at the next `vitalwire up`',
  },
  CA_INCOMPLETE: {
    retry: 'no',
    summary: 'the certificate authority is incomplete',
    next: 'restore both the certificate and the key of the authority from a backup, or move the folder away to begin anew',
  },
  PORT_IN_USE: { retry: 'no', summary: 'the port is already in use', next: 'stop the other program or choose another port' },
  CANNOT_LISTEN: { retry: 'no', summary: 'cannot listen', next: 'choose an address of this machine and a port above 1023' },
  FRONT_DOOR_UNREACHABLE: {
    retry: 'yes',
    summary: 'no connection to the front door',
    next: 'nothing: it is tried again; see whether the front door runs and its address is right',
  },
  FRONT_DOOR_REFUSED: { retry: 'yes', summary: 'the front door refused', next: 'check the certificate: whose it is, and until when' },
  KEPT_UNREADABLE: {
    retry: 'yes',
    summary: 'a file of state cannot be read',
    next: 'give the file back to the user the program runs as; nothing was overwritten',
  },
  KEPT_UNWRITABLE: {
    retry: 'no',
    summary: 'a file of state cannot be written',
    next: 'free some disk space, or give the folder to the user the program runs as',
  },
  QUEUE_FULL: {
    retry: 'yes',
    summary: 'too many messages wait for their acknowledgement',
    next: 'wait: the front door has not acknowledged for a while',
  },
  STOPPED: { retry: 'yes', summary: 'stopped before the acknowledgement arrived', next: 'nothing: it is sent again after the next start' },
} as const satisfies ErrorTable;

export class RuntimeError extends defineErrors('runtime', runtimeErrors) {}

/** Why a server could not listen, in words a person can act on. */
export function cannotListen(host: string, port: number, cause: unknown): RuntimeError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE')
    return new RuntimeError('PORT_IN_USE', `${host}:${port}; stop the other program or choose another port`, { cause });
  const next =
    code === 'EACCES' ? 'ports below 1024 need rights: choose a higher one' : 'choose an address of this machine, such as 127.0.0.1';
  return new RuntimeError('CANNOT_LISTEN', `${host}:${port} (${typeof code === 'string' ? code : 'unknown reason'}); ${next}`, { cause });
}
