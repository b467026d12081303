import { limits } from '@vitalwire/contract';
import { secret } from '@vitalwire/runtime';
import { z } from 'zod';

/** Settings of the alarms service, from VITALWIRE_ALARMS_… */
export const AlarmsConfig = z.strictObject({
  host: z.string().default('127.0.0.1').describe('address to listen on'),
  port: z.coerce.number().int().min(0).max(65_535).default(8445).describe('HTTPS port; 0 takes a free one'),
  certPath: z.string().min(1).describe('certificate, for its own server and towards the front door'),
  keyPath: z.string().min(1).describe('key of the certificate'),
  caPath: z.string().min(1).describe('the authority that all sides trust'),
  token: secret(z.string().min(16)).describe('bearer token of this service'),
  frontDoorUrl: z
    .url({ protocol: /^mqtts$/ })
    .default('mqtts://127.0.0.1:8883')
    .describe('the front door'),
  storageUrl: z
    .url({ protocol: /^https$/ })
    .default('https://127.0.0.1:8444')
    .describe('the storage service: log, leases, limits'),
  storageToken: secret(z.string().min(1)).describe('bearer token of storage'),
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
  probeHost: z.string().min(1).default('127.0.0.1').describe('address of /healthz, /readyz and /metrics'),
  probePort: z.coerce.number().int().min(0).max(65_535).default(0).describe('their port; 0 takes any free one'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe level that is logged'),
});
export type AlarmsConfig = z.output<typeof AlarmsConfig>;
