import { renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@vitalwire/testkit';
import Sqlite from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { Bed } from './bed.ts';

const SEED = 20261124;
/** Replayed before and after the backup is made: what the backup lacks is the second part. */
const PART_MS = 8_000;

describe('a database restored from an older backup ends with nothing missing', () => {
  test('the readings alone: noticed at the next start, and the gateway sends again what it holds', { timeout: 180_000 }, async () => {
    const bed = await Bed.start();
    const before = await replayAcrossBackup(bed, ['readings']);
    await bed.stop();
    expect(chunksInBackup(bed)).toBeLessThan(before.chunks);
    putBack(bed, ['readings']);
    await bed.start();
    await untilAsMuchAsBefore(bed, before);
    expect((await bed.client.generation()).generation).not.toBe(before.generation);
    await bed.expectNothingMissing();
  });

  test('readings and registry together: said by `vitalwire restored`, while devices go on sending', { timeout: 180_000 }, async () => {
    const bed = await Bed.start();
    const before = await replayAcrossBackup(bed, ['registry', 'readings']);
    await bed.stop();
    putBack(bed, ['registry', 'readings']);
    await bed.start();
    // Both are equally old, so nothing here can tell that there was ever more: somebody has to say it.
    const restored = await bed.client.stats();
    expect(restored.generation).toBe(before.generation);
    expect(restored.samples).toBeLessThan(before.samples);
    await bed.replayWhile(SEED + 1, async () => {
      expect((await bed.cli('restored')).code).toBe(0);
      await untilAsMuchAsBefore(bed, before);
    });
    expect((await bed.client.generation()).generation).not.toBe(before.generation);
    await bed.expectNothingMissing();
  });
});

type Name = 'readings' | 'registry';
type Before = { readonly generation: string; readonly samples: number; readonly chunks: number };

/** A replay in the middle of which a consistent backup is made; what was stored at its end. */
async function replayAcrossBackup(bed: Bed, names: readonly Name[]): Promise<Before> {
  await bed.replayWhile(SEED, async () => {
    await sleep(PART_MS);
    for (const name of names) backUp(bed, name);
    await sleep(PART_MS);
  });
  await bed.expectNothingMissing();
  return bed.client.stats();
}

function backUp(bed: Bed, name: Name): void {
  const database = new Sqlite(fileOf(bed, name), { timeout: 10_000 });
  database.prepare('VACUUM INTO ?').run(backupOf(bed, name));
  database.close();
}

function chunksInBackup(bed: Bed): number {
  const database = new Sqlite(backupOf(bed, 'readings'), { readonly: true });
  const count = database.prepare<[], number>('SELECT count(*) FROM chunk').pluck().get();
  database.close();
  return count ?? 0;
}

/** As an administrator does it: the service stands still, the old files go away, the backup takes their place. */
function putBack(bed: Bed, names: readonly Name[]): void {
  for (const name of names) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${fileOf(bed, name)}${suffix}`, { force: true });
    renameSync(backupOf(bed, name), fileOf(bed, name));
  }
}

async function untilAsMuchAsBefore(bed: Bed, before: Before): Promise<void> {
  await until(async () => (await bed.client.stats()).samples >= before.samples, {
    timeoutMs: 60_000,
    everyMs: 250,
    what: 'the gateway has sent again what it holds',
  });
}

function fileOf(bed: Bed, name: Name): string {
  return path.join(bed.dirs.root, `${name}.sqlite`);
}

function backupOf(bed: Bed, name: Name): string {
  return path.join(bed.dirs.root, `${name}.backup`);
}
