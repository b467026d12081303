import { z } from 'zod';
import { limits } from '../limits.ts';
import { baselines, endReasons, gapReasons, verdicts } from '../messages.ts';
import { numericKinds, numericStreams } from '../numerics.ts';
import { dataStreams } from '../topics.ts';
import { ChannelAnswer, Count, Id, Micros, QueryInt, QueryMicros, queryLimit, StreamName, Uuid } from './fields.ts';

const RateAnswer = z.object({ num: z.number(), den: z.number() });
const ReplayAnswer = z.object({ speed: z.number(), source: z.string() });

/** Both ends belong to the range. */
export const Range = z.object({ from: Count, to: Count });
export type Range = z.infer<typeof Range>;

/** GET /v1/recordings */
export const RecordingsQuery = z.strictObject({
  device: Id.optional(),
  patient: Id.optional(),
  gateway: Id.optional(),
  stream: z.enum(dataStreams).optional(),
  fromUs: QueryMicros,
  toUs: QueryMicros,
  limit: queryLimit(limits.maxRowsPerQuery, 100),
  cursor: z.string().max(256).optional(),
});
export type RecordingsQuery = z.infer<typeof RecordingsQuery>;

/** What is known of a recording; fields of its start record are null (or empty) while only chunks have arrived. */
export const RecordingInfo = z.object({
  recordingId: Uuid,
  gateway: Id,
  device: Id,
  patient: Id.nullable(),
  stream: StreamName,
  rate: RateAnswer.nullable(),
  channels: z.array(ChannelAnswer),
  startedAtUs: Micros,
  endedAtUs: Micros.nullable(),
  open: z.boolean(), // no end record yet: never called complete
  lastSeq: z.int().min(-1).nullable(), // as the end record declares it
  storedChunks: Count,
  firstSeq: Count.nullable(),
  maxSeq: Count.nullable(),
  predecessor: Uuid.nullable(),
  captureId: z.string().nullable(),
  captureFirstSample: Count.nullable(),
  replay: ReplayAnswer.nullable(),
  source: z.string().nullable(),
  montageHash: z.string().nullable(),
});
export type RecordingInfo = z.infer<typeof RecordingInfo>;
export const Recordings = z.object({
  recordings: z.array(RecordingInfo),
  /** Asked for a patient: what this page left out of the patient's devices because nobody was registered as wearing them at that time. */
  outside: z.array(z.object({ device: Id, recordings: Count, fromUs: Micros, toUs: Micros })).optional(),
  next: z.string().nullable(),
});
export type Recordings = z.infer<typeof Recordings>;

/** GET /v1/recordings/:id/chunks → `messagesMediaType`: repeated u32 (big endian) length and message; header x-next-seq when more. */
export const ChunksQuery = z.strictObject({ fromSeq: QueryInt.min(0).default(0), limit: queryLimit(limits.maxChunksPerQuery, 100) });
export type ChunksQuery = z.infer<typeof ChunksQuery>;
export const messagesMediaType = 'application/vnd.vitalwire.messages';

/** GET /v1/recordings/:id/samples: the smallest and largest value per bucket of time, in physical units. */
export const SamplesQuery = z.strictObject({
  fromUs: QueryMicros,
  toUs: QueryMicros,
  points: queryLimit(limits.maxPointsPerQuery, 1_000),
});
export type SamplesQuery = z.infer<typeof SamplesQuery>;
const Series = z.array(z.array(z.number().nullable())); // per channel, per bucket; null = nothing stored there
export const SamplesAnswer = z.object({
  recordingId: Uuid,
  rate: RateAnswer.nullable(),
  channels: z.array(z.object({ label: z.string(), unit: z.string() })),
  fromUs: Micros, // where the first bucket begins, on the device's clock
  bucketUs: z.number().positive(),
  min: Series,
  max: Series,
});
export type SamplesAnswer = z.infer<typeof SamplesAnswer>;

/** GET /v1/recordings/:id/detections */
export const DetectionsQuery = z.strictObject({
  model: z.string().max(limits.maxNameBytes).optional(),
  fromWindow: QueryInt.min(0).default(0),
  toWindow: QueryInt.min(0).optional(),
  limit: queryLimit(limits.maxRowsPerQuery, limits.maxRowsPerQuery),
});
export type DetectionsQuery = z.infer<typeof DetectionsQuery>;
export const DetectionInfo = z.object({
  window: Count,
  channel: Count,
  modelHash: z.string(),
  modelVersion: z.string(),
  firstSample: Count,
  samples: Count,
  probability: z.number().nullable(),
  verdict: z.enum(verdicts),
  reason: z.string().nullable(),
  baseline: z.enum(baselines).nullable(),
  channelProbabilities: z.array(z.number().nullable()), // in the order of the montage
  channelBaselines: z.array(z.number().nullable()).exactOptional(), // what each was compared with, in 1/1000 of log µV; null = the population's
  everyS: z.number().exactOptional(), // judged under overload: seconds from one judged window to the next; absent = every window is
  measuredAtUs: Micros,
  committedAtUs: Micros,
});
export type DetectionInfo = z.infer<typeof DetectionInfo>;
export const Detections = z.object({ detections: z.array(DetectionInfo) });
export type Detections = z.infer<typeof Detections>;

/** GET /v1/recordings/:id/unscored: windows wholly covered by stored, contiguous samples that have no detection of this model. */
export const UnscoredQuery = z.strictObject({
  model: z.string().min(1).max(limits.maxNameBytes),
  window: QueryInt.min(1).max(1_000_000),
  hop: QueryInt.min(1).max(1_000_000),
  limit: queryLimit(limits.maxRowsPerQuery, 100),
});
export type UnscoredQuery = z.infer<typeof UnscoredQuery>;
export const Unscored = z.object({
  ranges: z.array(z.object({ fromWindow: Count, toWindow: Count })),
  scorableWindows: Count,
  scoredWindows: Count,
});
export type Unscored = z.infer<typeof Unscored>;

/** GET /v1/latest */
export const LatestQuery = z
  .strictObject({ patient: Id.optional(), device: Id.optional() })
  .refine((query) => query.patient === undefined || query.device === undefined, { error: 'ask for a patient or for a device, not both' });
export type LatestQuery = z.infer<typeof LatestQuery>;
/** What a screen needs besides a stored value to show it as it would have shown it live. */
const AroundValue = {
  gateway: Id.exactOptional(),
  clockOffsetUs: z.int().nullable().exactOptional(), // cluster clock minus gateway clock; null = not measured then
  replay: ReplayAnswer.nullable().exactOptional(), // null = no replay; absent = its start record is not stored
};
export const LatestOfDevice = z.object({
  device: Id,
  patient: Id.nullable(),
  /** The latest of each numeric vital it sent, in the order of their table. */
  numerics: z.array(
    z.object({
      stream: z.enum(numericStreams),
      value: z.number(),
      kind: z.enum(numericKinds),
      measuredAtUs: Micros,
      committedAtUs: Micros,
      recordingId: Uuid,
      ...AroundValue,
    }),
  ),
  detection: DetectionInfo.extend({ recordingId: Uuid, endUs: Micros.exactOptional(), ...AroundValue }).nullable(), // endUs: of the window
  eeg: z
    .object({
      recordingId: Uuid,
      measuredAtUs: Micros, // the last sample
      committedAtUs: Micros,
      rate: RateAnswer.exactOptional(),
      channels: Count.exactOptional(),
      montageHash: z.string().exactOptional(),
      ...AroundValue,
    })
    .nullable(),
});
export type LatestOfDevice = z.infer<typeof LatestOfDevice>;
export const Latest = z.object({ devices: z.array(LatestOfDevice) });
export type Latest = z.infer<typeof Latest>;

/** GET /v1/ledger: of one recording, one device or one patient. */
export const LedgerQuery = z
  .strictObject({ recording: Uuid.optional(), device: Id.optional(), patient: Id.optional(), fromUs: QueryMicros, toUs: QueryMicros })
  .refine((query) => [query.recording, query.device, query.patient].filter((one) => one !== undefined).length === 1, {
    error: 'ask for exactly one of recording, device and patient',
  });
export type LedgerQuery = z.infer<typeof LedgerQuery>;
export const LedgerOfRecording = z.object({
  recordingId: Uuid,
  stream: StreamName,
  state: z.enum(['open', 'complete', 'incomplete']),
  stored: z.array(Range),
  quarantined: z.array(Range),
  declaredLost: z.array(z.object({ range: Range, reason: z.enum(gapReasons) })), // a stored seq beats a declared loss
  missing: z.array(Range),
  samplesStored: Count, // per channel
  chunksStored: Count,
});
export type LedgerOfRecording = z.infer<typeof LedgerOfRecording>;
export const LedgerSpan = z.object({
  device: Id, // a patient may wear several, and a device may send several streams: each has its own time line
  stream: StreamName,
  fromUs: Micros,
  toUs: Micros,
  state: z.enum(['recorded', 'not-recorded']),
  reason: z.enum([...gapReasons, ...endReasons, 'clock-step']).nullable(),
  readings: Count.optional(), // of single values (numeric vitals) in a recorded span: what lies between two of them is not recorded
});
export type LedgerSpan = z.infer<typeof LedgerSpan>;
/** A device's clock that was set in the middle of a signal without a hole: it went from what the count of samples says to something else. */
export const LedgerClockStep = z.object({ recordingId: Uuid, device: Id, stream: StreamName, seq: Count, fromUs: Micros, toUs: Micros });
export type LedgerClockStep = z.infer<typeof LedgerClockStep>;
export const Ledger = z.object({
  recordings: z.array(LedgerOfRecording),
  spans: z.array(LedgerSpan),
  clockSteps: z.array(LedgerClockStep).optional(),
  totals: z.object({
    recordings: Count,
    chunksStored: Count,
    samplesStored: Count,
    quarantined: Count,
    declaredLost: Count,
    missing: Count,
  }),
});
export type Ledger = z.infer<typeof Ledger>;

/** GET /v1/recordings/:id */
export const RecordingWithLedger = RecordingInfo.extend({ ledger: LedgerOfRecording });
export type RecordingWithLedger = z.infer<typeof RecordingWithLedger>;

/** GET /v1/gateways as storage answers it: births and deaths that were committed. */
export const StoredGateway = z.object({ gateway: Id, session: Uuid, version: z.string(), bornAtUs: Micros, diedAtUs: Micros.nullable() });
export type StoredGateway = z.infer<typeof StoredGateway>;
export const StoredGateways = z.object({ gateways: z.array(StoredGateway) });
export type StoredGateways = z.infer<typeof StoredGateways>;

/** GET /v1/quarantine */
export const Quarantine = z.object({
  count: Count,
  items: z.array(
    z.object({ sha256: z.string(), sender: z.string(), topic: z.string(), reason: z.string(), bytes: Count, firstSeenUs: Micros }),
  ),
});
export type Quarantine = z.infer<typeof Quarantine>;

/** GET /v1/stats */
export const Stats = z.object({
  chunks: Count,
  samples: Count,
  quarantined: Count,
  detections: Count,
  conflicts: Count,
  lastCommittedAtUs: Micros.nullable(),
  schemaVersion: z.union([Count, z.string()]),
  generation: Uuid,
});
export type Stats = z.infer<typeof Stats>;

/** How every service refuses: a stable code, what happened, what to do next. */
export const ErrorAnswer = z.object({ error: z.object({ code: z.string(), message: z.string(), next: z.string() }) });
export type ErrorAnswer = z.infer<typeof ErrorAnswer>;
