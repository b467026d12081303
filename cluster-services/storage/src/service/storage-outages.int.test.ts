import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { Generation, Stats } from '@vitalwire/contract';
import { HttpError } from '@vitalwire/runtime';
import { hasMariaDb, type MariaDb, removeTempDir, startMariaDb, TestPki, tempDir, until } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startService } from './test-service.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

describe('a database that comes back', () => {
  test('SQLite restored from a backup: the next start gives it a new generation', async () => {
    const dir = tempDir();
    const { copyFileSync } = await import('node:fs');
    const first = await startService(pki, `sqlite:${dir}`);
    const before = await first.client.getJson('/v1/generation', Generation);
    await first.service.stop();
    await first.client.close();
    copyFileSync(join(dir, 'readings.sqlite'), join(dir, 'backup.sqlite'));
    const second = await startService(pki, `sqlite:${dir}`);
    expect((await second.client.getJson('/v1/generation', Generation)).generation).toBe(before.generation);
    await second.service.stop();
    await second.client.close();
    renameSync(join(dir, 'backup.sqlite'), join(dir, 'readings.sqlite'));
    const third = await startService(pki, `sqlite:${dir}`);
    expect((await third.client.getJson('/v1/generation', Generation)).generation).not.toBe(before.generation);
    await third.service.stop();
    await third.client.close();
    removeTempDir(dir);
  });

  test('a schema of a newer release: the service does not start, and says so in one sentence', async () => {
    const dir = tempDir();
    const first = await startService(pki, `sqlite:${dir}`);
    await first.service.stop();
    await first.client.close();
    const { default: Sqlite } = await import('better-sqlite3');
    const db = new Sqlite(join(dir, 'readings.sqlite'));
    db.exec("INSERT INTO readings_migration VALUES ('0042-from-the-future', '2030')");
    db.close();
    await expect(startService(pki, `sqlite:${dir}`)).rejects.toMatchObject({
      code: 'SCHEMA_NEWER',
      message: expect.not.stringContaining('\n'),
    });
    removeTempDir(dir);
  });
});

describe.skipIf(!hasMariaDb())('MariaDB that is away', () => {
  let server: MariaDb;
  beforeAll(async () => {
    server = await startMariaDb();
  });
  afterAll(async () => {
    await server.stop();
  });

  test('standing still: a question gets 503 in time, /readyz says degraded, the stop does not wait; then all is as it was', {
    timeout: 60_000,
  }, async () => {
    await server.restart();
    const { service, client, probeUrl } = await startService(pki, server.adminUrl);
    await client.getJson('/v1/stats', Stats);
    server.pause();
    const beganMs = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.getJson('/v1/stats', Stats).catch((error: unknown) => error)),
    );
    expect(performance.now() - beganMs).toBeLessThan(25_000);
    for (const answer of answers) expect(answer).toBeInstanceOf(HttpError);
    expect(await (await fetch(`${probeUrl}/readyz`)).json()).toMatchObject({
      status: 'degraded',
      checks: { readings: { degraded: true } },
    });
    const asked = client.getJson('/v1/stats', Stats).catch((error: unknown) => error);
    const stoppingMs = performance.now();
    await service.stop();
    expect(performance.now() - stoppingMs).toBeLessThan(8_000);
    expect(await asked).toBeInstanceOf(HttpError);
    await client.close();
    server.resume();
    const again = await startService(pki, server.adminUrl);
    await again.client.getJson('/v1/stats', Stats);
    await again.service.stop();
    await again.client.close();
  });

  test('down at the start: the service starts, answers 503 with a code, is degraded, and works by itself once the database is there', async () => {
    await server.kill9();
    const { service, client, probeUrl } = await startService(pki, server.adminUrl);
    const error = await client.getJson('/v1/stats', Stats).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 503, remoteCode: 'UNAVAILABLE', retry: true });
    expect((error as Error).message).not.toContain(new URL(server.adminUrl).password);
    expect(await (await fetch(`${probeUrl}/readyz`)).json()).toMatchObject({ status: 'degraded' });
    expect((await fetch(`${probeUrl}/readyz`)).status).toBe(200);
    await server.restart();
    await until(async () => (await client.getJson('/v1/stats', Stats).catch(() => null)) !== null, 15_000);
    const readyz = async (): Promise<unknown> => (await fetch(`${probeUrl}/readyz`)).json();
    await until(async () => JSON.stringify(await readyz()).includes('"status":"ready"'), 15_000); // said after the next look at the database
    await server.kill9();
    await expect(client.getJson('/v1/stats', Stats)).rejects.toMatchObject({ status: 503 });
    await server.restart();
    await until(async () => (await client.getJson('/v1/stats', Stats).catch(() => null)) !== null, 15_000);
    await client.close();
    await service.stop();
  });
});
