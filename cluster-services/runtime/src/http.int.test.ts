import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { TestPki } from '@vitalwire/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineErrors } from './errors.ts';
import { type Api, ApiError, bearerOf, createApi, fixedToken, listen, sameSecret } from './http.ts';
import { HttpClient, HttpError } from './http-client.ts';
import { createLog } from './log.ts';

class DoorError extends defineErrors('door', {
  DATABASE_DOWN: { retry: 'yes', summary: 'the database does not answer', next: 'wait' },
  BUG: { retry: 'no', summary: 'broken', next: 'wait' },
}) {}

const TOKEN = 'a-long-enough-token';
const lines: string[] = [];
const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
let pki: TestPki;
let api: Api;
let url: string;
let client: HttpClient;

beforeAll(async () => {
  pki = await TestPki.create();
  api = createApi({ log, tls: await pki.service('web'), tokens: fixedToken(TOKEN, { id: 'viewer' }), bodyLimit: 1_000 });
  api.get('/v1/who', { schema: { response: { 200: z.object({ id: z.string() }) } } }, (request) => ({
    id: request.principal?.id ?? 'nobody',
    extra: 1,
  }));
  api.get('/v1/time', { config: { public: true } }, () => ({ nowUs: 1 }));
  api.get('/v1/bytes', (_request, reply) =>
    reply
      .header('x-next-seq', '7')
      .type('application/octet-stream')
      .send(Buffer.from([1, 2, 3])),
  );
  api.put(
    '/v1/patients/:id',
    {
      schema: {
        params: z.object({ id: z.string().max(5) }),
        querystring: z.object({ limit: z.coerce.number().max(10).default(5) }),
        body: z.strictObject({ label: z.string() }),
      },
    },
    (request) => ({ id: request.params.id, limit: request.query.limit, label: request.body.label }),
  );
  api.post('/v1/blob', (request) => ({ bytes: Buffer.isBuffer(request.body) ? request.body.byteLength : -1 }));
  api.get('/v1/fails/:how', (request) => {
    const { how } = request.params as { how: string };
    if (how === 'down') throw new DoorError('DATABASE_DOWN', 'readings.sqlite');
    if (how === 'bug') throw new DoorError('BUG');
    if (how === 'api') throw new ApiError(409, 'TAKEN', 'device eeg-1 is assigned already', 'end that assignment first');
    throw new Error('the inside story');
  });
  api.get('/v1/wrong', { schema: { response: { 200: z.object({ a: z.number() }) } } }, () => ({ a: 'text' }) as unknown as { a: number });
  ({ url } = await listen(api, '127.0.0.1', 0));
  client = new HttpClient({ baseUrl: url, token: TOKEN, caPath: pki.caPath, timeoutMs: 3_000 });
});
afterAll(async () => {
  await client?.close();
  await api?.close();
  pki?.remove();
});

const failure = (promise: Promise<unknown>): Promise<HttpError> =>
  promise.then(
    () => {
      throw new Error('it was answered');
    },
    (error: unknown) => {
      if (error instanceof HttpError) return error;
      throw error;
    },
  );

describe('a server', () => {
  test('answers who shows the token, and checks what goes in and out', async () => {
    expect(await client.getJson('/v1/who', z.strictObject({ id: z.string() }))).toEqual({ id: 'viewer' }); // `extra` is not in the schema
    expect(await client.putJson('/v1/patients/p1', { label: 'bed 4' })).toEqual({ id: 'p1', limit: 5, label: 'bed 4' });
    expect(await client.postBytes('/v1/blob', new Uint8Array(9), 'application/vnd.vitalwire.samples+cbor')).toEqual({ bytes: 9 });
  });

  test.each([
    ['no token', {}, 'TOKEN_MISSING'],
    ['a wrong token', { authorization: 'Bearer wrong' }, 'TOKEN_WRONG'],
    ['a longer token', { authorization: `Bearer ${TOKEN}x` }, 'TOKEN_WRONG'],
    ['an empty token', { authorization: 'Bearer ' }, 'TOKEN_MISSING'],
    ['another scheme', { authorization: `Basic ${TOKEN}` }, 'TOKEN_MISSING'],
    ['a wrong subprotocol', { 'sec-websocket-protocol': 'vitalwire.v1, bearer.wrong' }, 'TOKEN_WRONG'],
  ])('refuses %s before it looks at the request', async (_what, headers, code) => {
    const answer = await api.inject({ method: 'PUT', url: '/v1/patients/too-long-id', headers, payload: 'not json' });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.json()).toEqual({ error: { code, message: expect.any(String), next: expect.any(String) } });
    expect(answer.body).not.toContain(TOKEN);
  });

  test('takes the token of a browser socket from its subprotocol', () => {
    expect(bearerOf({ headers: { 'sec-websocket-protocol': 'vitalwire.v1, bearer.abc-_1' } })).toBe('abc-_1');
    expect(bearerOf({ headers: { 'sec-websocket-protocol': 'vitalwire.v1' } })).toBeNull();
    expect(bearerOf({ headers: { authorization: 'bearer abc' } })).toBe('abc');
  });

  test('needs no token on a public path', async () => {
    expect((await api.inject('/v1/time')).json()).toEqual({ nowUs: 1 });
  });

  const auth = { authorization: `Bearer ${TOKEN}` };
  test.each<
    [string, { method: 'GET' | 'PUT'; url: string; payload?: string | object; headers?: Record<string, string> }, number, string, string]
  >([
    ['a path that is not there', { method: 'GET', url: '/v1/nothing' }, 404, 'NOT_FOUND', 'GET /v1/nothing'],
    [
      'a wrong parameter',
      { method: 'PUT', url: '/v1/patients/too-long', payload: { label: 'x' } },
      400,
      'INVALID_REQUEST',
      'params of PUT /v1/patients/too-long: id',
    ],
    [
      'a wrong query',
      { method: 'PUT', url: '/v1/patients/p?limit=99', payload: { label: 'x' } },
      400,
      'INVALID_REQUEST',
      'querystring of PUT /v1/patients/p: limit',
    ],
    [
      'a wrong field',
      { method: 'PUT', url: '/v1/patients/p', payload: { label: 7 } },
      400,
      'INVALID_REQUEST',
      'body of PUT /v1/patients/p: label',
    ],
    ['an unknown field', { method: 'PUT', url: '/v1/patients/p', payload: { label: 'x', name: 'y' } }, 400, 'INVALID_REQUEST', 'name'],
    [
      'a body that is no JSON',
      { method: 'PUT', url: '/v1/patients/p', payload: '{', headers: { 'content-type': 'application/json' } },
      400,
      'INVALID_REQUEST',
      'JSON',
    ],
    [
      'a body that is too large',
      { method: 'PUT', url: '/v1/patients/p', payload: { label: 'x'.repeat(2_000) } },
      413,
      'TOO_LARGE',
      'too large',
    ],
    [
      'a body of an unknown type',
      { method: 'PUT', url: '/v1/patients/p', payload: 'x', headers: { 'content-type': 'text/x' } },
      415,
      'INVALID_REQUEST',
      'Media',
    ],
    ['a failure worth trying again', { method: 'GET', url: '/v1/fails/down' }, 503, 'DATABASE_DOWN', 'readings.sqlite'],
    ['a failure of ours', { method: 'GET', url: '/v1/fails/bug' }, 500, 'BUG', 'broken'],
    ['an answer chosen by the handler', { method: 'GET', url: '/v1/fails/api' }, 409, 'TAKEN', 'eeg-1'],
    ['an answer that breaks its schema', { method: 'GET', url: '/v1/wrong' }, 500, 'INTERNAL', 'schema'],
  ])('tells %s in the common format: what, where, what next', async (_what, request, status, code, words) => {
    const answer = await api.inject({ ...request, headers: { ...auth, ...request.headers } });
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toEqual({ error: { code, message: expect.stringContaining(words), next: expect.stringMatching(/\w/) } });
  });

  test('keeps the inside story of an unexpected failure in its log', async () => {
    lines.length = 0;
    const answer = await api.inject({ url: '/v1/fails/unexpectedly?patient=p1', headers: auth });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('inside story');
    expect(lines.filter((line) => line.includes('the inside story'))).toHaveLength(1);
    expect(lines.join('')).not.toContain(TOKEN);
  });

  test('describes its paths as OpenAPI', async () => {
    const document = (await api.inject('/openapi.json')).json();
    expect(document.openapi).toBe('3.1.0');
    const put = document.paths['/v1/patients/{id}'].put;
    expect(put.parameters.map((one: { name: string }) => one.name)).toEqual(['id', 'limit']);
    expect(put.requestBody.content['application/json'].schema.properties.label.type).toBe('string');
    expect(put.security).toEqual([{ bearer: [] }]);
    expect(document.paths['/v1/time'].get.security).toEqual([]);
  });

  test('speaks TLS 1.2 or newer only', async () => {
    const { port } = new URL(url);
    const refused = await new Promise<string>((resolve) => {
      const socket = connect({
        host: '127.0.0.1',
        port: Number(port),
        ca: readFileSync(pki.caPath),
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
      });
      socket.on('error', (error) => resolve(error.message));
      socket.on('secureConnect', () => resolve('connected'));
    });
    expect(refused).not.toBe('connected');
  });

  test('finishes a request that was begun before it closes', async () => {
    const slow = createApi({ log, tokens: fixedToken(TOKEN) });
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    slow.get('/slow', async () => {
      arrived.resolve();
      await release.promise;
      return { done: true };
    });
    const listening = await listen(slow, '127.0.0.1', 0);
    expect(listening.url).toBe(`http://127.0.0.1:${listening.port}`);
    const slowClient = new HttpClient({ baseUrl: listening.url, token: TOKEN });
    const answer = slowClient.getJson('/slow', z.unknown());
    await arrived.promise;
    const closing = slow.close();
    release.resolve();
    expect(await answer).toEqual({ done: true });
    await closing;
    await slowClient.close();
  });

  test('does not wait for connections that carry no request, whether their handshake is done or not', async () => {
    const secured = createApi({ log, tls: await pki.service('web'), tokens: fixedToken(TOKEN) });
    const { port } = await listen(secured, '127.0.0.1', 0);
    const unfinished = connectPlain(port, '127.0.0.1');
    const unused = connect({ host: '127.0.0.1', port, ca: readFileSync(pki.caPath) });
    for (const socket of [unfinished, unused]) socket.on('error', () => {});
    await Promise.all([once(unfinished, 'connect'), once(unused, 'secureConnect')]);
    const beganMs = performance.now();
    await secured.close();
    expect(performance.now() - beganMs).toBeLessThan(10_000); // Node itself would wait a minute
    for (const socket of [unfinished, unused]) socket.destroy();
  });

  test('tells a port in use and a certificate that is missing', async () => {
    const second = createApi({ log, tokens: fixedToken(TOKEN) });
    await expect(listen(second, '127.0.0.1', Number(new URL(url).port))).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    const identity = { certPath: '/nowhere/web.pem', keyPath: '/nowhere/web-key.pem', caPath: pki.caPath };
    expect(() => createApi({ log, tls: identity, tokens: fixedToken(TOKEN) })).toThrow(/\/nowhere\/web\.pem \(ENOENT\)/);
    const swapped = { ...(await pki.service('web')), keyPath: (await pki.service('other')).keyPath };
    expect(() => createApi({ log, tls: swapped, tokens: fixedToken(TOKEN) })).toThrow('does not belong to');
  });
});

test('secrets are compared whole, and an empty one equals nothing', () => {
  expect(sameSecret('abc', 'abc')).toBe(true);
  expect(sameSecret('abc', 'abd')).toBe(false);
  expect(sameSecret('ab', 'abc')).toBe(false);
  expect(sameSecret('', '')).toBe(false);
});

describe('a client', () => {
  test('gives bytes with their headers', async () => {
    const { bytes, headers } = await client.getBytes('/v1/bytes');
    expect([...bytes]).toEqual([1, 2, 3]);
    expect(headers['x-next-seq']).toBe('7');
  });

  test('puts its query into the path, leaving out what is not given', async () => {
    expect(
      await client.putJson('/v1/patients/p', { label: 'x' }, z.unknown(), { query: { limit: 7, none: undefined, nil: null } }),
    ).toMatchObject({ limit: 7 });
  });

  test('tells a refusal with status, code and reason, not worth trying again', async () => {
    const error = await failure(client.getJson('/v1/fails/api', z.unknown()));
    expect(error).toMatchObject({ code: 'REFUSED', retry: false, status: 409, remoteCode: 'TAKEN' });
    expect(error.message).toContain('end that assignment first');
    expect(error.message).not.toContain(TOKEN);
  });

  test('tells a server that cannot serve now as worth trying again', async () => {
    expect(await failure(client.getJson('/v1/fails/down', z.unknown()))).toMatchObject({
      code: 'UNAVAILABLE',
      retry: true,
      status: 503,
      remoteCode: 'DATABASE_DOWN',
    });
  });

  test('tells an answer that is not what was asked for', async () => {
    const error = await failure(client.getJson('/v1/time', z.object({ nowUs: z.string() })));
    expect(error).toMatchObject({ code: 'BAD_ANSWER', retry: false });
    expect(error.message).toContain('nowUs');
    expect(await failure(client.getJson('/v1/bytes', z.unknown()))).toMatchObject({ code: 'BAD_ANSWER' });
  });

  test('trusts only the authority it was given', async () => {
    const other = await TestPki.create();
    const stranger = new HttpClient({ baseUrl: url, token: TOKEN, caPath: other.caPath });
    const careless = new HttpClient({ baseUrl: url, token: TOKEN });
    expect(await failure(stranger.getJson('/v1/who', z.unknown()))).toMatchObject({ code: 'UNREACHABLE', retry: true });
    expect(await failure(careless.getJson('/v1/who', z.unknown()))).toMatchObject({ code: 'UNREACHABLE' });
    await Promise.all([stranger.close(), careless.close()]);
    other.remove();
  });

  test("asks an operator's question of a server whose certificate has only expired, and of no other", async () => {
    const other = await TestPki.create();
    const expired = { kind: 'service', days: 3_500 / 86_400 } as const; // certificates begin an hour ago
    const asked = async (issuer: TestPki, host: string, acceptExpired: boolean): Promise<string> => {
      const server = createApi({ log, tls: await issuer.pki.issue('late', expired), tokens: fixedToken(TOKEN, { id: 'viewer' }) });
      const { url: baseUrl } = await listen(server, host, 0);
      const client = new HttpClient({ baseUrl, token: TOKEN, caPath: pki.caPath, acceptExpired });
      const answer = await client.getJson('/openapi.json', z.looseObject({})).then(
        () => 'answered',
        (error: unknown) => (error instanceof Error ? error.message : ''),
      );
      await Promise.all([client.close(), server.close()]);
      return answer;
    };
    expect(await asked(pki, '127.0.0.1', true)).toBe('answered');
    expect(await asked(pki, '127.0.0.1', false)).toContain('CERT_HAS_EXPIRED');
    expect(await asked(pki, '127.0.0.2', true)).toContain('CERT_HAS_EXPIRED'); // a name its certificate is not for
    expect(await asked(other, '127.0.0.1', true)).toMatch(/CERT_HAS_EXPIRED|SIGNATURE|ISSUER/);
    other.remove();
  });

  test('refuses a server whose certificate is for another host', async () => {
    const elsewhere = new HttpClient({
      baseUrl: url.replace('127.0.0.1', '127.0.0.2'),
      token: TOKEN,
      caPath: pki.caPath,
      timeoutMs: 2_000,
    });
    expect(await failure(elsewhere.getJson('/v1/who', z.unknown()))).toMatchObject({ code: 'UNREACHABLE' });
    await elsewhere.close();
  });

  test('names the CA file it cannot read', async () => {
    const blind = new HttpClient({ baseUrl: url, token: TOKEN, caPath: '/nowhere/ca.pem' });
    expect((await failure(blind.getJson('/v1/who', z.unknown()))).message).toContain('/nowhere/ca.pem');
  });

  test('tells nobody there as worth trying again, and works once somebody is', async () => {
    const nobody = new HttpClient({ baseUrl: 'http://127.0.0.1:1', token: TOKEN, timeoutMs: 2_000 });
    const error = await failure(nobody.getJson('/x', z.unknown()));
    expect(error).toMatchObject({ code: 'UNREACHABLE', retry: true, status: null });
    expect(error.message).toContain('ECONNREFUSED');
    await nobody.close();
  });

  describe('with a server that misbehaves', () => {
    let server: Server;
    afterEach(() => {
      server.closeAllConnections();
      server.close();
    });
    async function serve(answer: Parameters<typeof createServer>[1]): Promise<string> {
      server = createServer(answer ?? (() => {}));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    }

    test('gives up after its time-out', async () => {
      const slow = new HttpClient({ baseUrl: await serve(() => {}), token: TOKEN, timeoutMs: 100 });
      expect((await failure(slow.getJson('/x', z.unknown()))).message).toContain('no answer within 100 ms');
      await slow.close();
    });

    test('gives up on an answer without end', async () => {
      const base = await serve((_request, response) => void setInterval(() => response.write('x'.repeat(1_000)), 1).unref());
      const bounded = new HttpClient({ baseUrl: base, token: TOKEN, maxAnswerBytes: 10_000 });
      expect(await failure(bounded.getBytes('/x'))).toMatchObject({
        code: 'BAD_ANSWER',
        message: expect.stringContaining('more than 10000 bytes'),
      });
      await bounded.close();
    });

    test('stops when it is told to, with the reason it was given', async () => {
      const patient = new HttpClient({ baseUrl: await serve(() => {}), token: TOKEN });
      const abort = new AbortController();
      const asking = patient.getJson('/x', z.unknown(), { signal: abort.signal });
      setTimeout(() => abort.abort(new Error('no longer needed')), 20);
      await expect(asking).rejects.toThrow('no longer needed');
      await patient.close();
    });
  });
});

test('a client takes the authority as text, too', async () => {
  const one = new HttpClient({ baseUrl: url, token: 'not needed for a public path', ca: readFileSync(pki.caPath, 'utf8') });
  expect(await one.getJson('/v1/time', z.unknown())).toEqual({ nowUs: 1 });
  await one.close();
});

describe('bodies', () => {
  let plain: Api;
  let port: number;

  beforeAll(async () => {
    plain = createApi({ log, tokens: fixedToken(TOKEN), bodyLimit: 100_000, apiKeys: true, gzip: true, idleMs: 200 });
    plain.post('/v1/blob', (request) => ({ bytes: Buffer.isBuffer(request.body) ? request.body.byteLength : -1 }));
    ({ port } = await listen(plain, '127.0.0.1', 0));
  });
  afterAll(() => plain.close());

  test.each([
    ['a request that stands still in its headers', 'POST /v1/blob HTTP/1.1\r\nhost: x\r\n'],
    ['a request that stands still in its body', `${head(1_000)}only this`],
    ['a body of unknown length that stands still', `${head(null)}5\r\nonly `],
    ['a connection that asks for nothing', ''],
  ])('%s is cut', async (_what, sent) => {
    const socket = connectPlain(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write(sent);
    await new Promise((resolve) => socket.once('close', resolve));
  });

  test('a request that comes slowly, but comes, is not cut', async () => {
    const socket = connectPlain(port, '127.0.0.1');
    socket.write(head(10));
    for (let sent = 0; sent < 10; sent += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      socket.write('x');
    }
    expect(await answerOn(socket)).toMatch(/200 OK[\s\S]*"bytes":10/);
    socket.destroy();
  });

  test('a body without a token is refused before it is read, and is not read to its end', async () => {
    const socket = connectPlain(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(head(1e9, null));
    expect(await answerOn(socket)).toMatch(/ 401 [\s\S]*TOKEN_MISSING/);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    let written = 0;
    const pour = (): void => {
      while (!socket.destroyed && written < 64 * 1024 * 1024) {
        written += 65_536;
        if (!socket.write(Buffer.alloc(65_536))) return;
      }
    };
    socket.on('drain', pour);
    pour();
    await closed;
    expect(socket.bytesWritten).toBeLessThan(32 * 1024 * 1024);
  });

  test('who asks before sending a body hears "continue" only with a token', async () => {
    const ask = async (token: string | null): Promise<string> => {
      const socket = connectPlain(port, '127.0.0.1');
      socket.write(head(5, token, 'expect: 100-continue\r\n'));
      const answer = await answerOn(socket);
      socket.destroy();
      return answer;
    };
    expect(await ask(TOKEN)).toMatch(/^HTTP\/1.1 100 Continue/);
    expect(await ask(null)).toMatch(/^HTTP\/1.1 401/);
  });

  test('a token is taken from x-api-key and api-key, and a packed body is unpacked up to the limit', async () => {
    const send = async (headers: Record<string, string>, body: Buffer): Promise<[number, unknown]> => {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/blob`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', ...headers },
        body: new Uint8Array(body),
      });
      return [answer.status, await answer.json()];
    };
    const packed = { 'content-encoding': 'gzip' };
    expect(await send({ 'x-api-key': TOKEN, ...packed }, gzipSync(Buffer.alloc(99_000)))).toEqual([200, { bytes: 99_000 }]);
    expect((await send({ 'api-key': TOKEN }, Buffer.alloc(3)))[0]).toBe(200);
    expect((await send({ 'api-key': 'another-token' }, Buffer.alloc(3)))[0]).toBe(401);
    expect((await send({ 'api-key': TOKEN, ...packed }, gzipSync(Buffer.alloc(10_000_000))))[0]).toBe(413);
    expect((await send({ 'api-key': TOKEN, ...packed }, Buffer.from('not packed')))[0]).toBe(400);
    expect((await send({ 'api-key': TOKEN, 'content-encoding': 'br' }, Buffer.alloc(3)))[0]).toBe(415);
  });
});

function head(length: number | null, token: string | null = TOKEN, more = ''): string {
  const authorization = token === null ? '' : `authorization: Bearer ${token}\r\n`;
  const size = length === null ? 'transfer-encoding: chunked' : `content-length: ${length}`;
  return `POST /v1/blob HTTP/1.1\r\nhost: x\r\n${authorization}${more}content-type: application/octet-stream\r\n${size}\r\n\r\n`;
}

/** The next answer, whole: its head and its body may come in pieces. */
async function answerOn(socket: Socket): Promise<string> {
  let answer = '';
  for (;;) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    answer += piece.toString('latin1');
    const [head, ...rest] = answer.split('\r\n\r\n');
    const length = Number(/^content-length: (\d+)/im.exec(head ?? '')?.[1] ?? 0);
    if (rest.length > 0 && rest.join('\r\n\r\n').length >= length) return Buffer.from(answer, 'latin1').toString('utf8');
  }
}
