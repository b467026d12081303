import { bytesToUuid, type Detection, type DetectionInfo, derivedId, detectionKind } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { idBytes, readMessages } from './recordings.ts';

export type DetectionsWish = {
  readonly model?: string | undefined;
  readonly fromWindow: number;
  readonly toWindow?: number | undefined;
  readonly limit: number;
};

const MODELS_PER_RECORDING = 64;

/** The stored detections of a recording in the order of their windows, of one model or of all. */
export async function readDetections(db: Kysely<ReadingsTables>, recordingId: string, wish: DetectionsWish): Promise<DetectionInfo[]> {
  const ids = wish.model === undefined ? await detectionIds(db, recordingId) : [derivedId(recordingId, detectionKind(wish.model))];
  const range = { fromSeq: wish.fromWindow, limit: wish.limit, ...(wish.toWindow === undefined ? {} : { toSeq: wish.toWindow }) };
  const found: DetectionInfo[] = [];
  for (const id of ids) {
    for (const { message, committedAtUs } of await readMessages(db, id, range)) {
      if (message.stream === 'detection') found.push(detectionInfo(message, committedAtUs));
    }
  }
  return found.toSorted((a, b) => a.window - b.window).slice(0, wish.limit);
}

async function detectionIds(db: Kysely<ReadingsTables>, recordingId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('stream_index')
    .select('recording_id')
    .where('subject', '=', idBytes(recordingId))
    .where('stream', '=', 'detection')
    .limit(MODELS_PER_RECORDING)
    .execute();
  return rows.map(({ recording_id }) => bytesToUuid(recording_id));
}

export function detectionInfo(detection: Detection, committedAtUs: number): DetectionInfo {
  const { channel, modelHash, modelVersion, firstSample, samples, probability, verdict, reason, measuredAtUs } = detection;
  const { baseline, channelProbabilities, channelBaselines, everyS } = detection;
  return {
    window: detection.seq,
    channel,
    modelHash,
    modelVersion,
    firstSample,
    samples,
    probability,
    verdict,
    reason,
    baseline,
    channelProbabilities: [...channelProbabilities],
    ...(channelBaselines === undefined ? {} : { channelBaselines: [...channelBaselines] }),
    ...(everyS === undefined ? {} : { everyS }),
    measuredAtUs,
    committedAtUs,
  };
}
