import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { AlarmEngine } from '@vitalwire/vitals';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Detector, DeviceWatch } from './device-watch.ts';
import { BaselineFile, type KeptBaselines } from './kept-baselines.ts';
import type { WatchedStart } from './protocol.ts';

const minute = 60_000_000;
const start: WatchedStart = {
  subject: 'r1',
  device: 'eeg-1',
  of: 'eeg',
  rate: { num: 128, den: 1 },
  channels: [],
  montageHash: '00112233aabbccdd',
  predecessor: null,
  captureId: 'capture-1',
  captureFirstSample: 0,
  replay: null,
};

/** A detector that finds a window in whatever is pushed, and remembers with what its streams were opened. */
function fakeDetector() {
  const opened: unknown[] = [];
  const found = { window: 0, firstSample: 0, samples: 512, complete: true, probability: 0.01, verdict: 'quiet', reason: null };
  const score = { ...found, channel: 0, baseline: 'own', channelProbabilities: [0.01], channelReasons: [null], channelBaselines: [2600] };
  const detector = {
    modelHash: 'm',
    modelVersion: '1',
    openStream: (_: unknown, __: unknown, recalled: unknown) => {
      opened.push(recalled);
      return { shape: { windowSamples: 512, hopSamples: 128 }, push: () => [{}] };
    },
    score: (windows: readonly unknown[]) => windows.map(() => score),
  } as unknown as Detector;
  return { detector, opened };
}
const engine = () => new AlarmEngine({ sender: 'gateway-1' });
const eeg = {
  kind: 'eeg',
  recordingId: 'r1',
  firstSample: 0,
  samplesPerChannel: 1,
  samples: Int16Array.of(1),
  measuredAtUs: minute,
} as const;
const judged = (first: WatchedStart = start) => {
  const watch = new DeviceWatch(fakeDetector().detector, engine());
  watch.take([{ kind: 'start', start: first }, eeg], minute);
  return watch.baselines();
};
const recalledBy = (kept: readonly KeptBaselines[], next: Partial<WatchedStart>, nowUs: number) => {
  const { detector, opened } = fakeDetector();
  new DeviceWatch(detector, engine(), kept).take([{ kind: 'start', start: { ...start, subject: 'r2', ...next } }], nowUs);
  return opened[0];
};

test('what was usual before the agent started again is what the next recording is compared with', () => {
  expect(recalledBy(judged(), {}, 5 * minute)).toEqual([{ window: Number.MIN_SAFE_INTEGER, levels: [2600] }]);
  expect(recalledBy(judged(), { captureId: 'capture-2' }, 5 * minute)).toHaveLength(1); // the device started again too
});

test('after a long pause, with another montage or rate, or in another take of a replay nothing is recalled', () => {
  expect(recalledBy(judged(), {}, 12 * minute)).toEqual([]);
  expect(recalledBy(judged(), { montageHash: 'ff112233aabbccdd' }, 2 * minute)).toEqual([]);
  expect(recalledBy(judged(), { rate: { num: 256, den: 1 } }, 2 * minute)).toEqual([]);
  const replay = { speed: 1, source: 'a' };
  expect(recalledBy(judged({ ...start, replay }), { replay, captureId: 'capture-2' }, 2 * minute)).toEqual([]);
  expect(recalledBy(judged({ ...start, replay }), {}, 2 * minute)).toEqual([]);
  expect(recalledBy(judged({ ...start, replay }), { replay }, 2 * minute)).toHaveLength(1);
});

test('a run in which a device is not heard keeps what was kept of it only while it is watched', () => {
  const watch = new DeviceWatch(fakeDetector().detector, engine(), judged());
  watch.take([{ kind: 'start', start: { ...start, subject: 'r2' } }], 2 * minute);
  expect(watch.baselines()).toEqual(judged());
});

let dir = '';
beforeEach(() => {
  dir = tempDir();
});
afterEach(() => removeTempDir(dir));

test('the file gives back what was written, nothing at a first start, and says once what is wrong with it', async () => {
  const told: string[] = [];
  const log = { warn: (...line: unknown[]) => void told.push(String(line.at(-1))) };
  const path = join(dir, 'watch-baselines.json');
  const file = new BaselineFile(path, log);
  expect(await file.load()).toEqual([]);
  expect(told).toEqual([]);
  await file.write(judged());
  expect(await new BaselineFile(path, log).load()).toEqual(judged());
  expect(readFileSync(path, 'utf8')).not.toContain('undefined');
  writeFileSync(path, '{ damaged');
  expect(await new BaselineFile(path, log).load()).toEqual([]);
  expect(told).toEqual([expect.stringContaining('cannot be read')]);
  const nowhere = new BaselineFile(join(dir, 'none', 'file.json'), log);
  await nowhere.write(judged());
  await nowhere.write(judged());
  expect(told).toHaveLength(2);
});
