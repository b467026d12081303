import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { OwnersKeeper } from './owners-keeper.ts';

const log = { warn: () => {}, debug: () => {} };

test('whose a device is comes from the registry, and from the disk while storage is down', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'vw-owners-'));
  const clock = new VirtualClock();
  try {
    const answer = {
      revision: 1,
      patients: [],
      devices: [{ id: 'eeg-1', kind: 'eeg' as const, label: 'a name', gateway: 'gateway-1' }],
      assignments: [],
      owners: [{ device: 'eeg-1', gateway: 'gateway-1', fromUs: null, by: 'registry', atUs: 0 }],
    };
    const up = new OwnersKeeper({ http: { getJson: async (_path, schema) => schema.parse(answer) }, dataDir, clock, log });
    await up.start();
    await until(() => up.owners.ownerOf('eeg-1') === 'gateway-1');
    await up.stop();
    const down = new OwnersKeeper({ http: { getJson: () => Promise.reject(new Error('down')) }, dataDir, clock, log });
    await down.start();
    expect(down.owners.isOf('eeg-1', 'gateway-2')).toBe(false);
    await down.stop();
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
