import { createLog } from '@vitalwire/runtime';
import { removeTempDir, tempDir, VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { LimitsKeeper } from './limits-keeper.ts';

test('whoever asks whose a device is gets an answer that was asked for after the question', async () => {
  const dataDir = tempDir();
  const clock = new VirtualClock();
  let owners: { device: string; gateway: string; fromUs: null; by: string; atUs: number }[] = [];
  let asked = 0;
  const http = {
    getJson: (path: string): Promise<never> => {
      if (path === '/v1/registry') asked += 1;
      const registry = { generation: '', patients: [], devices: [], assignments: [], owners };
      return Promise.resolve((path === '/v1/registry' ? registry : { limits: [] }) as never);
    },
  };
  const log = createLog({ name: 'test', level: 'silent' });
  const keeper = new LimitsKeeper({ http, dataDir, everyMs: 60_000, clock, log, onLimits: () => {}, onForeign: () => {} });
  await keeper.start();
  await clock.advance(100);
  owners = [{ device: 'eeg-1', gateway: 'gateway-1', fromUs: null, by: 'registry', atUs: 0 }]; // just after the last look
  const [one, other] = [keeper.lookNow(), keeper.lookNow()];
  await clock.advance(1_000);
  await Promise.all([one, other]);
  expect(keeper.owners.ownerOf('eeg-1')).toBe('gateway-1');
  expect(asked).toBe(2); // one more look for both
  await keeper.stop();
  removeTempDir(dataDir);
});
