import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRecordings, recordings } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { originals, readMutated } from './mutated-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'vitalwire-originals-'));
beforeAll(() => makeRecordings(folder));
afterAll(() => rmSync(folder, { recursive: true }));

const made = originals.made.map((name) => join(folder, name));
const collection = recordings('edf');
const found = originals.found.map((name) => collection.file(name));

test('10,000 damaged files: no crash, no hang, bounded memory', async () => {
  const before = process.memoryUsage.rss();
  const tally = await readMutated([...made, ...(collection.here ? found : [])], 20_261_128, 10_000);
  expect(tally.opened + tally.refused).toBe(10_000);
  expect(tally.slowestCpuMs).toBeLessThan(5_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
});
