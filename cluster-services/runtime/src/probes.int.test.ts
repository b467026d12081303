import { createServer } from 'node:http';
import { freePort, VirtualClock } from '@vitalwire/testkit';
import { Counter } from 'prom-client';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from './log.ts';
import { Probes } from './probes.ts';

const log = createLog({ name: 'test', level: 'silent' });
let probes: Probes;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock();
  probes = new Probes({ log, clock });
  await probes.start();
});
afterEach(() => probes.stop());

async function get(path: string): Promise<{ status: number; body: string }> {
  const answer = await request(`http://127.0.0.1:${probes.port}${path}`);
  return { status: answer.statusCode, body: await answer.body.text() };
}

async function ready(): Promise<{ status: number; body: unknown }> {
  const { status, body } = await get('/readyz');
  return { status, body: JSON.parse(body) };
}

test('a process that runs is healthy, whatever its checks say', async () => {
  probes.check('front-door', () => ({ ok: false }));
  expect(await get('/healthz')).toMatchObject({ status: 200 });
});

test('ready means every check is ok; degraded is still in use; anything else is 503, and each check is told', async () => {
  expect(await ready()).toEqual({ status: 200, body: { status: 'ready', checks: {} } });
  probes.check('front-door', () => ({ ok: true, detail: { connected: true } }));
  expect(await ready()).toMatchObject({
    status: 200,
    body: { status: 'ready', checks: { 'front-door': { ok: true, detail: { connected: true } } } },
  });
  probes.check('database', () => ({ ok: true, degraded: true, detail: 'commits wait' }));
  expect(await ready()).toMatchObject({ status: 200, body: { status: 'degraded', checks: { database: { detail: 'commits wait' } } } });
  probes.check('model', async () => ({ ok: false, detail: 'self-test failed' }));
  expect(await ready()).toMatchObject({ status: 503, body: { status: 'not-ready', checks: { model: { ok: false } } } });
});

test('a check that throws is not ok', async () => {
  probes.check('database', () => {
    throw new Error('gone');
  });
  expect(await ready()).toMatchObject({ status: 503, body: { checks: { database: { ok: false, detail: 'gone' } } } });
});

test('a check that hangs is not ok after 2 s', async () => {
  probes.check('database', () => new Promise(() => {}));
  const answer = ready();
  while (clock.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await clock.advance(2_000);
  expect(await answer).toMatchObject({ status: 503, body: { checks: { database: { ok: false, detail: 'no answer within 2000 ms' } } } });
});

test('metrics hold those of the process, the version, and what a service adds', async () => {
  new Counter({ name: 'vitalwire_chunks_total', help: 'chunks', registers: [probes.registry] }).inc(3);
  const { status, body } = await get('/metrics');
  expect(status).toBe(200);
  for (const words of ['process_cpu_seconds_total', 'vitalwire_build_info{version="', 'vitalwire_chunks_total 3'])
    expect(body).toContain(words);
});

test('another path is answered with what there is', async () => {
  const { status, body } = await get('/');
  expect(status).toBe(404);
  expect(JSON.parse(body).error.next).toContain('/readyz');
});

test('a port in use is told in words', async () => {
  const port = await freePort();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  try {
    const second = new Probes({ log, port });
    await expect(second.start()).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(`127.0.0.1:${port}`) });
    await second.stop();
  } finally {
    other.close();
  }
});

test('stop may be called twice, ends open connections and frees the port', async () => {
  const port = probes.port;
  await get('/healthz'); // leaves a kept-alive connection
  await probes.stop();
  await probes.stop();
  const again = new Probes({ log, port });
  await again.start();
  await again.stop();
});
