import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DataDir, ensureSecret, ensureTokenFile, lockDataDir, makeDirectories, resolveDataDir } from './data-dir.ts';

let dirs: DataDir;

beforeEach(async () => {
  dirs = resolveDataDir(mkdtempSync(path.join(tmpdir(), 'vitalwire-data-test-')), {});
  await makeDirectories(dirs);
});

afterEach(() => rmSync(dirs.root, { recursive: true, force: true }));

test('a second claim of a directory is refused in one sentence while the first one lives', async () => {
  const lock = await lockDataDir(dirs);
  await expect(lockDataDir(dirs)).rejects.toThrow(`${dirs.root} belongs to the stack of process ${process.pid}`);
  await lock.release();
  await (await lockDataDir(dirs)).release();
});

test('of two claims at once exactly one succeeds', async () => {
  const claims = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataDir(dirs)));
  expect(claims.filter((claim) => claim.status === 'fulfilled')).toHaveLength(1);
});

test('the claim of a process that is gone, or of another one under its old number, is taken over', async () => {
  for (const stale of [{ pid: 2 ** 22 + 5, started: null }, { pid: process.pid, started: 'another boot:1' }, 'half a wri']) {
    writeFileSync(dirs.lockFile, JSON.stringify(stale));
    await (await lockDataDir(dirs)).release();
  }
});

test('directories and secrets are readable by their owner only, and a secret never changes', async () => {
  const file = await ensureSecret(dirs, 'web');
  const token = readFileSync(file, 'utf8');
  expect(token.trim()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  for (const one of [dirs.secrets, dirs.pki, dirs.edgeTokens]) expect(statSync(one).mode & 0o777).toBe(0o700);
  await ensureSecret(dirs, 'web');
  expect(readFileSync(file, 'utf8')).toBe(token);
});

test('two processes that need the same token at once get the same one', async () => {
  const file = path.join(dirs.edgeTokens, 'bonn-01-eeg');
  const tokens = await Promise.all(Array.from({ length: 8 }, () => ensureTokenFile(file)));
  expect(new Set(tokens).size).toBe(1);
});

test('a directory that cannot be made is told with what to do next', async () => {
  writeFileSync(path.join(dirs.root, 'file'), '');
  await expect(makeDirectories(resolveDataDir(path.join(dirs.root, 'file', 'below'), {}))).rejects.toThrow(/ENOTDIR.*--data/);
});
