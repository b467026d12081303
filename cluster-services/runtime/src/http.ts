import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  isResponseSerializationError,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { cannotListen, isCodedError } from './errors.ts';
import type { Log } from './log.ts';
import { ApiDescription, describeApi, type RouteFacts } from './openapi.ts';
import { expiryProblem, type Identity, readIdentitySync } from './pki.ts';
import { version } from './service.ts';

/** A fastify server with zod schemas, our error format and bearer tokens. */
export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

/** Who a bearer token belongs to. */
export type Principal = { readonly id: string; readonly role?: string };

/** Says who a token belongs to, or null. It must compare in constant time: use `sameSecret` or `fixedToken`. */
export type TokenCheck = (token: string, request: FastifyRequest) => Principal | null | Promise<Principal | null>;

export type ApiOptions = {
  log: Log;
  tls?: Identity | undefined;
  tokens: TokenCheck;
  /** Largest request body in bytes. */
  bodyLimit?: number;
  /** Take the token from `x-api-key` or `api-key` too, for programs that can set no other header. */
  apiKeys?: boolean;
  /** Take bodies that are packed with gzip; the limit counts what they unpack to. */
  gzip?: boolean;
  /** How long a request may stand still while it is being received. */
  idleMs?: number;
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking; null on public routes. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** A route that needs no token. */
    public?: boolean;
    /** Media types its body may have besides JSON. */
    otherBodies?: readonly string[];
    /** By status: the media types of answers that are not JSON; none for an answer without a body. */
    otherAnswers?: Readonly<Record<number, readonly string[]>>;
  }
}

/** Thrown by a handler to answer with this status in the common error format. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly next: string;

  constructor(status: number, code: string, message: string, next: string, options?: { cause?: unknown }) {
    super(message, options);
    this.status = status;
    this.code = code;
    this.next = next;
  }
}

const DEFAULT_BODY_LIMIT = 1024 * 1024;
const TELL_AGAIN_MS = 60_000;
const CLOSE_GRACE_MS = 1_000; // how long a connection without a request may hold up a server that closes
const IDLE_MS = 10_000;
const REQUEST_TIMEOUT_MS = 300_000; // to receive a whole request, however steadily it comes; fastify's default waits for ever
const LINGER_MS = 2_000; // how long, and how much of, a body is still taken off the line that was answered before its end: cut at once, the
const LINGER_BYTES = 1024 * 1024; // connection would take the answer with it
const LINGER_LOOK_MS = 10; // a fast line brings megabytes between two looks

/** Makes a server; routes declare zod schemas and need a token unless their config says `public: true`. */
export function createApi(options: ApiOptions): Api {
  const idleMs = options.idleMs ?? IDLE_MS;
  const patience = { headersTimeout: idleMs, connectionsCheckingInterval: Math.ceil(idleMs / 4) };
  // Only where a server is made: it costs a command 0.2 s of its start and 5 MB.
  const { fastify, LogController } = createRequire(import.meta.url)('fastify') as typeof import('fastify');
  const api: Api = fastify({
    https:
      options.tls === undefined
        ? null
        : { ...readTls(options.tls, options.log), minVersion: 'TLSv1.2', handshakeTimeout: idleMs, ...patience },
    http: patience,
    bodyLimit: options.bodyLimit ?? DEFAULT_BODY_LIMIT,
    loggerInstance: options.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle', // a request that was begun is answered before the server closes
  } as object) as unknown as Api;

  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  api.decorateRequest('principal', null);
  api.addContentTypeParser(
    /^application\/(octet-stream|cbor|vnd\.vitalwire\.[a-z0-9.+-]+)(;|$)/,
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );

  api.addHook('onRequest', async (request) => {
    if (request.is404 || request.routeOptions.config.public === true) return;
    const token = bearerOf(request) ?? (options.apiKeys === true ? apiKeyOf(request) : null);
    request.principal = token === null ? null : await options.tokens(token, request);
    if (request.principal === null) throw unauthorized(token, options.apiKeys === true);
  });
  api.setNotFoundHandler((request) => {
    throw new ApiError(404, 'NOT_FOUND', `nothing answers ${request.method} ${pathOf(request)}`, 'see /openapi.json for what there is');
  });
  const logFailure = failureLog(options.log);
  api.setErrorHandler((error, request, reply) => {
    const answer = explain(error, request);
    if (answer.status >= 500) logFailure(error, answer.code, request);
    if (answer.status === 401) void reply.header('www-authenticate', 'Bearer');
    if (answer.status === 503) void reply.header('retry-after', '1');
    return reply
      .status(answer.status)
      .serializer(JSON.stringify)
      .type('application/json')
      .send({ error: { code: answer.code, message: answer.message, next: answer.next } });
  });

  askForBodiesLate(api);
  if (options.gzip === true) unpackBodies(api);
  cutIdleRequests(api, idleMs);
  cutUnusedConnectionsAtClose(api);
  const routes: RouteFacts[] = [];
  api.addHook('onRoute', (route) => {
    const { public: isPublic = false, otherBodies, otherAnswers } = route.config ?? {};
    routes.push({ method: route.method, url: route.url, schema: route.schema, public: isPublic, otherBodies, otherAnswers });
  });
  const described = { summary: 'This description', response: { 200: ApiDescription } };
  api.get('/openapi.json', { config: { public: true }, schema: described }, () => describeApi(routes, version));
  return api;
}

// A full disk or an absent database fails every request: it is told when it begins, and then once a minute with how many there were.
function failureLog(log: Log): (error: unknown, code: string, request: FastifyRequest) => void {
  const foreseen = new Map<string, { toldMs: number; untold: number }>(); // by code, of which there are few
  return (error, code, request) => {
    const facts = { err: error, method: request.method, path: pathOf(request) };
    if (!isCodedError(error)) return log.error(facts, 'a request failed; it was answered 500');
    const known = foreseen.get(code);
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.toldMs < TELL_AGAIN_MS) known.untold += 1;
    else {
      foreseen.set(code, { toldMs: nowMs, untold: 0 });
      log.error({ ...facts, ...(known === undefined ? {} : { sinceLastTold: known.untold }) }, 'a request failed');
    }
  };
}

/** A client that asks before it sends its body hears "continue" only once its token has been found good. */
function askForBodiesLate(api: Api): void {
  const waiting = new WeakSet<IncomingMessage>();
  api.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request);
    api.server.emit('request', request, response);
  });
  api.addHook('preParsing', async (request, reply, payload) => {
    if (waiting.delete(request.raw)) reply.raw.writeContinue();
    return payload;
  });
}

function unpackBodies(api: Api): void {
  api.addHook('preParsing', async (request, _reply, payload) => {
    const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
    if (encoding === 'identity' || encoding === '') return payload;
    if (encoding !== 'gzip' && encoding !== 'x-gzip')
      throw new ApiError(
        415,
        'UNKNOWN_ENCODING',
        'the content-encoding is not understood',
        'send the body as it is, or with content-encoding: gzip',
      );
    const unpacked = createGunzip();
    let received = 0;
    payload.on('data', (chunk: Buffer) => {
      received += chunk.byteLength;
    });
    unpacked.on('error', () => {}); // told to whoever reads it; it may break before somebody does
    payload.on('error', (error) => unpacked.destroy(error));
    payload.on('close', () => {
      if (!payload.readableEnded) unpacked.destroy(new ApiError(400, 'INTERRUPTED', 'the body ended early', 'send it again'));
    });
    Object.defineProperty(unpacked, 'receivedEncodedLength', { get: () => received }); // fastify compares it with content-length
    return payload.pipe(unpacked) satisfies Readable;
  });
}

// Node bounds the time to the end of the headers and of the whole request, not how long nothing comes in between. What waits in our own
// buffers does not count: then it is we who are slow.
function cutIdleRequests(api: Api, idleMs: number): void {
  const receiving = new Map<IncomingMessage, { bytes: number; sinceMs: number }>();
  api.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    receiving.set(request, { bytes: request.socket.bytesRead, sinceMs: performance.now() });
    request.once('close', () => receiving.delete(request));
    response.once('finish', () => {
      if (!request.complete) lingerFor(request);
    });
  });
  let looking: NodeJS.Timeout | undefined;
  api.server.once('listening', () => {
    looking = setInterval(
      () => {
        const nowMs = performance.now();
        for (const [request, seen] of receiving) {
          const { bytesRead } = request.socket;
          if (request.complete) receiving.delete(request);
          else if (bytesRead !== seen.bytes || request.readableLength > 0) receiving.set(request, { bytes: bytesRead, sinceMs: nowMs });
          else if (nowMs - seen.sinceMs >= idleMs) request.socket.destroy();
        }
      },
      Math.ceil(idleMs / 4),
    );
    looking.unref();
  });
  api.addHook('onClose', async () => clearInterval(looking));
}

function lingerFor(request: IncomingMessage): void {
  const { socket } = request;
  const before = socket.bytesRead;
  const untilMs = performance.now() + LINGER_MS;
  const looking = setInterval(() => {
    const isOver = request.complete || socket.destroyed;
    if (!isOver && performance.now() < untilMs && socket.bytesRead - before < LINGER_BYTES) return;
    clearInterval(looking);
    if (!isOver) socket.destroy();
  }, LINGER_LOOK_MS);
  looking.unref();
}

// A connection that is still in its TLS handshake, or that a browser opened ahead of need, carries no request: closing would wait up to a
// minute for it. Connections whose request is being answered are left to finish.
function cutUnusedConnectionsAtClose(api: Api): void {
  const connections = new Map<string, Socket>(); // by the peer's address, which a socket and its secured twin share
  const answering = new Map<string, number>();
  const peerOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;
  api.server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    connections.set(peer, socket);
    socket.once('close', () => connections.delete(peer));
  });
  api.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const peer = peerOf(request.socket);
    answering.set(peer, (answering.get(peer) ?? 0) + 1);
    response.once('close', () => {
      const left = (answering.get(peer) ?? 1) - 1;
      if (left > 0) answering.set(peer, left);
      else answering.delete(peer);
    });
  });
  let cutting: NodeJS.Timeout | undefined;
  api.addHook('preClose', async () => {
    cutting = setInterval(() => {
      for (const [peer, socket] of connections) if (!answering.has(peer)) socket.destroy();
    }, CLOSE_GRACE_MS);
  });
  api.addHook('onClose', async () => clearInterval(cutting));
}

/** Where a server listens. */
export type Listening = { port: number; url: string };

/** Starts listening; port 0 takes a free one. A port in use is told as RuntimeError PORT_IN_USE. */
export async function listen(api: Api, host: string, port: number): Promise<Listening> {
  try {
    await api.listen({ host, port });
  } catch (cause) {
    throw cannotListen(host, port, cause);
  }
  const address = api.server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  const scheme = 'getTicketKeys' in api.server ? 'https' : 'http';
  return { port: actual, url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${actual}` };
}

/** A check for one token that belongs to everybody who knows it. */
export function fixedToken(expected: string, principal: Principal = { id: 'token' }): TokenCheck {
  return (token) => (sameSecret(token, expected) ? principal : null);
}

/** Compares in a time that tells nothing about either text, not even its length. An empty secret equals nothing. */
export function sameSecret(given: string, expected: string): boolean {
  const same = timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(expected).digest());
  return same && expected !== '';
}

/** The token of a request: `Authorization: Bearer …`, or for a browser's WebSocket the subprotocol `bearer.…`. */
export function bearerOf(request: { headers: IncomingMessage['headers'] }): string | null {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (header !== undefined) return header;
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((one) => one.trim());
  return offered?.find((one) => one.startsWith('bearer.'))?.slice('bearer.'.length) ?? null;
}

/** The token in the headers that apps offer for one. */
function apiKeyOf(request: { headers: IncomingMessage['headers'] }): string | null {
  const header = request.headers['x-api-key'] ?? request.headers['api-key'];
  return typeof header === 'string' && header.trim() !== '' ? header.trim() : null;
}

function unauthorized(token: string | null, apiKeys: boolean): ApiError {
  return token === null
    ? new ApiError(
        401,
        'TOKEN_MISSING',
        'this path needs a bearer token',
        `send the header "Authorization: Bearer <token>"${apiKeys ? ', or "x-api-key: <token>"' : ''}`,
      )
    : new ApiError(401, 'TOKEN_WRONG', 'the bearer token is not known here', 'use the token this service was started with');
}

type Answer = { status: number; code: string; message: string; next: string };

function explain(error: unknown, request: FastifyRequest): Answer {
  if (error instanceof ApiError) return { status: error.status, code: error.code, message: error.message, next: error.next };
  if (hasZodFastifySchemaValidationErrors(error)) {
    const problems = error.validation.map(
      (one) => `${one.instancePath.replace(/^\//, '').replaceAll('/', '.') || 'value'}: ${one.message ?? 'wrong'}`,
    );
    const where = `${error.validationContext ?? 'request'} of ${request.method} ${pathOf(request)}`;
    return {
      status: 400,
      code: 'INVALID_REQUEST',
      message: `${where}: ${problems.join('; ')}`,
      next: 'correct the request; /openapi.json describes it',
    };
  }
  if (isResponseSerializationError(error)) {
    return {
      status: 500,
      code: 'INTERNAL',
      message: `the answer to ${request.method} ${pathOf(request)} broke its own schema`,
      next: 'report this; the log has the details',
    };
  }
  if (isCodedError(error)) {
    return error.retry
      ? { status: 503, code: error.code, message: error.message, next: 'try again in a moment' }
      : { status: 500, code: error.code, message: error.message, next: 'see the log of this service' };
  }
  if (isRecordWithStatus(error) && error.statusCode < 500) {
    return {
      status: error.statusCode,
      code: error.statusCode === 413 ? 'TOO_LARGE' : 'INVALID_REQUEST',
      message: `${request.method} ${pathOf(request)}: ${error.message}`,
      next: error.statusCode === 413 ? 'send it in smaller parts' : 'correct the request; /openapi.json describes it',
    };
  }
  return {
    status: 500,
    code: 'INTERNAL',
    message: `${request.method} ${pathOf(request)} failed unexpectedly`,
    next: 'report this; the log has the details',
  };
}

function isRecordWithStatus(error: unknown): error is Error & { statusCode: number } {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode >= 400;
}

// Without the query: it may hold more than identifiers.
function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/';
}

function readTls(identity: Identity, log: Log): { key: string; cert: string; ca: string } {
  const loaded = readIdentitySync(identity);
  const problem = expiryProblem(identity, loaded, Date.now());
  if (problem !== null) log.error(problem);
  const { key, cert, ca } = loaded;
  return { key, cert, ca };
}
