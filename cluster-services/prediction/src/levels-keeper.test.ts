import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EegChunk, newRecordingId } from '@vitalwire/contract';
import { removeTempDir, tempDir, until, VirtualClock } from '@vitalwire/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { KnownLevels } from './known-levels.ts';
import { LevelsKeeper } from './levels-keeper.ts';
import type { TimedWindow } from './recording-windows.ts';

const recordingId = newRecordingId('gw', 1_795_000_000_000, new Uint8Array(6));
const chunk = { recordingId, montageHash: 'm', rate: { num: 256, den: 1 }, measuredAtUs: 5 } as EegChunk;
const window = { baseline: 'own', channelBaselines: [41, null], measuredAtUs: 4 } as unknown as TimedWindow;

function keeperIn(dataDir: string, modelHash = 'model-1') {
  const levels = new KnownLevels();
  const clock = new VirtualClock();
  const warnings: unknown[] = [];
  const log = { warn: (...said: unknown[]) => void warnings.push(said) };
  return { levels, clock, warnings, keeper: new LevelsKeeper({ levels, modelHash, dataDir, clock, log }) };
}

function ownDir(): string {
  const dataDir = tempDir('vw-levels-');
  onTestFinished(() => removeTempDir(dataDir));
  return dataDir;
}

test('what a device was compared with is known again after a kill, and by which recording a restarted agent went on', async () => {
  const dataDir = ownDir();
  const killed = keeperIn(dataDir);
  await killed.keeper.start();
  killed.levels.scored('eeg-1', chunk, [window]);
  await killed.clock.advance(2_000);
  const again = keeperIn(dataDir);
  await until(async () => {
    await again.keeper.start();
    return again.levels.before('eeg-1', chunk).length > 0;
  });
  expect(again.levels.before('eeg-1', chunk)[0]?.levels).toEqual([41, null]);
  expect(again.levels.before('eeg-2', chunk)).toEqual([]);
  const next = newRecordingId('gw', 1_795_000_009_000, new Uint8Array(6));
  again.levels.announced({ subject: next, predecessor: recordingId } as Parameters<KnownLevels['announced']>[0]);
  await again.keeper.stop();
  const third = keeperIn(dataDir);
  await third.keeper.start();
  expect(third.levels.before('eeg-1', { ...chunk, recordingId: next })).toHaveLength(1);
});

test("another model's levels are no levels, and a damaged file is none and costs a warning", async () => {
  const dataDir = ownDir();
  const first = keeperIn(dataDir);
  await first.keeper.start();
  first.levels.scored('eeg-1', chunk, [window]);
  await first.keeper.stop();
  const other = keeperIn(dataDir, 'model-2');
  await other.keeper.start();
  expect(other.levels.before('eeg-1', chunk)).toEqual([]);
  other.levels.scored('eeg-1', chunk, [window]);
  await other.keeper.stop();
  const back = keeperIn(dataDir);
  await back.keeper.start();
  expect(back.levels.before('eeg-1', chunk)).toEqual([]);
  expect(back.warnings).toEqual([]);
  writeFileSync(join(dataDir, 'levels.json'), '{"modelHash":"model-1","devices":[["eeg-1",{}]],"predecessors":[]}');
  const damaged = keeperIn(dataDir);
  await damaged.keeper.start();
  expect(damaged.levels.before('eeg-1', chunk)).toEqual([]);
  expect(damaged.warnings).toHaveLength(1);
});
