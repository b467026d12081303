import type { Client } from '@vitalwire/client';
import { type DetectionInfo, decodeMessage, type RecordingInfo, readingsOf } from '@vitalwire/contract';
import { type CaptureRecord, countOf } from '../replay/manifest.ts';
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
  readonly stream: CaptureRecord['stream'];
  readonly captureId: string;
  readonly answered: number;
  readonly coverage: Coverage;
  readonly recordings: readonly RecordingInfo[];
  readonly chunks: number;
  /** How many chunks have so many samples per channel. */
  readonly chunksBySamples: ReadonlyMap<number, number>;
  readonly unsent: number; // readings of the source before the last answered one that were never answered

  readonly differences: number;
  readonly firstDifferences: readonly Difference[];
};

const KEPT_DIFFERENCES = 10;

/** Reads every stored chunk of a capture, in whatever recordings it lies, and compares each reading with what was sent. */
export async function readStoredCapture(
  web: Client,
  capture: CaptureRecord,
  expectation: Expectation,
  { lateRanges = [], onlyRecording }: { readonly lateRanges?: readonly StoredRange[]; readonly onlyRecording?: string | undefined } = {},
): Promise<CaptureReport> {
  const recordings: RecordingInfo[] = [];
  const ranges: StoredRange[] = [];
  const chunksBySamples = new Map<number, number>();
  let chunks = 0;
  const different: Difference[] = [];
  let differences = 0;
  for await (const recording of web.eachRecording({ device: capture.device, stream: capture.stream })) {
    if (recording.captureId !== capture.captureId || (onlyRecording ?? recording.recordingId) !== recording.recordingId) continue;
    recordings.push(recording);
    const ofRecording = ranges.length; // two recordings with the same readings must stay two
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
      // The chunks of a recording come in order: kept as few ranges, however long it is.
      const last = ranges.at(-1);
      if (last !== undefined && last.to === from && ranges.length > ofRecording)
        ranges[ranges.length - 1] = { from: last.from, to: from + count };
      else ranges.push({ from, to: from + count });
      chunks += 1;
      chunksBySamples.set(count, (chunksBySamples.get(count) ?? 0) + 1);
      for (const found of await expectation.compare(chunk, from)) {
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
    answered: countOf(capture.answered),
    coverage: coverageOf(capture.answered, ranges),
    recordings,
    chunks,
    chunksBySamples,
    unsent: capture.late ? 0 : await expectation.unsent([...capture.answered, ...lateRanges]),
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
