import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { z } from 'zod';
import { defineErrors, type ErrorTable } from './errors.ts';

export const httpErrors = {
  UNREACHABLE: {
    retry: 'yes',
    summary: 'no answer',
    next: 'see whether the service runs (`vitalwire status`) and whether the address is right',
  },
  REFUSED: { retry: 'no', summary: 'refused', next: 'read the reason behind it: a token, a name or a value is wrong' },
  UNAVAILABLE: { retry: 'yes', summary: 'answered that it cannot serve now', next: 'wait; the service says why and when in its answer' },
  BAD_ANSWER: {
    retry: 'no',
    summary: 'answered with something unexpected',
    next: 'look whether the address belongs to this service, and whether both are of one release',
  },
} as const satisfies ErrorTable;

/** A request that brought no usable answer. `status` and `remoteCode` say what the other side answered, if it did. */
export class HttpError extends defineErrors('http', httpErrors) {
  readonly status: number | null;
  readonly remoteCode: string | null;
  /** The other side's own words: what happened, and what to do next. */
  readonly remoteMessage: string | null;
  readonly remoteNext: string | null;

  constructor(code: keyof typeof httpErrors, detail: string, options?: { cause?: unknown; status?: number; remote?: RemoteError | null }) {
    super(code, detail, options);
    this.status = options?.status ?? null;
    this.remoteCode = options?.remote?.code ?? null;
    this.remoteMessage = options?.remote?.message ?? null;
    this.remoteNext = options?.remote?.next ?? null;
  }
}

export type HttpClientOptions = {
  baseUrl: string;
  token: string;
  /** The only authority that is trusted: a path, or its PEM text. */
  caPath?: string;
  ca?: string;
  timeoutMs?: number;
  /** Largest answer in bytes. */
  maxAnswerBytes?: number;
  /**
   * Talks to a server of our authority whose certificate has only expired: for an operator who asks a machine what is wrong with it. Needs
   * the authority; everything else is checked as always.
   */
  acceptExpired?: boolean;
};

export type RequestOptions = { signal?: AbortSignal; query?: Readonly<Record<string, string | number | boolean | null | undefined>> };

/** An answer in bytes. Header names are lower case. */
export type BytesAnswer = { bytes: Uint8Array; headers: Readonly<Record<string, string>> };

const RemoteError = z.object({ code: z.string(), message: z.string(), next: z.string().optional() });
type RemoteError = z.infer<typeof RemoteError>;
const ErrorBody = z.object({ error: RemoteError });

/** A client of one of our services: bearer token, our CA only, checked answers, typed errors (HttpError). */
export class HttpClient {
  readonly baseUrl: string;
  readonly #options: HttpClientOptions;
  readonly #timeoutMs: number;
  readonly #maxAnswerBytes: number;
  #agent: Agent | null = null;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.baseUrl = options.baseUrl.replace(/\/+$/, '');
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#maxAnswerBytes = options.maxAnswerBytes ?? 64 * 1024 * 1024;
  }

  async getJson<Schema extends z.ZodType>(path: string, schema: Schema, options?: RequestOptions): Promise<z.output<Schema>> {
    return this.#json('GET', path, undefined, schema, options);
  }

  async putJson<Schema extends z.ZodType = z.ZodUnknown>(
    path: string,
    body: unknown,
    schema?: Schema,
    options?: RequestOptions,
  ): Promise<z.output<Schema>> {
    return this.#json('PUT', path, jsonBody(body), schema, options);
  }

  async postJson<Schema extends z.ZodType = z.ZodUnknown>(
    path: string,
    body: unknown,
    schema?: Schema,
    options?: RequestOptions,
  ): Promise<z.output<Schema>> {
    return this.#json('POST', path, jsonBody(body), schema, options);
  }

  /** Posts bytes of the given content type; the answer is JSON. */
  async postBytes<Schema extends z.ZodType = z.ZodUnknown>(
    path: string,
    bytes: Uint8Array,
    contentType: string,
    schema?: Schema,
    options?: RequestOptions,
  ): Promise<z.output<Schema>> {
    return this.#json('POST', path, { bytes, contentType }, schema, options);
  }

  async getBytes(path: string, options?: RequestOptions): Promise<BytesAnswer> {
    return this.#request('GET', path, undefined, options);
  }

  async close(): Promise<void> {
    const agent = this.#agent;
    this.#agent = null;
    await agent?.destroy();
  }

  async #json<Schema extends z.ZodType>(
    method: Method,
    path: string,
    body: Body | undefined,
    schema: Schema | undefined,
    options?: RequestOptions,
  ): Promise<z.output<Schema>> {
    const { bytes } = await this.#request(method, path, body, options);
    let parsed: unknown;
    try {
      parsed = bytes.byteLength === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes));
    } catch (cause) {
      throw new HttpError('BAD_ANSWER', `${this.#at(method, path)}: not JSON`, { cause });
    }
    const checked = (schema ?? z.unknown()).safeParse(parsed);
    if (!checked.success) throw new HttpError('BAD_ANSWER', `${this.#at(method, path)}: ${z.prettifyError(checked.error)}`);
    return checked.data as z.output<Schema>;
  }

  async #request(method: Method, path: string, body: Body | undefined, options: RequestOptions = {}): Promise<BytesAnswer> {
    const url = new URL(this.baseUrl + path);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    let answer: Dispatcher.ResponseData;
    let bytes: Uint8Array;
    try {
      answer = await (await this.#open()).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { authorization: `Bearer ${this.#options.token}`, ...(body === undefined ? {} : { 'content-type': body.contentType }) },
        ...(body === undefined ? {} : { body: body.bytes }),
        signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
      });
      bytes = await this.#readBounded(answer.body, this.#at(method, path));
    } catch (cause) {
      if (HttpError.is(cause) || options.signal?.aborted) throw cause;
      const why = timeout.aborted ? `no answer within ${this.#timeoutMs} ms` : whyOf(cause);
      throw new HttpError('UNREACHABLE', `${this.#at(method, path)}: ${why}`, { cause });
    }
    if (answer.statusCode >= 200 && answer.statusCode < 300) return { bytes, headers: headersOf(answer) };
    throw this.#refusal(method, path, answer.statusCode, bytes);
  }

  #refusal(method: Method, path: string, status: number, bytes: Uint8Array): HttpError {
    const told = ErrorBody.safeParse(parseOrNull(bytes));
    const remote = told.success ? told.data.error : null;
    const detail = remote === null ? 'no reason given' : `${remote.message}${remote.next === undefined ? '' : ` (${remote.next})`}`;
    const code = status >= 500 || status === 429 || status === 408 ? 'UNAVAILABLE' : 'REFUSED';
    return new HttpError(code, `${this.#at(method, path)}: ${status} ${detail}`, { status, remote });
  }

  async #open(): Promise<Agent> {
    const { Agent, buildConnector } = await import('undici'); // only where it is needed: it costs a command 80 ms
    const trusted = this.#trusted();
    const connecting = { ...trusted, timeout: Math.min(this.#timeoutMs, 5_000) };
    const { ca } = trusted;
    const isLenient = this.#options.acceptExpired === true && ca !== undefined;
    this.#agent ??= new Agent({
      connect: isLenient ? expiredToo(buildConnector({ ...connecting, rejectUnauthorized: false }), ca) : connecting,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
      connections: 16,
    });
    return this.#agent;
  }

  #trusted(): { ca?: string } {
    if (this.#options.ca !== undefined) return { ca: this.#options.ca };
    if (this.#options.caPath === undefined) return {};
    try {
      return { ca: readFileSync(this.#options.caPath, 'utf8') };
    } catch (cause) {
      throw new HttpError('UNREACHABLE', `${this.baseUrl}: the CA file ${this.#options.caPath} cannot be read`, { cause });
    }
  }

  async #readBounded(body: Dispatcher.ResponseData['body'], at: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let total = 0;
    for await (const part of body as AsyncIterable<Uint8Array>) {
      total += part.byteLength;
      if (total > this.#maxAnswerBytes) throw new HttpError('BAD_ANSWER', `${at}: more than ${this.#maxAnswerBytes} bytes`);
      parts.push(part);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  #at(method: Method, path: string): string {
    return `${method} ${this.baseUrl}${path.split('?', 1)[0]}`;
  }
}

/** Makes of a connector that takes everybody one that takes only those our authority signed, of this name, though they may have expired. */
function expiredToo(connect: buildConnector.connector, ca: string): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      if (!(socket instanceof TLSSocket) || socket.authorized || isOursThoughExpired(socket, ca, options.hostname)) {
        callback(null, socket);
        return;
      }
      const refusal = Object.assign(new Error(`the certificate is not trusted (${String(socket.authorizationError)})`), {
        code: String(socket.authorizationError),
      });
      socket.destroy();
      callback(refusal, null);
    });
  };
}

function isOursThoughExpired(socket: TLSSocket, ca: string, host: string): boolean {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined || String(socket.authorizationError) !== 'CERT_HAS_EXPIRED') return false;
  const authority = new X509Certificate(ca);
  // OpenSSL tells one error of several: that of the date says nothing about the signature or the name.
  return (
    shown.checkIssued(authority) &&
    shown.verify(authority.publicKey) &&
    (isIP(host) === 0 ? shown.checkHost(host) : shown.checkIP(host)) !== undefined
  );
}

type Method = 'GET' | 'PUT' | 'POST';
type Body = { bytes: Uint8Array | string; contentType: string };

function jsonBody(body: unknown): Body {
  return { bytes: JSON.stringify(body) ?? 'null', contentType: 'application/json' };
}

function headersOf(answer: Dispatcher.ResponseData): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

function parseOrNull(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function whyOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
