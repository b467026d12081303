import { bytesToUuid, type LatestOfDevice, type Stream } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { detectionInfo } from './detections.ts';
import { readLastMessage, type StoredMessage } from './recordings.ts';

const CANDIDATES = 4; // recordings of a stream that are looked at: a device may have two open at once after an outage

/** A device, and the gateway it belongs to; null: nobody knows yet. */
export type OwnedDevice = { readonly device: string; readonly gateway: string | null };

/** The latest stored values of a device, by the device's clock; what another gateway sent as this device is none of it. */
export async function latestOf(db: Kysely<ReadingsTables>, owned: OwnedDevice, patient: string | null): Promise<LatestOfDevice> {
  const [heartRate, detection, eeg] = await Promise.all([
    latestMessage(db, owned, 'heart-rate'),
    latestMessage(db, owned, 'detection'),
    latestMessage(db, owned, 'eeg'),
  ]);
  return { device: owned.device, patient, heartRate: heartRateOf(heartRate), detection: detectionOf(detection), eeg: eegOf(eeg) };
}

/** Every device of which anything is stored. */
export async function storedDevices(db: Kysely<ReadingsTables>, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('stream_index')
    .select('device')
    .distinct()
    .where('stream', 'in', ['eeg', 'heart-rate', 'event', 'quality'])
    .orderBy('device')
    .limit(limit)
    .execute();
  return rows.map(({ device }) => device);
}

async function latestMessage(db: Kysely<ReadingsTables>, { device, gateway }: OwnedDevice, stream: Stream): Promise<StoredMessage | null> {
  let query = db.selectFrom('stream_index').select('recording_id').where('device', '=', device).where('stream', '=', stream);
  if (gateway !== null) query = query.where('gateway', '=', gateway);
  const streams = await query.orderBy('first_measured_at_us', 'desc').limit(CANDIDATES).execute();
  let latest: StoredMessage | null = null;
  for (const { recording_id } of streams) {
    const last = await readLastMessage(db, bytesToUuid(recording_id));
    if (last !== null && (latest === null || last.message.measuredAtUs > latest.message.measuredAtUs)) latest = last;
  }
  return latest;
}

function heartRateOf(stored: StoredMessage | null): LatestOfDevice['heartRate'] {
  if (stored === null || stored.message.stream !== 'heart-rate') return null;
  const { kind, readings } = stored.message;
  const newest = readings.reduce<(typeof readings)[number] | null>(
    (best, one) => (best === null || one.atUs >= best.atUs ? one : best),
    null,
  );
  return newest === null ? null : { bpm: newest.bpm, kind, measuredAtUs: newest.atUs, committedAtUs: stored.committedAtUs };
}

function detectionOf(stored: StoredMessage | null): LatestOfDevice['detection'] {
  if (stored === null || stored.message.stream !== 'detection') return null;
  return { ...detectionInfo(stored.message, stored.committedAtUs), recordingId: stored.message.subject };
}

function eegOf(stored: StoredMessage | null): LatestOfDevice['eeg'] {
  if (stored === null || stored.message.stream !== 'eeg') return null;
  const { recordingId, measuredAtUs, samplesPerChannel, rate } = stored.message;
  const lastSampleUs = measuredAtUs + Math.round(((samplesPerChannel - 1) * 1e6 * rate.den) / rate.num);
  return { recordingId, measuredAtUs: lastSampleUs, committedAtUs: stored.committedAtUs };
}
