import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from '@vitalwire/contract';
import { createLog, systemClock } from '@vitalwire/runtime';
import { removeTempDir, TestPki, tempDir, until } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openChunkStore } from '../commit/index.ts';
import { eegRow, startRow, testRecordingId } from '../commit/test-rows.ts';
import { startService } from './test-service.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await TestPki.create();
});
afterAll(() => pki.remove());

test('a damaged page that no query reads is found at the start, and told by the probe and with the registry', async () => {
  const dir = tempDir('vw-damage-');
  try {
    const first = await startService(pki, `sqlite:${dir}`);
    const store = openChunkStore({ database: `sqlite:${dir}`, clock: systemClock, log: createLog({ name: 'test', level: 'silent' }) });
    const recordingId = testRecordingId(systemClock.nowUs());
    const rows = Array.from({ length: 400 }, (_, seq) => eegRow({ recordingId, seq, device: 'eeg-1' }));
    await store.commit([startRow({ recordingId, device: 'eeg-1' }), ...rows], 10_000);
    await store.close();
    expect((await first.client.getJson('/v1/registry', Registry)).problems).toBeUndefined();
    await first.client.close();
    await first.service.stop();

    damage(join(dir, 'readings.sqlite'));
    const { service, client, probeUrl } = await startService(pki, `sqlite:${dir}`);
    try {
      const problems = await until(async () => (await client.getJson('/v1/registry', Registry)).problems, {
        timeoutMs: 15_000,
        everyMs: 100,
      });
      expect(problems).toEqual([{ about: 'readings', text: expect.stringMatching(/readings\.sqlite.* is damaged .*restore a backup/) }]);
      const ready = await (await fetch(`${probeUrl}/readyz`)).json();
      expect(ready).toMatchObject({ status: 'degraded', checks: { readings: { degraded: true, detail: problems?.[0]?.text } } });
    } finally {
      await client.close();
      await service.stop();
    }
  } finally {
    removeTempDir(dir);
  }
});

/** Overwrites the last quarter of the file: pages of readings, none of the schema. */
function damage(file: string): void {
  const { size } = statSync(file);
  const handle = openSync(file, 'r+');
  const from = Math.floor((size * 3) / 4);
  writeSync(handle, Buffer.alloc(size - from, 0x5a), 0, size - from, from);
  closeSync(handle);
}
