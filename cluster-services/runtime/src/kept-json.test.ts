import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { KeptJson } from './kept-json.ts';

let dir: string;
const warnings: string[] = [];
const log = { warn: (_: object, message: string) => void warnings.push(message) } as unknown as { warn: () => void };
const file = (path: string | null) => new KeptJson({ path, schema: z.array(z.number()), what: 'the numbers', log });

beforeEach(() => {
  dir = tempDir('vw-kept-json-');
  warnings.length = 0;
});
afterEach(() => removeTempDir(dir));

test('what was saved is there in the next run, for its owner alone, with nothing beside it', async () => {
  const path = join(dir, 'a', 'b', 'numbers.json');
  expect(await file(path).load()).toBeNull();
  await file(path).save([1, 2]);
  expect(await file(path).load()).toEqual([1, 2]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(dir, 'a', 'b'))).toEqual(['numbers.json']);
  expect(warnings).toEqual([]);
});

test('of many saves in a row the newest is on the disk, whoever waited', async () => {
  const path = join(dir, 'numbers.json');
  const kept = file(path);
  const first = kept.save([1]);
  for (let number = 2; number <= 50; number += 1) void kept.save([number]);
  await first;
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([50]);
  await kept.saved();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([50]);
});

test.each(['', '{', '["one"]'])('a damaged file (%j) costs a warning, not the start', async (text) => {
  const path = join(dir, 'numbers.json');
  writeFileSync(path, text);
  expect(await file(path).load()).toBeNull();
  expect(warnings).toHaveLength(1);
});

test('a disk that cannot be written costs one warning until it can be written again', async () => {
  const path = join(dir, 'numbers.json');
  const kept = file(path);
  mkdirSync(path);
  await kept.save([1]);
  await kept.save([2]);
  expect(warnings).toHaveLength(1);
  rmdirSync(path);
  await kept.save([3]);
  expect(await file(path).load()).toEqual([3]);
});

test('without a place nothing is kept, and nobody is warned', async () => {
  const kept = file(null);
  await kept.save([1]);
  expect(await kept.load()).toBeNull();
  expect(warnings).toEqual([]);
});
