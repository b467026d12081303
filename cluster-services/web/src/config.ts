import { secret } from '@vitalwire/runtime';
import { z } from 'zod';
import { hubLimits } from './live-hub.ts';

/** Settings of the service that screens talk to; environment prefix VITALWIRE_WEB_. */
export const WebConfig = z.strictObject({
  host: z.string().default('127.0.0.1').describe('address to listen on'),
  port: z.coerce.number().int().min(0).max(65_535).default(8443).describe('HTTPS port; 0 takes a free one'),
  certPath: z.string().describe('certificate, for its own server and towards the front door'),
  keyPath: z.string().describe('key of the certificate'),
  caPath: z.string().describe('the authority both sides trust'),
  frontDoorUrl: z
    .url({ protocol: /^mqtts$/ })
    .default('mqtts://127.0.0.1:8883')
    .describe('where the live stream comes from'),
  storageUrl: z
    .url({ protocol: /^https$/ })
    .default('https://127.0.0.1:8444')
    .describe('where stored readings are asked for'),
  storageToken: secret(z.string().min(16)).describe('bearer token of storage'),
  alarmsUrl: z
    .union([z.literal(''), z.url({ protocol: /^https$/ })])
    .default('')
    .describe('URL of the alarms service; without it, acknowledging and pausing are refused'),
  alarmsToken: secret(z.union([z.literal(''), z.string().min(16)]).default('')).describe('bearer token of the alarms service'),
  token: secret(
    z
      .string()
      .min(16)
      .regex(/^[A-Za-z0-9._~-]+$/, 'letters, digits, and . _ ~ -'),
  ).describe("the viewers' bearer token"),
  dataDir: z
    .string()
    .default('')
    .describe('directory of the last-known registry, so that screens can start without a database; empty keeps it in memory only'),
  pageDir: z.string().default('').describe('directory of the built page; empty takes the one of this package'),
  maxViewers: z.coerce.number().int().min(1).max(10_000).default(hubLimits.maxViewers).describe('live connections at once'),
  storageTimeoutMs: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('after this long without an answer storage counts as down'),
  probeHost: z.string().default('127.0.0.1').describe('address of /healthz, /readyz and /metrics'),
  probePort: z.coerce.number().int().min(0).max(65_535).default(0).describe('port of the probes; 0 takes a free one'),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info').describe('least level that is logged'),
});
export type WebConfig = z.output<typeof WebConfig>;
