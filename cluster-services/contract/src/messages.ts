import { type NumericCondition, type NumericKind, type NumericStream, numericFacts, numericSides, numericStreams } from './numerics.ts';
import type { DataStream, Stream } from './topics.ts';

export const clockSources = ['none', 'front-door', 'ntp', 'replay'] as const;
/** What the gateway knew about its clock: `offsetUs` = cluster clock − gateway clock. */
export type ClockState = { readonly offsetUs: number; readonly uncertaintyUs: number; readonly source: (typeof clockSources)[number] };

/** Readings per second as a fraction: 173.61 Hz is 17361/100. */
export type Rate = { readonly num: number; readonly den: number };

/** One channel of a montage and the line through (digitalMin, physicalMin) and (digitalMax, physicalMax); a negative gain is allowed. */
export type ChannelScale = {
  readonly label: string;
  readonly unit: string;
  readonly digitalMin: number;
  readonly digitalMax: number;
  readonly physicalMin: number;
  readonly physicalMax: number;
  readonly reference: string; // '' = not said
};

export type ReplayMark = { readonly speed: number; readonly source: string };

type Identified = {
  readonly recordingId: string; // canonical UUID: the gateway's own, or derived from `subject`
  readonly seq: number; // 0, 1, 2, ... without gaps inside a recording
  readonly measuredAtUs: number; // device clock
  readonly clock: ClockState;
};

export const sampleBits = [16, 24] as const;
export type SampleBits = (typeof sampleBits)[number];
export type Samples = Int16Array | Int32Array;

export type EegChunk = Identified & {
  readonly stream: 'eeg';
  readonly firstSample: number; // index since the recording's start
  readonly channels: number;
  readonly samplesPerChannel: number;
  readonly rate: Rate;
  readonly montageHash: string; // 16 hex digits
  readonly sampleBits: SampleBits;
  readonly codec: 0 | 1;
  readonly crc32: number; // of the sample block as sent
  readonly samples: Samples; // digital values, channel after channel; Int16Array for 16 bits, Int32Array for 24
};

/** One number of a patient, in the unit of its row of `numerics`; where it stands for a while: its least and most in it. */
export type NumericReading = {
  readonly atUs: number;
  readonly value: number;
  readonly least: number | null;
  readonly most: number | null;
};
export type NumericChunk = Identified & {
  readonly stream: NumericStream;
  readonly firstSample: number;
  readonly kind: NumericKind;
  readonly readings: readonly NumericReading[];
};

/** Type 'seizure' is known truth from a replay; also 'replay-loop', 'segment', 'annotation' and what devices call theirs. */
export type EventReading = {
  readonly atUs: number;
  readonly durationUs: number | null;
  readonly type: string;
  readonly text: string;
  readonly source: string;
};
export type EventChunk = Identified & { readonly stream: 'event'; readonly firstSample: number; readonly events: readonly EventReading[] };

export type QualityReading = { readonly atUs: number; readonly channel: number; readonly metric: string; readonly value: number };
export type QualityChunk = Identified & {
  readonly stream: 'quality';
  readonly firstSample: number;
  readonly items: readonly QualityReading[];
};

export type RecordingStart = Identified & {
  readonly stream: 'recording';
  readonly kind: 'start'; // seq 0
  readonly subject: string;
  readonly gateway: string;
  readonly device: string;
  readonly of: DataStream;
  readonly rate: Rate | null;
  readonly channels: readonly ChannelScale[];
  readonly montageHash: string;
  readonly predecessor: string | null;
  readonly captureId: string;
  readonly captureFirstSample: number;
  readonly replay: ReplayMark | null;
  readonly source: string;
};

export const endReasons = ['stopped', 'crash', 'montage-changed', 'midnight', 'capture-ended', 'device-gap'] as const;
export type EndReason = (typeof endReasons)[number];
export type RecordingEnd = Identified & {
  readonly stream: 'recording';
  readonly kind: 'end'; // seq 1
  readonly subject: string;
  readonly lastSeq: number; // -1 = no chunk at all
  readonly readings: number; // per channel, in all
  readonly reason: EndReason;
};

export const gapReasons = ['evicted', 'outbox-damaged', 'agent-down', 'device-off', 'unknown'] as const;
export type GapReason = (typeof gapReasons)[number];
/** A declared loss: chunks fromSeq..toSeq of the subject, or a stretch of time, that will never arrive. null = not known. */
export type Gap = Identified & {
  readonly stream: 'gap';
  readonly subject: string;
  readonly of: Stream;
  readonly device: string;
  readonly fromSeq: number | null;
  readonly toSeq: number | null;
  readonly fromUs: number | null;
  readonly toUs: number | null;
  readonly reason: GapReason;
};

export const statusKinds = ['birth', 'death'] as const;
export type Status = Identified & {
  readonly stream: 'status';
  readonly subject: string; // the session: an id made at the agent's start
  readonly gateway: string;
  readonly kind: (typeof statusKinds)[number]; // birth has seq 0, death seq 1
  readonly version: string;
  readonly reason: string;
  readonly previousSession: string | null;
};

/** `focal`: channels too few to make a `seizure` of the recording show its pattern all the same. */
export const verdicts = ['seizure', 'quiet', 'unsure', 'not-scorable', 'calibrating', 'focal'] as const;
export type Verdict = (typeof verdicts)[number];

export const baselines = ['population', 'own'] as const;
/** `own`: amplitudes relative to what is usual in this recording; `population`: that is not known yet. */
export type Baseline = (typeof baselines)[number];

/** One scored window. Nothing in it depends on when it was computed, so a repeat is identical; seq is the window's index. */
export type Detection = Identified & {
  readonly stream: 'detection';
  readonly subject: string;
  readonly gateway: string;
  readonly device: string;
  readonly channel: number;
  readonly modelHash: string;
  readonly modelVersion: string;
  readonly firstSample: number;
  readonly samples: number;
  readonly probability: number | null;
  readonly verdict: Verdict;
  readonly reason: string | null;
  readonly baseline: Baseline | null; // what amplitudes were compared with; null = nothing was scored
  readonly channelProbabilities: readonly (number | null)[]; // one per channel of the montage, to 1e-4; null = not scorable
  /**
   * What each channel was compared with: its own usual amplitude in 1/1000 of log µV; null = the population's. A window that is judged again
   * is judged against what its own record says; the windows after it go on from there. Absent where an older release judged.
   */
  readonly channelBaselines?: readonly (number | null)[];
  readonly fence: number;
  /**
   * Overload: more came than could be judged when this window was, and only one in so many seconds is. Absent: every window is judged.
   */
  readonly everyS?: number;
};

// The numbers of conditions on the wire: 64 to 255 are those of numeric vitals, four for each number of a stream.
const ownConditions = {
  seizure: 0,
  'heart-rate-high': 1,
  'heart-rate-low': 2,
  'heart-rate-extreme-high': 3,
  'heart-rate-extreme-low': 4,
  'lead-off': 5,
  'poor-signal': 6,
  'no-data': 7,
  'gateway-offline': 8,
  'storage-behind': 9,
  'model-unavailable': 10,
  'alarm-path': 11,
  'device-conflict': 12, // a second gateway sends as this device
  'clock-wrong': 13,
  'focal-seizure': 14,
  'detection-thinned': 15,
} as const;
/** What an alarm is about. Seizures and limits of numeric vitals are physiological, the others technical: those never latch. */
export type AlarmCondition = keyof typeof ownConditions | NumericCondition;

const firstNumericStream = 10;
export const conditionNumbers: Readonly<Record<AlarmCondition, number>> = {
  ...(Object.fromEntries(
    numericStreams.flatMap((stream) =>
      numericSides.map((side, index) => [`${stream}-${side}`, 64 + 4 * (numericFacts(stream).number - firstNumericStream) + index]),
    ),
  ) as Record<NumericCondition, number>),
  ...ownConditions, // the heart rate's are older than the rule
};
export const alarmConditions: readonly AlarmCondition[] = (Object.keys(conditionNumbers) as AlarmCondition[]).sort(
  (a, b) => conditionNumbers[a] - conditionNumbers[b],
);

export const alarmPriorities = ['low', 'medium', 'high'] as const;
export type AlarmPriority = (typeof alarmPriorities)[number];

export const alarmStates = ['active', 'acknowledged', 'latched', 'ended'] as const;
/** `latched`: the condition is over, the signal goes on until somebody acknowledges; `ended`: nothing is signalled any more. */
export type AlarmState = (typeof alarmStates)[number];

export const episodeEnds = ['goes-on', 'over', 'not-known', 'recording-ended'] as const;
/**
 * How an episode stands. `goes-on`: nothing later speaks against it; `over`: what followed was judged and spoke against it; `not-known`: what
 * followed could not be judged (no signal, a hole, a clock that was set); `recording-ended`: the recording ended in the middle of it.
 */
export type EpisodeEnd = (typeof episodeEnds)[number];

/** One seizure an alarm tells of, in data time. Between `seenUntilUs` and `endUs` nobody saw anything: that time is never its duration. */
export type AlarmEpisode = {
  readonly onsetUs: number;
  readonly seenUntilUs: number; // end of the last window that spoke for it
  readonly end: EpisodeEnd;
  readonly endUs: number | null; // over: seenUntilUs; not-known: when the signal could be judged again, null = not yet; recording-ended: when
  readonly peak: number; // highest probability of a window
  readonly channel: number; // of the peak
};

export const alarmTransitions = [
  'raised',
  'escalated',
  'acknowledged',
  're-alarmed',
  'condition-ended',
  'condition-returned',
  'ended',
  'updated',
  'merged',
  'paused',
  'resumed',
  'limits-changed',
  'pulse',
] as const;
export type AlarmTransition = (typeof alarmTransitions)[number];

/**
 * One line of a sender's alarm log, numbered without gaps: it holds the whole state after the transition, so that the newest line of an
 * alarm says everything. `measuredAtUs` is the sender's wall clock; onset and end are data time. `paused`, `resumed`, `limits-changed` and
 * `pulse` (never stored: the proof that the alarm path lives) are about no single alarm.
 */
export type Alarm = Identified & {
  readonly stream: 'alarm';
  readonly subject: string; // the log: an id with the sender's tag, made once and kept over restarts
  readonly sender: string; // the service or gateway that decided
  readonly device: string; // or the gateway or service a technical alarm is about
  readonly alarmId: string; // 16 hex digits of SHA-256 of device, condition, onset and take; '' = about no single alarm
  readonly condition: AlarmCondition | null;
  readonly priority: AlarmPriority;
  readonly state: AlarmState;
  readonly transition: AlarmTransition;
  readonly onsetUs: number | null; // data time at which the condition began to hold
  readonly endedUs: number | null; // data time at which it ceased; null = it holds
  readonly value: number | null; // what was measured: of a vital, a probability, seconds of silence
  readonly limit: number | null; // what it was held against, in the same unit
  readonly channel: number | null;
  readonly untilUs: number | null; // wall clock: end of a pause
  readonly by: string; // who asked for it; '' = the engine
  readonly mergedInto: string | null; // the alarm that tells of the same event
  readonly replay: ReplayMark | null;
  readonly text: string;
  readonly fence: number;
  readonly episodes?: readonly AlarmEpisode[]; // earliest first; absent = it tells of none
  readonly take?: string; // the capture of the replay that it was seen in; absent = seen in no replay, or not known
};

/** Everything that is committed, told apart by `stream` and, for recordings, `kind`. */
export type Message =
  | EegChunk
  | NumericChunk
  | EventChunk
  | QualityChunk
  | RecordingStart
  | RecordingEnd
  | Gap
  | Status
  | Detection
  | Alarm;

/** An EEG chunk before encoding: `codec` 0 forces raw samples, otherwise the smaller codec is taken; `crc32` is always computed. */
export type EegDraft = Omit<EegChunk, 'codec' | 'crc32'> & { readonly codec?: 0 | 1; readonly crc32?: number };
export type MessageDraft = Exclude<Message, EegChunk> | EegDraft;

/** How a gateway is doing, sent on `status/live` at QoS 0 and never stored. */
export type LiveStatus = {
  readonly stream: 'live-status';
  readonly gateway: string;
  readonly session: string;
  readonly online: boolean;
  readonly version: string;
  readonly depthChunks: number;
  readonly depthBytes: number;
  readonly oldestAgeMs: number | null;
  readonly lastPubackUs: number | null;
  readonly chunksPerSecondIn: number;
  readonly chunksPerSecondOut: number;
  readonly secondsUntilFull: number | null;
  readonly certificateDaysLeft: number | null;
  readonly clock: ClockState;
  readonly measuredAtUs: number;
  readonly problem?: string; // what a person must do something about, in one sentence
};

/** What the front door tells a client that subscribed to its command topic: the database generation, the time, the version. */
export type Hello = {
  readonly generation: string;
  readonly nowUs: number;
  readonly version: string;
  readonly rival?: true; // two agents speak with this client's identity, one in turn of the other
};
