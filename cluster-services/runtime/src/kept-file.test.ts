import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeKeptDir, readKept, writeKept } from './kept-file.ts';

let dir: string;
beforeEach(() => {
  dir = tempDir('vw-kept-');
});
afterEach(() => removeTempDir(dir));

test('a file that is not there is a first start; one that cannot be read is an error and stays as it is', async () => {
  expect(await readKept(join(dir, 'none'))).toBeNull();
  expect(await readKept(join(dir, 'no', 'such', 'place'))).toBeNull();
  mkdirSync(join(dir, 'sick')); // a directory: reading it fails as a sick disk does, for every user
  await expect(readKept(join(dir, 'sick'))).rejects.toMatchObject({ code: 'KEPT_UNREADABLE', message: expect.stringContaining('EISDIR') });
  writeFileSync(join(dir, 'file'), '');
  await expect(readKept(join(dir, 'file', 'inside'))).rejects.toMatchObject({ code: 'KEPT_UNREADABLE' });
});

test("a file is replaced whole, is its owner's alone, and nothing is left beside it", async () => {
  await writeKept(join(dir, 'a'), 'one');
  await writeKept(join(dir, 'a'), 'two');
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('two');
  expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o600);
  mkdirSync(join(dir, 'b'));
  await expect(writeKept(join(dir, 'b'), 'x')).rejects.toMatchObject({ code: 'KEPT_UNWRITABLE' });
  expect(readdirSync(dir).toSorted()).toEqual(['a', 'b']);
});

test('directories are made one by one, and a place that takes none says so at once', async () => {
  await makeKeptDir(join(dir, 'x', 'y'));
  await makeKeptDir(join(dir, 'x', 'y'));
  expect(statSync(join(dir, 'x', 'y')).mode & 0o777).toBe(0o700);
  await expect(makeKeptDir('/proc/nowhere/edge')).rejects.toMatchObject({ code: 'KEPT_UNWRITABLE' });
  writeFileSync(join(dir, 'file'), '');
  await expect(makeKeptDir(join(dir, 'file', 'inside'))).rejects.toMatchObject({ code: 'KEPT_UNWRITABLE' });
});
