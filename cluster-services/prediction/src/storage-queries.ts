import {
  type DetectionInfo,
  Detections,
  decodeMessage,
  type EegChunk,
  type RecordingInfo,
  Recordings,
  RecordingWithLedger,
  Unscored,
} from '@vitalwire/contract';
import type { RecalledBaselines } from '@vitalwire/detector';
import type { HttpClient } from '@vitalwire/runtime';
import { z } from 'zod';

export type WindowRange = { readonly fromWindow: number; readonly toWindow: number };
export type RecordedBaselines = RecalledBaselines & { readonly firstSample: number };

/** What catching up asks of storage. */
export interface StorageQueries {
  generation(signal: AbortSignal): Promise<string>;
  eegRecordings(cursor: string | null, signal: AbortSignal): Promise<Recordings>;
  recording(id: string, signal: AbortSignal): Promise<RecordingInfo>;
  unscored(
    id: string,
    model: string,
    shape: { windowSamples: number; hopSamples: number },
    signal: AbortSignal,
  ): Promise<Unscored['ranges']>;
  /** What the records of these windows, at most `limit` from the first on, say that their channels were compared with. */
  baselines(id: string, model: string, range: WindowRange, limit: number, signal: AbortSignal): Promise<RecordedBaselines[]>;
  /** Stored EEG chunks from seq `fromSeq` on, in order. */
  chunks(id: string, fromSeq: number, limit: number, signal: AbortSignal): Promise<EegChunk[]>;
}

const Generation = z.object({ generation: z.string() });
const RECORDINGS_PER_PAGE = 200;
const RANGES_PER_ANSWER = 100;

export function storageQueries(http: Pick<HttpClient, 'getJson' | 'getBytes'>): StorageQueries {
  const path = (id: string, rest = '') => `/v1/recordings/${encodeURIComponent(id)}${rest}`;
  return {
    generation: async (signal) => (await http.getJson('/v1/generation', Generation, { signal })).generation,
    eegRecordings: (cursor, signal) =>
      http.getJson('/v1/recordings', Recordings, { signal, query: { stream: 'eeg', limit: RECORDINGS_PER_PAGE, cursor } }),
    recording: (id, signal) => http.getJson(path(id), RecordingWithLedger, { signal }),
    unscored: async (id, model, { windowSamples, hopSamples }, signal) => {
      const query = { model, window: windowSamples, hop: hopSamples, limit: RANGES_PER_ANSWER };
      return (await http.getJson(path(id, '/unscored'), Unscored, { signal, query })).ranges;
    },
    baselines: async (id, model, range, limit, signal) => {
      const query = { model, ...range, limit };
      const { detections } = await http.getJson(path(id, '/detections'), Detections, { signal, query });
      return baselinesIn(detections);
    },
    chunks: async (id, fromSeq, limit, signal) => {
      const { bytes } = await http.getBytes(path(id, '/chunks'), { signal, query: { fromSeq, limit } });
      return splitMessages(bytes).flatMap((message) => {
        const decoded = decodeMessage(message);
        return decoded.ok && decoded.value.stream === 'eeg' ? [decoded.value] : [];
      });
    },
  };
}

/** What detections say that their channels were compared with. */
export function baselinesIn(detections: readonly DetectionInfo[]): RecordedBaselines[] {
  return detections.flatMap(({ window, firstSample, channelBaselines }) =>
    channelBaselines === undefined ? [] : [{ window, firstSample, levels: channelBaselines }],
  );
}

/** Takes apart `[u32 big-endian length][message]` repeated; a cut tail is left out. */
export function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 4 <= bytes.byteLength; ) {
    const end = at + 4 + view.getUint32(at);
    if (end > bytes.byteLength) break;
    messages.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return messages;
}
