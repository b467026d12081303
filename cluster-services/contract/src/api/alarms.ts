import { z } from 'zod';
import { limits } from '../limits.ts';
import { alarmConditions, alarmPriorities, alarmStates, alarmTransitions, episodeEnds } from '../messages.ts';
import { type NumericLimits, type NumericStream, numericFacts, numericStreams } from '../numerics.ts';
import { Count, Id, Micros, QueryMicros, queryLimit, Uuid, wireText } from './fields.ts';

// What the alarms service answers, and `web` passes on. Vocabulary inspired by IEC 60601-1-8; no compliance is claimed.

/** Who asks for something: an id, never a name that only a person understands. */
const By = wireText(limits.maxNameBytes).refine((by) => by.trim() !== '', { error: 'say who asks' });
export const AlarmId = z.string().regex(/^[0-9a-f]{16}$/, { error: 'expected the 16 hexadecimal digits of an alarm' });

/** One seizure an alarm tells of: see the message of the wire. */
const Episode = z.object({
  onsetUs: Micros, // data time
  seenUntilUs: Micros,
  end: z.enum(episodeEnds),
  endUs: Micros.nullable(),
  peak: z.number(),
  channel: Count,
});
const Episodes = z.array(Episode).readonly().exactOptional(); // earliest first; absent = it tells of none
const Take = z.string().exactOptional(); // the capture of the replay it was seen in; absent = seen in no replay, or not known

/** One alarm as it stands: the newest line of its log, and what earlier lines said of it. */
export const AlarmInfo = z.object({
  alarmId: AlarmId,
  device: Id,
  condition: z.enum(alarmConditions),
  category: z.enum(['physiological', 'technical']),
  priority: z.enum(alarmPriorities),
  state: z.enum(alarmStates),
  onsetUs: Micros, // data time
  endedUs: Micros.nullable(), // data time; null = the condition holds
  raisedAtUs: Micros, // wall clock of whoever raised it
  changedAtUs: Micros, // wall clock of the newest transition
  acknowledgedAtUs: Micros.nullable(),
  acknowledgedBy: z.string().nullable(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  channel: z.number().nullable(),
  senders: z.array(Id), // who has told of it: the cluster's engine, a gateway, or both
  replay: z.object({ speed: z.number(), source: z.string() }).nullable(),
  text: z.string(),
  episodes: Episodes,
  take: Take,
});
export type AlarmInfo = z.infer<typeof AlarmInfo>;

/** The sound of a device's alarms is off until then; a priority above `above` breaks through. */
export const AlarmPause = z.object({ device: Id, untilUs: Micros, by: z.string(), above: z.enum(alarmPriorities) });
export type AlarmPause = z.infer<typeof AlarmPause>;

/** GET /v1/alarms of the alarms service and of `web`: everything that has not ended. */
export const AlarmsNow = z.object({
  nowUs: Micros,
  path: z.enum(['ok', 'down', 'unknown']), // the dead-man's switch: whether the alarm path itself was heard lately
  alarms: z.array(AlarmInfo),
  pauses: z.array(AlarmPause),
});
export type AlarmsNow = z.infer<typeof AlarmsNow>;

/** POST /v1/alarms/:alarmId/acknowledge */
export const AcknowledgePost = z.strictObject({ by: By });
export type AcknowledgePost = z.infer<typeof AcknowledgePost>;

export const maxPauseSeconds = 120;
/** POST /v1/devices/:id/alarm-pause; `seconds` 0 ends a pause. */
export const PausePost = z.strictObject({ seconds: z.int().min(0).max(maxPauseSeconds), by: By });
export type PausePost = z.infer<typeof PausePost>;
export const PauseAnswer = z.object({ pause: AlarmPause.nullable() }); // what holds after it; null = none
export type PauseAnswer = z.infer<typeof PauseAnswer>;

/** Alarm limits in the unit of their vital; null takes that limit away. An extreme is `extremeDelta` beyond its limit. */
const Limits = limitsWithin(z.number(), z.number(), z.number());

/** The limits that somebody can mean for this vital. */
export function NumericLimitsOf(stream: NumericStream): z.ZodType<NumericLimits> {
  const { limits: bounds } = numericFacts(stream);
  const within = ([least, most]: readonly [number, number]) => z.number().min(least).max(most);
  return limitsWithin(within(bounds.low), within(bounds.high), within(bounds.extremeDelta));
}

function limitsWithin(low: z.ZodNumber, high: z.ZodNumber, extremeDelta: z.ZodNumber) {
  return z
    .strictObject({ low: low.nullable(), high: high.nullable(), extremeDelta: extremeDelta.nullable() })
    .refine((limits) => limits.low === null || limits.high === null || limits.low < limits.high, { error: 'low must be below high' });
}

/** PUT /v1/patients/:id/alarm-limits/:stream; GET answers `PatientLimits`. */
export const LimitsPut = z.strictObject({ limits: Limits, by: By });
export type LimitsPut = z.infer<typeof LimitsPut>;
export const PatientLimits = z.object({
  patient: Id,
  stream: z.enum(numericStreams),
  limits: Limits,
  changedAtUs: Micros.nullable(), // null: the usual ones, nobody changed them
  changedBy: z.string().nullable(),
});
export type PatientLimits = z.infer<typeof PatientLimits>;
/** GET /v1/patients/:id/alarm-limits: those of every vital, in the order of their table. */
export const LimitsOfPatient = z.object({ limits: z.array(PatientLimits) });
export type LimitsOfPatient = z.infer<typeof LimitsOfPatient>;
/** GET /v1/alarm-limits: all that somebody set, and the history of changes (newest first) with old and new value. */
export const AllLimits = z.object({
  limits: z.array(PatientLimits),
  changes: z.array(
    z.object({
      patient: Id,
      stream: z.enum(numericStreams),
      atUs: Micros,
      by: z.string(),
      before: Limits.nullable(),
      after: Limits,
    }),
  ),
});
export type AllLimits = z.infer<typeof AllLimits>;

/** One stored line of an alarm log. */
export const AlarmLine = z.object({
  logId: Uuid, // the sender's log
  seq: Count,
  sender: Id,
  device: Id,
  alarmId: z.string(),
  condition: z.enum(alarmConditions).nullable(),
  priority: z.enum(alarmPriorities),
  state: z.enum(alarmStates),
  transition: z.enum(alarmTransitions),
  atUs: Micros, // wall clock of the sender
  onsetUs: Micros.nullable(),
  endedUs: Micros.nullable(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  channel: z.number().nullable(),
  untilUs: Micros.nullable(),
  by: z.string(),
  mergedInto: z.string().nullable(),
  replay: z.object({ speed: z.number(), source: z.string() }).nullable(),
  text: z.string(),
  episodes: Episodes,
  take: Take,
});
export type AlarmLine = z.infer<typeof AlarmLine>;

/** GET /v1/alarm-log of storage and of `web`: oldest first, by the sender's wall clock; `open` gives only alarms that have not ended. */
export const AlarmLogQuery = z.strictObject({
  device: Id.optional(),
  patient: Id.optional(),
  fromUs: QueryMicros,
  toUs: QueryMicros,
  open: z.enum(['true', 'false']).default('false'),
  cursor: z.string().max(200).optional(),
  limit: queryLimit(limits.maxRowsPerQuery, 500),
});
export type AlarmLogQuery = z.infer<typeof AlarmLogQuery>;
export const AlarmLog = z.object({ lines: z.array(AlarmLine), next: z.string().nullable() });
export type AlarmLog = z.infer<typeof AlarmLog>;

/** POST /v1/leases/:kind of storage: takes or renews what it can of `want` shards; what is not renewed within `ttlS` is free again. */
export const LeasePost = z.strictObject({
  worker: Id,
  want: z.int().min(0).max(limits.shards),
  ttlS: z.int().min(2).max(300),
});
export type LeasePost = z.infer<typeof LeasePost>;
export const Leases = z.object({
  nowUs: Micros,
  untilUs: Micros,
  shards: z.array(
    z.object({
      shard: z
        .int()
        .min(0)
        .max(limits.shards - 1),
      fence: Count,
    }),
  ),
});
export type Leases = z.infer<typeof Leases>;
