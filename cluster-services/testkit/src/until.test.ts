import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from './free-port.ts';
import { removeTempDir, tempDir } from './temp-dir.ts';
import { until } from './until.ts';

test('until returns the first answer that is neither false, null nor undefined; 0 and the empty text are answers', async () => {
  const answers = [false, null, undefined, 0];
  expect(await until(() => answers.shift())).toBe(0);
  expect(await until(async () => '')).toBe('');
});

test('until gives up in time and says what it waited for and the last error', async () => {
  const waiting = until(
    () => {
      throw new Error('not yet');
    },
    { timeoutMs: 50, what: 'the moon' },
  );
  await expect(waiting).rejects.toMatchObject({ message: 'not so within 50 ms: the moon', cause: { message: 'not yet' } });
});

test('free ports are free and all different', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  expect(new Set(ports).size).toBe(20);
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(ports[0], '127.0.0.1', resolve));
  server.close();
});

test('a temporary directory is new, short enough for a unix socket, and gone with all it holds', () => {
  const dir = tempDir();
  expect(dir).not.toBe(tempDir());
  expect(join(dir, 's.sock').length).toBeLessThan(104);
  writeFileSync(join(dir, 'x'), 'x');
  removeTempDir(dir);
  expect(existsSync(dir)).toBe(false);
});
