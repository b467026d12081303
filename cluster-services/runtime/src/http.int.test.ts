import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bearerOf, createApi, fixedToken, listen } from './http.ts';
import { HttpClient } from './http-client.ts';
import { api, client, lines, log, pki, TOKEN, url } from './test-api.ts';

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
