import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '@vitalwire/runtime';
import { removeTempDir, tempDir, VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { LocalWatch } from './local-watch.ts';

test('while its log cannot be read the watch says so, decides nothing and leaves the log alone; the agent starts all the same', async () => {
  const dir = tempDir('vw-watch-');
  const logPath = join(dir, 'alarm-log.jsonl');
  mkdirSync(logPath); // reading a directory fails for every user, as a sick disk does
  const clock = new VirtualClock();
  const watch = new LocalWatch({
    gateway: 'gateway-1',
    logPath,
    outbox: { append: async () => ({ recordings: [] }) },
    online: () => false,
    clock,
    clockState: () => ({ offsetUs: 0, uncertaintyUs: 0, source: 'none' }),
    log: createLog({ name: 'test', level: 'silent' }),
  });
  await watch.start(new AbortController().signal);
  await clock.advance(20_000);
  const { detector } = await watch.look();
  expect(detector).toMatchObject({ state: 'down', problem: expect.stringMatching(/cannot be read: .*alarm-log\.jsonl \(EISDIR\)/) });
  expect(statSync(logPath).isDirectory()).toBe(true);
  await expect(watch.acknowledge('0123456789abcdef', 'nurse-7')).rejects.toThrow(/cannot be read/);
  await watch.stop();
  removeTempDir(dir);
});
