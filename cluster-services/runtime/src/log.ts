import { cleanJson } from '@vitalwire/contract';
import pino from 'pino';
import { isCodedError } from './errors.ts';

/** Structured log: one JSON object a line. Identifiers only, never a patient's name or a raw reading. */
export type Log = pino.Logger;

export type LogOptions = {
  name: string;
  level?: string;
  /** Where lines go; stderr unless given, because stdout belongs to a command's answer. */
  destination?: pino.DestinationStream;
};

const REDACTED = '[redacted]';
const MAX_DEPTH = 8;
const MAX_ENTRIES = 500; // of one log call: an object that drags a whole socket along must not become a line

/** Makes the log of one process. Whatever is called token, password, secret, authorization, key or source is masked, at any depth. */
export function createLog(options: LogOptions): Log {
  const log: Log = pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: redactEntries,
      },
      serializers: { err: (error: unknown) => error }, // already a plain object when it comes here
      hooks: { streamWrite: (line) => cleanJson(redactText(line)) }, // the whole line: message, stack, and what was interpolated into them; a terminal acts on none of it
    },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
  // pino puts the bindings of a child into its lines as they are; children inherit this method.
  const makeChild: unknown = Reflect.get(log, 'child');
  if (typeof makeChild === 'function') {
    const redactedChild = function (this: Log, bindings: pino.Bindings, childOptions?: pino.ChildLoggerOptions): unknown {
      return Reflect.apply(makeChild, this, [redactEntries(bindings), childOptions]);
    };
    Reflect.set(log, 'child', redactedChild);
  }
  return log;
}

function redactEntries(entries: object): Record<string, unknown> {
  const budget = { left: MAX_ENTRIES };
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(entries)) copy[name] = redactEntry(name, value, 1, budget);
  return copy;
}

type Budget = { left: number };

function redactEntry(name: string, value: unknown, depth: number, budget: Budget): unknown {
  if (isTelltale(name) && value !== null && value !== undefined) return REDACTED;
  if (name === 'req' || name === 'res') return requestFacts(value);
  return redactValue(value, depth, budget);
}

function redactValue(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth > MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => spend(budget, () => redactValue(item, depth + 1, budget)));
  if (value instanceof Date) return value.toISOString();
  const copy: Record<string, unknown> = value instanceof Error ? errorFacts(value, depth, budget) : {};
  for (const [name, item] of Object.entries(value)) copy[name] = spend(budget, () => redactEntry(name, item, depth + 1, budget));
  return copy;
}

function spend(budget: Budget, visit: () => unknown): unknown {
  budget.left -= 1;
  return budget.left < 0 ? '[too much]' : visit();
}

function errorFacts(error: Error, depth: number, budget: Budget): Record<string, unknown> {
  const facts: Record<string, unknown> = { type: error.name, message: error.message };
  if (isCodedError(error)) return facts; // a failure of the world that we foresaw: its sentence says it all, a full disk has no room for stacks
  facts['stack'] = error.stack;
  if (error.cause !== undefined) facts['cause'] = redactValue(error.cause, depth + 1, budget);
  if (error instanceof AggregateError) facts['errors'] = redactValue(error.errors, depth + 1, budget);
  return facts;
}

// The HTTP server logs whole requests and responses, headers and sockets included.
function requestFacts(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const facts: Record<string, unknown> = {};
  if ('method' in value) facts['method'] = value.method;
  if ('url' in value && typeof value.url === 'string') facts['path'] = value.url.split('?', 1)[0];
  if ('statusCode' in value) facts['statusCode'] = value.statusCode;
  return facts;
}

function isTelltale(name: string): boolean {
  return /^(key|source|(set-)?cookie)$|(token|password|passphrase|secret|authorization|privatekey)$/i.test(name);
}

/** Masks user:password@ in URLs (a driver's message quotes the database address) and bearer tokens, wherever they are in a text. */
export function redactText(line: string): string {
  return line.replace(/(:\/\/[^\s/:@"]*):[^\s/@"]+@/g, `$1:${REDACTED}@`).replace(/\b(bearer)([ .]+)[\w.~+/=-]{8,}/gi, `$1$2${REDACTED}`);
}
