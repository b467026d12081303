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

test('1,000 damaged copies of files we made: each is read around or refused with a named error, quickly and in bounded memory', async () => {
  const before = process.memoryUsage.rss();
  const tally = await readMutated(made, 3, 1_000);
  expect(tally.opened + tally.refused).toBe(1_000);
  // Both ways out are taken, and most damage is seen.
  expect(tally.opened).toBeGreaterThan(250);
  expect(tally.refused).toBeGreaterThan(50);
  expect(tally.withProblems).toBeGreaterThan(tally.opened / 3);
  expect(tally.slowestCpuMs).toBeLessThan(5_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
}, 120_000);

test.skipIf(!collection.here)(
  "2,000 damaged copies of other people's files: each is read around or refused with a named error, quickly and in bounded memory",
  async () => {
    const before = process.memoryUsage.rss();
    const tally = await readMutated(found, 3, 2_000);
    expect(tally.opened + tally.refused).toBe(2_000);
    // Both ways out are taken, and most damage is seen.
    expect(tally.opened).toBeGreaterThan(500);
    expect(tally.refused).toBeGreaterThan(100);
    expect(tally.withProblems).toBeGreaterThan(tally.opened / 3);
    expect(tally.slowestCpuMs).toBeLessThan(5_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
  },
  120_000,
);
