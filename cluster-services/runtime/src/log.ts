import pino from 'pino';

/** Structured log: one JSON object a line. Identifiers only, never a patient's name or a raw reading. */
export type Log = pino.Logger;

export type LogOptions = {
  name: string;
  level?: string;
  /** Where lines go; stderr unless given, because stdout belongs to a command's answer. */
  destination?: pino.DestinationStream;
};

const REDACTED = '[redacted]';
const DEEPEST = 8;

/** Makes the log of one process or part. Whatever is called token, password, secret, authorization, key or source is masked. */
export function createLog(options: LogOptions): Log {
  return pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        bindings: redactObject,
        log: redactObject,
      },
      serializers: { err: redactError, error: redactError },
      hooks: {
        logMethod(args, method) {
          method.apply(this, args.map((arg: unknown) => (typeof arg === 'string' ? redactText(arg) : arg)) as Parameters<typeof method>);
        },
      },
    },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
}

/** A copy in which the values of telltale names, and credentials inside texts, are masked. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return redactError(value);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEEPEST) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if ('toJSON' in value && typeof value.toJSON === 'function') return redact(value.toJSON(), depth + 1);
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isTelltale(name) && item != null ? REDACTED : redact(item, depth + 1)]),
  );
}

function redactObject(object: object): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(object)) {
    copy[name] = isTelltale(name) && item != null ? REDACTED : item instanceof Error ? item : redact(item, 1);
  }
  return copy;
}

function redactError(error: unknown): unknown {
  if (!(error instanceof Error)) return redact(error);
  return redact({ ...Object.fromEntries(Object.entries(error)), ...pickError(error), cause: undefined }, 1);
}

function pickError(error: Error): Record<string, unknown> {
  const serialized = pino.stdSerializers.err(error);
  return { type: serialized.type, message: serialized.message, stack: serialized.stack };
}

function isTelltale(name: string): boolean {
  return /^(key|source|cookie|set-cookie)$|(token|password|passphrase|secret|authorization|privatekey)$/i.test(name);
}

// user:password@ in a URL (a database address in a driver's message) and bearer tokens in a text.
function redactText(text: string): string {
  return text.replace(/(:\/\/[^\s/:@]*):[^\s/@]+@/g, `$1:${REDACTED}@`).replace(/\b(bearer)[ .]+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`);
}
