import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { sampleBlockMediaType } from '@vitalwire/contract';
import { until } from '@vitalwire/testkit';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { operatorTokenPath, readAgentFile } from './index.ts';
import { agent, broker, dir, eeg, ends, get, post, samplesOf, send, startAgain, startAgent, startBroker } from './test-agent.ts';

type OpenApi = {
  paths: Record<
    string,
    Record<
      string,
      {
        parameters?: object[];
        requestBody?: { content: Record<string, object> };
        responses: Record<string, { content?: Record<string, object> }>;
      }
    >
  >;
};

describe('operation', () => {
  test('/openapi.json is valid OpenAPI 3.1 and describes every path with its body, its answer and its parameters', async () => {
    const document = (await get('/openapi.json', '')).body as OpenApi;
    expect(await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>)).toMatchObject({ valid: true });
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, method, path, operation })),
    );
    expect(operations.map(({ name }) => name)).toContain('post /v1/intake/health-auto-export');
    for (const { name, method, path, operation } of operations.filter((one) => one.path !== '/openapi.json')) {
      expect(
        Object.values(operation.responses).some(({ content }) => content !== undefined),
        name,
      ).toBe(true);
      if (method === 'post') expect(operation.requestBody?.content['application/json'], name).toHaveProperty('schema');
      expect(path.includes('{') ? operation.parameters?.length : 0, name).toBe(path.split('{').length - 1);
    }
    expect(document.paths['/v1/eeg']?.['post']?.requestBody?.content).toHaveProperty([sampleBlockMediaType]);
  });

  test('drain closes the intake and ends the recordings, across a restart too; resume opens it again', async () => {
    const token = readFileSync(operatorTokenPath(dir), 'utf8').trim();
    await post('/v1/eeg', eeg(0, 256));
    expect((await send('/v1/drain', '{"on":true}', 'application/json', { token })).status).toBe(200);
    const refused = await post('/v1/eeg', eeg(256, 256));
    expect(refused).toMatchObject({ status: 503, retryAfter: '1', body: { error: { code: 'DRAINING' } } });
    await until(async () => ((await get('/v1/status', token)).body as { depthChunks: number }).depthChunks === 0);
    expect(ends()).toMatchObject([{ reason: 'stopped' }]);
    await agent.stop();
    await startAgain(); // whoever closed it meant it to stay so
    expect(await post('/v1/eeg', eeg(256, 256))).toMatchObject({ status: 503, body: { error: { code: 'DRAINING' } } });
    expect((await get('/v1/status', token)).body).toMatchObject({ intake: { draining: true } });
    await send('/v1/drain', '{"on":false}', 'application/json', { token });
    expect(await post('/v1/eeg', eeg(256, 256))).toMatchObject({ status: 201 });
  });

  test('a second agent on the same data directory is refused in one sentence and leaves the first alone', async () => {
    await expect(startAgent()).rejects.toThrow(/another program has the outbox open/);
    expect(await readAgentFile(dir)).toMatchObject({ gateway: 'gateway-1', url: agent.addresses()['intakeUrl'] });
    expect(await post('/v1/eeg', eeg(0, 64))).toMatchObject({ status: 201 });
  });

  test('without a front door the agent takes readings in, is degraded and not unready, and delivers later', async () => {
    await agent.stop();
    const { port, url } = broker;
    await broker.stop();
    await startAgain(url);
    expect(await post('/v1/eeg', eeg(0, 256))).toMatchObject({ status: 201 });
    const ready = await request(`http://127.0.0.1:${agent.addresses()['probes']}/readyz`);
    expect(ready.statusCode).toBe(200);
    expect(await ready.body.json()).toMatchObject({ status: 'degraded' });
    const metrics = await (await request(`http://127.0.0.1:${agent.addresses()['probes']}/metrics`)).body.text();
    expect(metrics).toMatch(/vitalwire_edge_outbox_pending_chunks [1-9]/);
    expect(metrics).toMatch(/vitalwire_edge_intake_readings_total\{path="\/v1\/eeg",outcome="accepted"\} 256/);
    await startBroker(port);
    await until(() => samplesOf('eeg-1').length === 256, 15_000);
  }, 30_000);
});
