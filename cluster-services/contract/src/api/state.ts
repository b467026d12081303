import { z } from 'zod';
import { baselines, verdicts } from '../messages.ts';
import { numericKinds, numericStreams } from '../numerics.ts';
import { AlarmInfo, AlarmPause } from './alarms.ts';
import { ChannelAnswer } from './fields.ts';

// What `web` alone knows: the latest of everything, kept in memory from the live stream, so that screens work without a database.

/** When a value was measured and received; a screen computes its age from this and its own clock. */
export const Stamp = z.object({
  measuredAtUs: z.number(), // the gateway's clock, at the end of what was measured
  clockOffsetUs: z.number().nullable(), // cluster clock minus gateway clock; null = never measured
  receivedAtUs: z.number(), // the cluster's clock
});
export type Stamp = z.infer<typeof Stamp>;

const Rate = z.object({ num: z.number(), den: z.number() });
const Verdict = z.enum(verdicts);
const Replay = z.object({ speed: z.number(), source: z.string() });

/** What a device sent of one stream that comes from the future (`isClockWrong`): it is stored, and nobody's latest. */
export const ClockWrong = z.object({ device: z.string(), stream: z.enum(['eeg', ...numericStreams, 'detection']), at: Stamp });
export type ClockWrong = z.infer<typeof ClockWrong>;

/** The newest value of one numeric vital, in the unit of its row. */
export const NumericState = z.object({
  stream: z.enum(numericStreams),
  device: z.string(),
  kind: z.enum(numericKinds),
  value: z.number(),
  at: Stamp,
});
export type NumericState = z.infer<typeof NumericState>;

/** The latest known about one patient, or about one device that belongs to nobody yet. */
export const PatientState = z.object({
  key: z.string(), // the patient's id, or `device:<id>` for an unassigned device
  patient: z.string().nullable(),
  label: z.string().nullable(),
  devices: z.array(z.string()),
  eeg: z
    .object({
      device: z.string(),
      gateway: z.string(),
      recordingId: z.string(),
      rate: Rate,
      channels: z.number(),
      montageHash: z.string(), // its channels and scales: GET /v1/montages/:hash
      lane: z.enum(['durable', 'live']),
      at: Stamp,
    })
    .nullable(),
  numerics: z.array(NumericState), // the newest of each vital, in the order of their table
  detection: z
    .object({
      device: z.string(),
      channel: z.number(),
      state: Verdict, // the latest windows together: what the state word shows
      verdict: Verdict, // the newest window alone
      probability: z.number().nullable(), // likewise
      stateProbability: z.number().nullable().optional(), // what carried the vote for `state`: the number beside the word; absent = not told
      reason: z.string().nullable(),
      modelVersion: z.string(),
      modelHash: z.string(),
      baseline: z.enum(baselines).nullable(), // what amplitudes were compared with; `population` is the less certain one
      channelProbabilities: z.array(z.number().nullable()), // of the newest window, one per channel; [] = not told
      everyS: z.number().optional(), // overload: only one window in so many seconds is judged; absent = every second
      provisional: z.boolean(), // seen on the live lane only; the stored one is computed from committed chunks
      at: Stamp,
    })
    .nullable(),
  /** What has not ended, the worst first. Technical alarms of a gateway or service are not here: `WallState.systemAlarms` has them. */
  alarms: z.array(AlarmInfo),
  pauses: z.array(AlarmPause),
  replay: Replay.nullable(),
  clockWrong: z.array(ClockWrong).exactOptional(), // the newest of each stream, until one with a right time comes; absent = none
  replayKnown: z.boolean().exactOptional(), // false: the start record of something shown was not seen yet, so it may be a replay
});
export type PatientState = z.infer<typeof PatientState>;

/** What a person must do something about, in one sentence that says what. */
export const Problem = z.object({
  about: z.string(), // the gateway or service
  text: z.string(),
});
export type Problem = z.infer<typeof Problem>;

/** How much of the truth a screen is seeing: whether storage answers and the front door is connected. */
export const LinkState = z.object({
  storage: z.enum(['ok', 'down', 'unknown']),
  frontDoor: z.enum(['ok', 'down']),
  alarms: z.enum(['ok', 'down', 'unknown']), // the alarm path itself, by its pulse
  registryRevision: z.string().nullable(),
  problems: z.array(Problem).optional(), // of gateways and services, the worst first; absent = none
});
export type LinkState = z.infer<typeof LinkState>;

/** GET /v1/state */
export const WallState = z.object({
  nowUs: z.number(),
  links: LinkState,
  systemAlarms: z.array(AlarmInfo), // about a gateway or a service, not about one patient
  patients: z.array(PatientState),
});
export type WallState = z.infer<typeof WallState>;

/** One gateway: births and deaths from storage, merged with its live status from memory. */
export const GatewayState = z.object({
  gateway: z.string(),
  state: z.enum(['online', 'silent', 'offline', 'unknown']), // silent = nothing was heard of it for a while, and no death
  session: z.string().nullable(),
  version: z.string().nullable(),
  bornAtUs: z.number().nullable(),
  diedAtUs: z.number().nullable(),
  statusReceivedAtUs: z.number().nullable(), // the cluster's clock; null = no live status since this service started
  depthChunks: z.number().nullable(),
  depthBytes: z.number().nullable(),
  oldestAgeMs: z.number().nullable(),
  lastPubackUs: z.number().nullable(),
  chunksPerSecondIn: z.number().nullable(),
  chunksPerSecondOut: z.number().nullable(),
  secondsUntilFull: z.number().nullable(),
  certificateDaysLeft: z.number().nullable(),
  problem: z.string().nullable(), // as it told it, or as the cluster sees it
  clock: z.object({ offsetUs: z.number(), uncertaintyUs: z.number(), source: z.enum(['none', 'front-door', 'ntp', 'replay']) }).nullable(),
});
export type GatewayState = z.infer<typeof GatewayState>;

/** GET /v1/gateways as `web` answers it; `storage` says whether births and deaths are known. */
export const GatewayStates = z.object({ nowUs: z.number(), storage: z.enum(['ok', 'down']), gateways: z.array(GatewayState) });
export type GatewayStates = z.infer<typeof GatewayStates>;

/** GET /v1/montages/:hash */
export const Montage = z.object({
  montageHash: z.string(),
  channels: z.array(ChannelAnswer),
});
export type Montage = z.infer<typeof Montage>;

/** GET /v1/time */
export const TimeAnswer = z.object({ nowUs: z.number() });
export type TimeAnswer = z.infer<typeof TimeAnswer>;
