import { frontDoorSetting, identitySettings, listenSettings, secret, storageSettings, watchSettings } from '@vitalwire/runtime';
import { z } from 'zod';
import { hubLimits } from './live-hub.ts';

/** Settings of the service that screens talk to; environment prefix VITALWIRE_WEB_. */
export const WebConfig = z.strictObject({
  ...listenSettings('web'),
  ...identitySettings,
  ...frontDoorSetting,
  ...storageSettings,
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
  ...watchSettings,
});
export type WebConfig = z.output<typeof WebConfig>;
