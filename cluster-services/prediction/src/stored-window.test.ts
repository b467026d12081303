import type { EegChunk, RecordingInfo } from '@vitalwire/contract';
import { loadStreamDetector, type RecalledBaselines, type StreamDetector, type WindowScore } from '@vitalwire/detector';
import { testPatient } from '@vitalwire/testkit';
import { defaultChunkSamples, gatewayId, montage, rate, startUs, type Take, take } from '@vitalwire/testkit/prediction-world';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RecordedBaselines, WindowRange } from './storage-queries.ts';
import { readStoredWindow } from './stored-window.ts';

const signal = new AbortController().signal;
const patient = await testPatient(4);
const first = take(patient, 420);
const samples = 420 * defaultChunkSamples;
const second = take(patient, 60, { after: { one: first, samples } });
const apart = take(patient, 60, { after: { one: second, samples: samples + 61 * defaultChunkSamples } });
const takes = new Map([first, second, apart].map((one) => [one.recordingId, one]));

let detector: StreamDetector;
beforeAll(async () => {
  detector = await loadStreamDetector({ backend: 'wasm' });
});
afterAll(() => detector.dispose());

const storage = {
  recording: async (id: string) => infoOf(taken(id)),
  chunks: async (id: string, fromSeq: number, limit: number): Promise<EegChunk[]> => taken(id).chunks.slice(fromSeq, fromSeq + limit),
  baselines: async (id: string, _: string, { fromWindow, toWindow }: WindowRange, limit: number) =>
    (recorded.get(id) ?? []).filter(({ window }) => window >= fromWindow && window <= toWindow).slice(0, limit),
};

/** What was recorded as the takes came in. */
const recorded = new Map<string, RecordedBaselines[]>();

const score = async (id: string, window: number) => {
  const prepared = await readStoredWindow(storage, detector, infoOf(taken(id)), window, signal);
  return prepared === null ? null : detector.score([prepared])[0];
};

const recordedOf = (scores: readonly WindowScore[]): RecordedBaselines[] =>
  scores.map(({ window, firstSample, channelBaselines }) => ({ window, firstSample, levels: channelBaselines }));
const scoresOf = (taken: ReturnType<typeof whole>, recalled: readonly RecalledBaselines[] = []) =>
  detector.score(detector.openStream(rate, montage, recalled).push(taken));

test.each([0, 5, 190])('window %i read back alone has the score it has among all', async (window) => {
  const all = scoresOf(whole(0, samples));
  recorded.set(first.recordingId, recordedOf(all).slice(0, window + 1));
  expect(await score(first.recordingId, window)).toEqual(all[window]);
});

test('a window is judged against what its record says, or the records before it, however far back they are', async () => {
  recorded.set(first.recordingId, [{ window: 3, firstSample: 3 * 174, levels: [2500] }]);
  expect((await score(first.recordingId, 3))?.channelBaselines).toEqual([2500]);
  expect((await score(first.recordingId, 9))?.baseline).toBe('own');
  const settled = (await score(first.recordingId, 190))?.channelBaselines[0] ?? 0;
  expect(Math.abs(settled - 2500)).toBeLessThan(190 * 2.4);
});

test('a window that looks back into the predecessor goes on from the records of that', async () => {
  const earlier = recordedOf(scoresOf(whole(0, samples)));
  recorded.set(first.recordingId, earlier);
  const last = earlier.at(-1)?.levels[0] ?? null;
  expect(last).not.toBeNull();
  const score2 = await score(second.recordingId, 2);
  expect(score2?.baseline).toBe('own');
  expect(Math.abs((score2?.channelBaselines[0] ?? 0) - (last ?? 0))).toBeLessThan(20);
  const apart0 = await score(apart.recordingId, 0);
  expect(apart0?.verdict).toBe('calibrating'); // a chunk between them is missing
});

test('a recording whose predecessor ended a moment ago, with the same montage, keeps its baseline although samples are missing between', async () => {
  recorded.set(second.recordingId, [{ window: 20, firstSample: 20 * 174, levels: [2600] }]);
  expect((await score(apart.recordingId, 2))?.channelBaselines).toEqual([2600]);
});

test('a window that is not wholly stored is none', async () => {
  expect(await score(first.recordingId, 100_000)).toBe(null);
});

function taken(id: string): Take {
  const found = takes.get(id);
  if (found === undefined) throw new Error(`no recording ${id}`);
  return found;
}

function whole(from: number, count: number) {
  const block = patient.samplesAt(from, count);
  return { firstSample: 0, samplesPerChannel: count, samples: block };
}

function infoOf({ recordingId, device, start, chunks }: Take): RecordingInfo {
  if (start.stream !== 'recording' || start.kind !== 'start') throw new Error('a take has a start');
  const { channels, predecessor, captureId, captureFirstSample, montageHash } = start;
  const counts = { storedChunks: chunks.length, firstSeq: 0, maxSeq: chunks.length - 1, lastSeq: null };
  return {
    recordingId,
    device,
    gateway: gatewayId,
    patient: null,
    stream: 'eeg',
    rate,
    channels: [...channels],
    startedAtUs: startUs,
    endedAtUs: null,
    open: true,
    replay: null,
    source: null,
    predecessor,
    captureId,
    captureFirstSample,
    montageHash,
    ...counts,
  };
}
