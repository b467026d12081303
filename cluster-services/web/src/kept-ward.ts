import { AlarmInfo, AlarmPause, ClockWrong, NumericState, PatientState, Stamp, statusKinds } from '@vitalwire/contract';
import { z } from 'zod';

const Clock = z.object({ offsetUs: z.number(), uncertaintyUs: z.number(), source: z.enum(['none', 'front-door', 'ntp', 'replay']) });
const Replay = PatientState.shape.replay;
const Verdict = PatientState.shape.detection.unwrap().shape.verdict;

const KeptDevice = z.object({
  device: z.string(),
  gateway: z.string(),
  eeg: PatientState.shape.eeg,
  numerics: z.array(NumericState.extend({ recordingId: z.string() })),
  detection: PatientState.shape.detection,
  windows: z.object({
    subject: z.string(),
    modelHash: z.string(),
    scored: z.array(z.looseObject({ window: z.number(), probability: z.number().nullable(), verdict: Verdict })),
  }),
  clockWrong: z.array(z.object({ stream: ClockWrong.shape.stream, recordingId: z.string(), at: Stamp })),
  replay: Replay,
  marks: z.array(z.object({ recordingId: z.string(), replay: Replay })), // of the recordings shown
});
export type KeptDevice = z.infer<typeof KeptDevice>;

const KeptStatus = z.object({
  stream: z.literal('status'),
  recordingId: z.string(),
  seq: z.number(),
  measuredAtUs: z.number(),
  clock: Clock,
  subject: z.string(),
  gateway: z.string(),
  kind: z.enum(statusKinds),
  version: z.string(),
  reason: z.string(),
  previousSession: z.string().nullable(),
});

const KeptGateway = z.object({
  gateway: z.string(),
  status: z
    .looseObject({
      stream: z.literal('live-status'),
      gateway: z.string(),
      session: z.string(),
      online: z.boolean(),
      version: z.string(),
      depthChunks: z.number(),
      depthBytes: z.number(),
      oldestAgeMs: z.number().nullable(),
      lastPubackUs: z.number().nullable(),
      chunksPerSecondIn: z.number(),
      chunksPerSecondOut: z.number(),
      secondsUntilFull: z.number().nullable(),
      certificateDaysLeft: z.number().nullable(),
      clock: Clock,
      measuredAtUs: z.number(),
    })
    .nullable(),
  statusReceivedAtUs: z.number().nullable(),
  heardAtUs: z.number().nullable(),
  certificateEndsUs: z.number().nullable(),
  birth: KeptStatus.nullable(),
  death: KeptStatus.nullable(),
  clock: Clock.nullable(),
});
export type KeptGateway = z.infer<typeof KeptGateway>;

const KeptAlarm = z.object({
  sender: z.string(),
  info: AlarmInfo,
  logId: z.string(),
  seq: z.number().nullable(),
  saidAtUs: z.number(),
  mergedInto: z.string().nullable(), // as the board names it
});
export const KeptBoard = z.object({
  alarms: z.array(KeptAlarm),
  pauses: z.array(z.object({ pause: AlarmPause, saidAtUs: z.number() })),
});
export type KeptBoard = z.infer<typeof KeptBoard>;

/** Everything a screen was shown, as it is kept on the local disk: so that it stands there again after a restart, without any database. */
export const KeptWard = z.object({
  version: z.literal(2),
  savedAtUs: z.number(),
  devices: z.array(KeptDevice),
  gateways: z.array(KeptGateway),
  board: KeptBoard,
});
export type KeptWard = z.infer<typeof KeptWard>;
