import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { TestPki } from '@vitalwire/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createApi, fixedToken, listen, sameSecret } from './http.ts';
import { HttpClient } from './http-client.ts';
import { client, failure, log, pki, TOKEN, url } from './test-api.ts';

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
