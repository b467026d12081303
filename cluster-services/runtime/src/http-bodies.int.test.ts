import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, createApi, fixedToken, listen } from './http.ts';
import { log, TOKEN } from './test-api.ts';

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
