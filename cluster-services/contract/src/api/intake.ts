import { z } from 'zod';
import { type Decoded, refused } from '../decoded.ts';
import { limits } from '../limits.ts';
import { numericKinds } from '../numerics.ts';
import type { SampleBlock } from '../sample-block.ts';
import { ChannelScaleFields, Count, Id, Micros, RateFields, ReplayFields, Uuid, wireText } from './fields.ts';

// What devices post to the edge agent. A request names its capture and the index of its first reading there, never a seq:
// a repeat after a lost answer is recognised by these two and stored once.

const capture = {
  device: Id,
  captureId: wireText(limits.maxCaptureIdBytes).min(1),
  firstSample: Count,
  replay: ReplayFields.optional(),
  source: wireText(limits.maxReasonBytes).optional(),
  end: z.boolean().optional(), // the capture ends with this request
} as const;

/** POST /v1/eeg as JSON; `samples[channel][index]` are the device's integers. The same in CBOR is a sample block. */
export const EegIntake = z.strictObject({
  ...capture,
  measuredAtUs: Micros,
  rate: RateFields,
  channels: z.array(ChannelScaleFields).min(1).max(limits.maxChannels),
  samples: z.array(z.array(z.number())).max(limits.maxChannels), // integers within their range: checked while they are packed
  sampleBits: z.union([z.literal(16), z.literal(24)]).default(16),
});
export type EegIntake = z.infer<typeof EegIntake>;

/**
 * POST /v1/numeric/:stream, values in the unit of the vital. What is plausible is a question for screens, not for the store; what is no
 * reading at all (null, a device's code for "no value", outside the vital's bounds) is refused one by one, and keeps its place in the count.
 */
export const NumericIntake = z.strictObject({
  ...capture,
  kind: z.enum(numericKinds),
  readings: z
    .array(z.strictObject({ atUs: Micros, value: z.number().nullable(), least: z.number().nullish(), most: z.number().nullish() }))
    .max(10_000),
});
export type NumericIntake = z.infer<typeof NumericIntake>;

const Bpm = z.number();
/** POST /v1/heart-rate: the same for the heart rate, under the names it had before other vitals were taken. */
export const HeartRateIntake = z.strictObject({
  ...capture,
  kind: z.enum(numericKinds),
  readings: z.array(z.strictObject({ atUs: Micros, bpm: Bpm.nullable(), minBpm: Bpm.nullish(), maxBpm: Bpm.nullish() })).max(10_000),
});
export type HeartRateIntake = z.infer<typeof HeartRateIntake>;

/** POST /v1/events */
export const EventsIntake = z.strictObject({
  ...capture,
  events: z
    .array(
      z.strictObject({
        atUs: Micros,
        durationUs: Count.nullish(),
        type: wireText(limits.maxNameBytes).min(1),
        text: wireText(limits.maxTextBytes).default(''),
        source: wireText(limits.maxNameBytes).default(''),
      }),
    )
    .max(10_000),
});
export type EventsIntake = z.infer<typeof EventsIntake>;

const PhoneMetric = z.looseObject({ name: z.string().max(200), units: z.string().max(64).nullish(), data: z.array(z.unknown()).nullish() });
const PhoneMetrics = z.array(PhoneMetric).max(1_000);
const PhoneData = z.looseObject({ metrics: PhoneMetrics.nullish() });
const BarePhoneData = z.looseObject({ metrics: PhoneMetrics });
/**
 * POST /v1/intake/health-auto-export: what the phone app sends, as /openapi.json describes it. It is not ours to be strict about: the
 * intake reads it piece by piece and checks every point by itself.
 */
export const HealthAutoExport = z.union([z.looseObject({ data: PhoneData }), BarePhoneData.transform((data) => ({ data }))]);
export type HealthAutoExport = z.infer<typeof HealthAutoExport>;

/** 200 or 201 of every intake, sent only after the outbox's commit. */
export const IntakeAnswer = z.object({
  accepted: Count, // readings (samples per channel) that are new
  repeated: Count, // readings of this request that were there before
  rejected: z.partialRecord(z.string(), Count).optional(), // readings that are none, by reason; they count among those accepted or repeated
  nextSample: Count, // the index that the capture's next request begins with
  recordings: z.array(z.object({ recordingId: Uuid, firstSeq: Count, lastSeq: z.int().min(-1) })),
});
export type IntakeAnswer = z.infer<typeof IntakeAnswer>;

/** 200 of the phone export: what was taken, and of the rest how much of it and why not. */
export const PhoneExportAnswer = IntakeAnswer.extend({
  rejected: z.partialRecord(z.string(), Count), // points by reason
  ignored: z.array(z.object({ name: z.string(), reason: z.string(), points: Count })), // metrics and lists that are not taken, by name
  ignoredMetrics: Count,
  ignoredPoints: Count,
  trimmed: Count, // points kept without a minimum or maximum that is no reading
  notes: z.array(z.string()),
});
export type PhoneExportAnswer = z.infer<typeof PhoneExportAnswer>;

/** GET /v1/status of the edge agent. */
export const AgentStatus = z.looseObject({
  gateway: Id,
  session: Uuid,
  online: z.boolean(),
  version: z.string(),
  depthChunks: Count,
  depthBytes: Count,
  oldestAgeMs: z.number().nullable(),
  lastPubackUs: Micros.nullable(),
  chunksPerSecondIn: z.number(),
  chunksPerSecondOut: z.number(),
  secondsUntilFull: z.number().nullable(),
  certificateDaysLeft: z.number().nullable(),
  problem: z.string().nullish(), // what a person must do something about, in one sentence
  problems: z.array(z.string()).optional(), // all of them, the worst first
  clock: z.object({ offsetUs: z.number(), uncertaintyUs: z.number(), source: z.string() }),
  measuredAtUs: Micros,
});
export type AgentStatus = z.infer<typeof AgentStatus>;

/** The JSON form of an EEG request as the same value that a CBOR sample block gives, its samples packed and checked. */
export function sampleBlockOf(body: EegIntake): Decoded<SampleBlock> {
  const { samples: rows, channels, sampleBits } = body;
  if (rows.length !== channels.length) return refused('bad-field', `${channels.length} channels, but samples for ${rows.length}`);
  const perChannel = rows[0]?.length ?? 0;
  const samples = sampleBits === 16 ? new Int16Array(channels.length * perChannel) : new Int32Array(channels.length * perChannel);
  const limit = sampleBits === 16 ? 0x8000 : 0x800000;
  let at = 0;
  for (const [channel, row] of rows.entries()) {
    if (row.length !== perChannel) return refused('bad-field', `channel ${channel} has ${row.length} samples, channel 0 has ${perChannel}`);
    for (const value of row) {
      if (!Number.isInteger(value) || value < -limit || value >= limit)
        return refused('out-of-range', `channel ${channel}: ${value} is no ${sampleBits}-bit integer`);
      samples[at++] = value;
    }
  }
  const { device, captureId, firstSample, measuredAtUs, rate, replay, source, end } = body;
  const value = { device, captureId, firstSample, measuredAtUs, rate, channels, sampleBits, samplesPerChannel: perChannel, samples };
  return { ok: true, value: { ...value, replay: replay ?? null, source: source ?? '', end: end ?? false } };
}
