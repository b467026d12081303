import {
  decodeSampleBlock,
  EegIntake,
  EventsIntake,
  HeartRateIntake,
  hashMontage,
  NumericIntake,
  type NumericReading,
  type NumericStream,
  noReadingReason,
  type ReplayMark,
  type SampleBlock,
  sampleBlockMediaType,
  sampleBlockOf,
} from '@vitalwire/contract';
import type { NoReading } from '@vitalwire/outbox';
import { ApiError } from '@vitalwire/runtime';
import type { z } from 'zod';
import { EegCutter, ReadingCutter } from '../cutter.ts';
import type { RecordingForm, StreamRequest } from '../stream-request.ts';

export type DeviceRequest = {
  readonly device: string;
  readonly request: StreamRequest;
  readonly rejected?: Readonly<Record<string, number>>; // readings that are none, by reason
};

export const heartRatePath = '/v1/heart-rate';
const heartRate: NumericStream = 'heart-rate';
const NEXT = 'correct the request; the README of the edge agent shows an example';
const MAX_PROBLEMS = 8;

/** What a device posts to /v1/eeg, in either form. Throws an ApiError that says what is wrong, where, and what to do. */
export function readEeg(body: unknown, contentType: string, chunkMs: number): DeviceRequest {
  const block = mediaType(contentType) === sampleBlockMediaType ? readBlock(body) : readJson(body);
  const { channels, rate, sampleBits, samplesPerChannel, samples, measuredAtUs } = block;
  if (channels.length === 0) throw invalid('channels: at least one is needed');
  const montageHash = hashMontage(channels);
  const form = { rate, channels, montageHash, replay: block.replay, source: block.source };
  return {
    device: block.device,
    request: {
      captureId: block.captureId,
      firstSample: block.firstSample,
      readings: { stream: 'eeg', channels: channels.length, rate, stretch: { measuredAtUs, samplesPerChannel, samples } },
      form: withKey(form, sampleBits),
      makeCutter: () => new EegCutter({ channels: channels.length, sampleBits, rate, montageHash }, chunkMs),
      end: block.end,
    },
  };
}

/** What a device posts to /v1/numeric/:stream. */
export function readNumeric(stream: NumericStream, body: unknown): DeviceRequest {
  return numericRequest(stream, check(NumericIntake, body, `/v1/numeric/${stream}`));
}

/** What a device posts to /v1/heart-rate, which has names of its own. */
export function readHeartRate(body: unknown): DeviceRequest {
  const { readings, ...rest } = check(HeartRateIntake, body, heartRatePath);
  const renamed = readings.map(({ atUs, bpm, minBpm, maxBpm }) => ({ atUs, value: bpm, least: minBpm, most: maxBpm }));
  return numericRequest(heartRate, { ...rest, readings: renamed });
}

function numericRequest(
  stream: NumericStream,
  { device, captureId, firstSample, kind, readings, replay, source, end }: NumericIntake,
): DeviceRequest {
  const rejected: Record<string, number> = {};
  for (const { value } of readings) {
    const reason = noReadingReason(stream, value);
    if (reason !== null) rejected[reason] = (rejected[reason] ?? 0) + 1;
  }
  return {
    device,
    rejected,
    request: {
      captureId,
      firstSample,
      readings: { stream, kind, readings: readings.map((one) => filled(stream, one)) },
      form: numericForm(kind, replay ?? null, source ?? ''),
      makeCutter: () => new ReadingCutter(),
      end: end ?? false,
    },
  };
}

/** What a device posts to /v1/events. */
export function readEvents(body: unknown): DeviceRequest {
  const { device, captureId, firstSample, events, replay, source, end } = check(EventsIntake, body, '/v1/events');
  return {
    device,
    request: {
      captureId,
      firstSample,
      readings: { stream: 'event', events: events.map((event) => ({ ...event, durationUs: event.durationUs ?? null })) },
      form: eventForm(replay ?? null, source ?? ''),
      makeCutter: () => new ReadingCutter(),
      end: end ?? false,
    },
  };
}

export function numericForm(kind: string, replay: ReplayMark | null, source: string): RecordingForm {
  return withKey({ ...noScale, replay, source }, kind);
}

export function eventForm(replay: ReplayMark | null, source: string): RecordingForm {
  return withKey({ ...noScale, replay, source }, '');
}

/** Checks a body; the error lists what is wrong at which place, and nothing of the readings themselves. */
export function check<Schema extends z.ZodType>(schema: Schema, body: unknown, path: string): z.output<Schema> {
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const issues = checked.error.issues.flatMap(likeliest);
  const problems = issues.slice(0, MAX_PROBLEMS).map(({ path: at, message }) => `${at.map(String).join('.') || 'body'}: ${message}`);
  const more = issues.length - problems.length;
  throw invalid(`POST ${path}: ${problems.join('; ')}${more > 0 ? `; and ${more} more` : ''}`);
}

/** Of the forms a body may have, the one it came closest to: the one whose first problem lies deepest. */
function likeliest(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const [closest] = issue.errors.toSorted((a, b) => (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0));
  return closest === undefined ? [issue] : closest.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

export function invalid(message: string, code = 'INVALID_REQUEST', status = 400): ApiError {
  return new ApiError(status, code, message, NEXT);
}

export function mediaType(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

const noScale = { rate: null, channels: [], montageHash: hashMontage([]) } as const;

function readBlock(body: unknown): SampleBlock {
  if (!(body instanceof Uint8Array)) throw invalid(`POST /v1/eeg: the body is no ${sampleBlockMediaType}`);
  const decoded = decodeSampleBlock(body);
  if (decoded.ok) return decoded.value;
  throw invalid(`POST /v1/eeg: the sample block is ${decoded.reason}${decoded.detail === undefined ? '' : ` (${decoded.detail})`}`);
}

function readJson(body: unknown): SampleBlock {
  const block = sampleBlockOf(check(EegIntake, body, '/v1/eeg'));
  if (block.ok) return block.value;
  throw invalid(`POST /v1/eeg: samples: ${block.detail ?? block.reason}`);
}

function withKey(form: Omit<RecordingForm, 'key'>, kind: string | number): RecordingForm {
  return { ...form, key: JSON.stringify([form.montageHash, form.rate, form.replay, form.source, kind]) };
}

function filled(stream: NumericStream, { atUs, value, least, most }: NumericIntake['readings'][number]): NumericReading | NoReading {
  if (value === null || noReadingReason(stream, value) !== null) return { atUs, value: null };
  const orNull = (one: number | null | undefined): number | null => (one == null || noReadingReason(stream, one) !== null ? null : one);
  return { atUs, value, least: orNull(least), most: orNull(most) };
}
