import { limits } from '@vitalwire/contract';
import { frontDoorSetting, identitySettings, listenSettings, secret, storageSettings, watchSettings } from '@vitalwire/runtime';
import { z } from 'zod';

/** Settings of the alarms service, from VITALWIRE_ALARMS_… */
export const AlarmsConfig = z.strictObject({
  ...listenSettings('alarms'),
  ...identitySettings,
  ...frontDoorSetting,
  ...storageSettings,
  token: secret(z.string().min(16)).describe('bearer token of this service'),
  storageTimeoutMs: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(3_000)
    .describe('after this long without an answer the service goes on without storage'),
  dataDir: z
    .string()
    .min(1)
    .default('alarms-data')
    .describe('directory of the outbox (its own log) and of what is known of limits and leases'),
  outboxMaxMb: z.coerce
    .number()
    .int()
    .min(16)
    .max(65_536)
    .default(256)
    .describe('size limit of the outbox; alarm lines are never given up for it'),
  worker: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$/, 'up to 41 letters, digits, dots, hyphens or underscores')
    .default('alarms')
    .describe('name of this worker: its leases and client ids; each worker needs its own'),
  shards: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.shards)
    .default(limits.shards)
    .describe('how many of the 64 shards this worker wants; with all of them a second worker stands by'),
  leaseS: z.coerce.number().int().min(2).max(300).default(15).describe('seconds after which the shards of a silent worker are free'),
  limitsS: z.coerce.number().int().min(1).max(3600).default(10).describe("seconds between two looks at patients' limits"),
  ...watchSettings,
});
export type AlarmsConfig = z.output<typeof AlarmsConfig>;
