import type { Client } from '@vitalwire/client';
import { type DetectionInfo, decodeMessage, type RecordingInfo, readingsOf } from '@vitalwire/contract';
import type { Manifest } from '../replay/manifest.ts';
import { type Coverage, coverageOf, type StoredRange } from './coverage.ts';
import type { Expectation, ReadingChunk } from './expectation.ts';

/** A stored reading that is not what was sent. */
export type Difference = {
  readonly recordingId: string;
  readonly seq: number;
  readonly position: number; // in the capture
  readonly found: string;
  readonly expected: string;
};

/** One capture of a replay beside what is stored of it. */
export type CaptureReport = {
  readonly device: string;
  readonly patient: string;
  readonly stream: Manifest['captures'][number]['stream'];
  readonly captureId: string;
  readonly answered: number;
  readonly coverage: Coverage;
  readonly recordings: readonly RecordingInfo[];
  readonly chunks: number;
  /** Samples per channel of every chunk, in the order read. */
  readonly chunkSamples: readonly number[];
  readonly differences: number;
  readonly firstDifferences: readonly Difference[];
};

const KEPT_DIFFERENCES = 10;

/** Reads every stored chunk of a capture, in whatever recordings it lies, and compares each reading with what was sent. */
export async function readStoredCapture(
  web: Client,
  capture: Manifest['captures'][number],
  expectation: Expectation,
  onlyRecording?: string,
): Promise<CaptureReport> {
  const recordings: RecordingInfo[] = [];
  const ranges: StoredRange[] = [];
  const chunkSamples: number[] = [];
  const different: Difference[] = [];
  let differences = 0;
  for await (const recording of web.eachRecording({ device: capture.device, stream: capture.stream })) {
    if (recording.captureId !== capture.captureId || (onlyRecording ?? recording.recordingId) !== recording.recordingId) continue;
    recordings.push(recording);
    for await (const bytes of web.eachChunk(recording.recordingId)) {
      const message = decodeMessage(bytes);
      if (!message.ok || message.value.stream !== capture.stream) {
        differences += 1;
        different.push({
          recordingId: recording.recordingId,
          seq: -1,
          position: -1,
          found: message.ok ? message.value.stream : message.reason,
          expected: capture.stream,
        });
        continue;
      }
      const chunk = message.value as ReadingChunk;
      const from = (recording.captureFirstSample ?? 0) + chunk.firstSample;
      const count = readingsOf(chunk);
      ranges.push({ from, to: from + count });
      chunkSamples.push(count);
      for (const found of expectation.compare(chunk, from)) {
        differences += 1;
        if (different.length < KEPT_DIFFERENCES) different.push({ recordingId: recording.recordingId, seq: chunk.seq, ...found });
      }
    }
  }
  return {
    device: capture.device,
    patient: capture.patient,
    stream: capture.stream,
    captureId: capture.captureId,
    answered: capture.answered,
    coverage: coverageOf(capture.answered, ranges),
    recordings,
    chunks: chunkSamples.length,
    chunkSamples,
    differences,
    firstDifferences: different.slice(0, KEPT_DIFFERENCES),
  };
}

/** Every detection of a recording, of one model or of all, page after page. */
export async function readDetections(web: Client, recordingId: string, query: { model?: string } = {}): Promise<DetectionInfo[]> {
  const found: DetectionInfo[] = [];
  for (let fromWindow = 0; ; ) {
    const { detections } = await web.detections(recordingId, { ...query, fromWindow });
    found.push(...detections);
    const last = detections.reduce((highest, one) => Math.max(highest, one.window), -1);
    if (last < fromWindow) return found;
    fromWindow = last + 1;
  }
}
