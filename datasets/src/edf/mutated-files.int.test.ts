import { expect, test } from 'vitest';
import { readMutated } from './mutated-files.ts';

test('2,000 damaged files: each is read around or refused with a named error, quickly and in bounded memory', async () => {
  const before = process.memoryUsage.rss();
  const tally = await readMutated(3, 2_000);
  expect(tally.opened + tally.refused).toBe(2_000);
  // Both ways out are taken, and most damage is seen.
  expect(tally.opened).toBeGreaterThan(500);
  expect(tally.refused).toBeGreaterThan(100);
  expect(tally.withProblems).toBeGreaterThan(tally.opened / 3);
  expect(tally.slowestCpuMs).toBeLessThan(5_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
}, 120_000);
