import type { EegChunk, RecordingInfo } from '@vitalwire/contract';
import { assembleBonnPatients, samplesAt } from '@vitalwire/datasets';
import { loadStreamDetector, type StreamDetector } from '@vitalwire/detector';
import { defaultChunkSamples, gatewayId, montage, rate, startUs, type Take, take } from '@vitalwire/testkit/prediction-world';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readStoredWindow } from './stored-window.ts';

const signal = new AbortController().signal;
const [patient] = assembleBonnPatients({ patients: 1, seed: 4 });
if (patient === undefined) throw new Error('one patient was asked for');
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
};

const score = async (id: string, window: number) => {
  const prepared = await readStoredWindow(storage, detector, infoOf(taken(id)), window, signal);
  return prepared === null ? null : detector.score([prepared])[0];
};

test.each([0, 5, 190])('window %i read back alone has the score it has among all', async (window) => {
  const all = detector.openStream(rate, montage).push(whole(0, samples));
  expect(await score(first.recordingId, window)).toEqual(detector.score(all)[window]);
});

test('a window that looks back into the predecessor has the score it got as it was received', async () => {
  const stream = detector.openStream(rate, montage);
  const all = [...stream.push({ ...whole(0, samples), firstSample: -samples }), ...stream.push(whole(samples, 60 * defaultChunkSamples))];
  const expected = detector.score(all).find(({ window }) => window === 2);
  expect(expected?.baseline).toBe('own');
  expect(await score(second.recordingId, 2)).toEqual(expected);
  expect((await score(apart.recordingId, 0))?.verdict).toBe('calibrating'); // a chunk between them is missing
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
  const block = Int16Array.from(samplesAt(patient as NonNullable<typeof patient>, from, count));
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
