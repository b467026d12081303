import { TestPki } from '@vitalwire/testkit';
import { afterAll, beforeAll } from 'vitest';
import { z } from 'zod';
import { defineErrors } from './errors.ts';
import { type Api, ApiError, createApi, fixedToken, listen } from './http.ts';
import { HttpClient, HttpError } from './http-client.ts';
import { createLog } from './log.ts';

class DoorError extends defineErrors('door', {
  DATABASE_DOWN: { retry: 'yes', summary: 'the database does not answer', next: 'wait' },
  BUG: { retry: 'no', summary: 'broken', next: 'wait' },
}) {}

export const TOKEN = 'a-long-enough-token';
export const lines: string[] = [];
export const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
export let pki: TestPki;
export let api: Api;
export let url: string;
export let client: HttpClient;

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

export const failure = (promise: Promise<unknown>): Promise<HttpError> =>
  promise.then(
    () => {
      throw new Error('it was answered');
    },
    (error: unknown) => {
      if (error instanceof HttpError) return error;
      throw error;
    },
  );
