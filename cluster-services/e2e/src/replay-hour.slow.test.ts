import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';
import { replayAtFullSpeed } from './full-speed.ts';

const LEAST_TIMES = 200;
const MOST_MB = 200;

test('an hour of 23 channels goes through the stack at full speed, at 200 times life at least, bit for bit, in little memory', async (context) => {
  // Types are stripped from the source while it is loaded, which takes memory that a person's replay does not.
  execFileSync(process.execPath, [fileURLToPath(new URL('../../../cli/bin/build.js', import.meta.url))], { stdio: 'pipe' });
  const bed = await Bed.start();
  const seen = await replayAtFullSpeed(bed, 3_600, { isBuilt: true });
  void context.annotate(JSON.stringify(seen), 'notice');
  expect(seen.verified).toMatchObject({ lost: 0, duplicated: 0, different: 0, ledgerMissing: 0 });
  expect(seen.verified.samplesStored).toBeGreaterThanOrEqual(3_600 * 256);
  expect(seen.peakMb).toBeLessThanOrEqual(MOST_MB);
  expect(seen.times).toBeGreaterThanOrEqual(LEAST_TIMES);
}, 900_000);
