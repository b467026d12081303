import { fail } from './cbor.ts';
import { keys } from './keys.ts';
import { limits } from './limits.ts';
import {
  type Alarm,
  type AlarmEpisode,
  alarmPriorities,
  alarmStates,
  alarmTransitions,
  baselines,
  type ChannelScale,
  type ClockState,
  clockSources,
  conditionNumbers,
  type Detection,
  type EegChunk,
  type EventChunk,
  type EventReading,
  endReasons,
  episodeEnds,
  type Gap,
  gapReasons,
  type Hello,
  type LiveStatus,
  type NumericChunk,
  type NumericReading,
  type QualityChunk,
  type QualityReading,
  type Rate,
  type RecordingEnd,
  type RecordingStart,
  type ReplayMark,
  type Status,
  sampleBits,
  statusKinds,
  verdicts,
} from './messages.ts';
import { numericKinds } from './numerics.ts';
import { dataStreamNumbers, streamNumbers } from './topics.ts';
import {
  block,
  boolean,
  checked,
  fieldsOf,
  hex,
  id,
  int,
  listOf,
  nullable,
  number,
  oneOf,
  oneOfNumbered,
  oneOfNumbers,
  optional,
  rowOf,
  text,
  uint,
  uuid,
  type Wire,
} from './wire.ts';

// Every body, described once for both directions. The order of fields on the wire is that of their keys.

type Body<T> = Omit<T, 'stream' | 'recordingId' | 'seq'>;
export type EegBody = Body<Omit<EegChunk, 'samples'>> & { readonly block: Uint8Array };
type LiveStatusBody = Omit<LiveStatus, 'stream' | 'session'>;

const position = uint();
const probability = checked(number, (value) => value >= 0 && value <= 1, 'a probability within 0..1');
export const rate = rowOf<Rate>({
  num: checked(uint(limits.maxRatePart), (part) => part > 0, 'a positive part'),
  den: checked(uint(limits.maxRatePart), (part) => part > 0, 'a positive part'),
});
const channelScale = rowOf<ChannelScale>({
  label: text(limits.maxLabelBytes),
  unit: text(limits.maxUnitBytes),
  digitalMin: int,
  digitalMax: int,
  physicalMin: number,
  physicalMax: number,
  reference: text(limits.maxReferenceBytes),
});
export const channelScales = listOf(channelScale, limits.maxChannels);
export const replayMark = rowOf<ReplayMark>({ speed: number, source: text(limits.maxNameBytes) });
const clock = rowOf<ClockState>({ offsetUs: int, uncertaintyUs: position, source: oneOf(clockSources) });
const measured = { measuredAtUs: int, clock } as const;

export const eegBody = fieldsOf<EegBody>(keys, {
  ...measured,
  firstSample: position,
  channels: uint(limits.maxChannels),
  samplesPerChannel: uint(limits.maxBlockBytes),
  rate,
  montageHash: hex(8),
  sampleBits: oneOfNumbers(sampleBits),
  codec: oneOfNumbers([0, 1]),
  crc32: uint(0xffffffff),
  block: block(limits.maxBlockBytes),
});

export const numericBody = fieldsOf<Body<NumericChunk>>(keys, {
  ...measured,
  firstSample: position,
  kind: oneOf(numericKinds),
  readings: someOf(
    listOf(
      rowOf<NumericReading>({ atUs: int, value: number, least: nullable(number), most: nullable(number) }),
      limits.maxReadingsPerChunk,
    ),
  ),
});

export const eventBody = fieldsOf<Body<EventChunk>>(keys, {
  ...measured,
  firstSample: position,
  events: someOf(
    listOf(
      rowOf<EventReading>({
        atUs: int,
        durationUs: nullable(position),
        type: text(limits.maxNameBytes),
        text: text(limits.maxTextBytes),
        source: text(limits.maxNameBytes),
      }),
      limits.maxEventsPerChunk,
    ),
  ),
});

export const qualityBody = fieldsOf<Body<QualityChunk>>(keys, {
  ...measured,
  firstSample: position,
  items: someOf(
    listOf(
      rowOf<QualityReading>({ atUs: int, channel: uint(limits.maxChannels - 1), metric: text(limits.maxNameBytes), value: number }),
      limits.maxQualityItemsPerChunk,
    ),
  ),
});

export const startBody = fieldsOf<Body<RecordingStart>>(
  { ...keys, channels: keys.scales },
  {
    ...measured,
    kind: oneOf(['start']),
    subject: uuid,
    gateway: id,
    device: id,
    of: oneOfNumbered(dataStreamNumbers),
    rate: nullable(rate),
    channels: channelScales,
    montageHash: hex(8),
    predecessor: nullable(uuid),
    captureId: text(limits.maxCaptureIdBytes),
    captureFirstSample: position,
    replay: nullable(replayMark),
    source: text(limits.maxReasonBytes),
  },
);

export const endBody = fieldsOf<Body<RecordingEnd>>(
  { ...keys, readings: keys.readingCount },
  {
    ...measured,
    kind: { write: (to) => to.int(1), read: (from) => (from.uint(1) === 1 ? 'end' : fail('bad-field')) },
    subject: uuid,
    lastSeq: checked(int, (seq) => seq >= -1, 'a seq, or -1 for none'),
    readings: position,
    reason: oneOf(endReasons),
  },
);

export const gapBody = fieldsOf<Body<Gap>>(keys, {
  ...measured,
  subject: uuid,
  device: id,
  of: oneOfNumbered(streamNumbers),
  fromSeq: nullable(position),
  toSeq: nullable(position),
  fromUs: nullable(int),
  toUs: nullable(int),
  reason: oneOf(gapReasons),
});

export const statusBody = fieldsOf<Body<Status>>(
  { ...keys, version: keys.software },
  {
    ...measured,
    kind: oneOf(statusKinds),
    subject: uuid,
    gateway: id,
    version: text(limits.maxVersionBytes),
    reason: text(limits.maxReasonBytes),
    previousSession: nullable(uuid),
  },
);

/** A probability as a whole number of 1/10000: what a detector's answers are rounded to. */
const tenThousandths: Wire<number> = {
  write(to, value) {
    const parts = Math.round(value * 1e4);
    if (!(parts >= 0 && parts <= 10_000) || parts / 1e4 !== value) throw new RangeError(`${value} is no probability in steps of 1/10000`);
    to.int(parts);
  },
  read: (from) => from.uint(10_000) / 1e4,
};

export const detectionBody = fieldsOf<Body<Detection>>(keys, {
  ...measured,
  subject: uuid,
  gateway: id,
  device: id,
  channel: uint(limits.maxChannels - 1),
  modelHash: text(limits.maxNameBytes),
  modelVersion: text(limits.maxVersionBytes),
  firstSample: position,
  samples: position,
  probability: nullable(probability),
  verdict: oneOf(verdicts),
  reason: nullable(text(limits.maxReasonBytes)),
  baseline: nullable(oneOf(baselines)),
  channelProbabilities: listOf(nullable(tenThousandths), limits.maxChannels),
  channelBaselines: optional(listOf(nullable(uint(0xffff)), limits.maxChannels)),
  fence: position,
  everyS: optional(checked(uint(limits.maxEveryS), (seconds) => seconds > 0, 'a second or more')),
});

const alarmEpisode = rowOf<AlarmEpisode>({
  onsetUs: int,
  seenUntilUs: int,
  end: oneOf(episodeEnds),
  endUs: nullable(int),
  peak: probability,
  channel: uint(limits.maxChannels - 1),
});

export const alarmBody = fieldsOf<Body<Alarm>>(keys, {
  ...measured,
  subject: uuid,
  sender: id,
  device: id,
  alarmId: text(limits.maxNameBytes),
  condition: nullable(oneOfNumbered(conditionNumbers)),
  priority: oneOf(alarmPriorities),
  state: oneOf(alarmStates),
  transition: oneOf(alarmTransitions),
  onsetUs: nullable(int),
  endedUs: nullable(int),
  value: nullable(number),
  limit: nullable(number),
  channel: nullable(uint(limits.maxChannels - 1)),
  untilUs: nullable(int),
  by: text(limits.maxNameBytes),
  mergedInto: nullable(text(limits.maxNameBytes)),
  replay: nullable(replayMark),
  text: text(limits.maxTextBytes),
  fence: position,
  episodes: optional(checked(listOf(alarmEpisode, limits.maxEpisodesPerAlarm), ({ length }) => length > 0, 'at least one')),
  take: optional(checked(text(limits.maxCaptureIdBytes), ({ length }) => length > 0, 'at least one letter')),
});

export const liveStatusBody = fieldsOf<LiveStatusBody>(
  { ...keys, version: keys.software },
  {
    ...measured,
    gateway: id,
    online: boolean,
    version: text(limits.maxVersionBytes),
    depthChunks: position,
    depthBytes: position,
    oldestAgeMs: nullable(number),
    lastPubackUs: nullable(int),
    chunksPerSecondIn: number,
    chunksPerSecondOut: number,
    secondsUntilFull: nullable(number),
    certificateDaysLeft: nullable(number),
    problem: optional(text(limits.maxReasonBytes)),
  },
);

/** A mark that is there or is not. */
const onlyTrue: Wire<true> = {
  write: (to) => to.boolean(true),
  read: (from) => from.boolean() || fail('bad-field', 'a mark that is false'),
};

export const helloBody = fieldsOf<Hello>(
  { ...keys, version: keys.software },
  { generation: uuid, nowUs: int, version: text(limits.maxVersionBytes), rival: optional(onlyTrue) },
);

/** Every body by its name in `wire.cddl`, so that a test can compare the two. */
export const bodies = {
  'eeg-chunk': eegBody,
  'numeric-chunk': numericBody,
  'event-chunk': eventBody,
  'quality-chunk': qualityBody,
  'recording-start': startBody,
  'recording-end': endBody,
  gap: gapBody,
  status: statusBody,
  detection: detectionBody,
  alarm: alarmBody,
  'live-status': liveStatusBody,
} as const;

function someOf<T>(list: Parameters<typeof checked<readonly T[]>>[0]) {
  return checked(list, (values) => values.length > 0, 'at least one element');
}
