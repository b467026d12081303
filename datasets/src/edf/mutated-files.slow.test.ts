import { expect, test } from 'vitest';
import { readMutated } from './mutated-files.ts';

test('10,000 damaged files: no crash, no hang, bounded memory', async () => {
  const before = process.memoryUsage.rss();
  const tally = await readMutated(20_261_128, 10_000);
  expect(tally.opened + tally.refused).toBe(10_000);
  expect(tally.slowestCpuMs).toBeLessThan(5_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
});
