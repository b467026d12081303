import { identitySettings, listenSettings, secret, watchSettings } from '@vitalwire/runtime';
import { z } from 'zod';

/** Settings of the front-door service, from VITALWIRE_INGEST_… */
export const IngestConfig = z.strictObject({
  ...listenSettings('ingest'),
  ...identitySettings,
  database: secret(z.string().min(1)).describe('sqlite:DIR or mysql://user:password@host:port/database, with a user that may only insert'),
  commitDeadlineMs: z.coerce
    .number()
    .int()
    .min(100)
    .max(14_000)
    .default(10_000)
    .describe('how long an acknowledgement may wait for the database before its client is dropped'),
  waitingMb: z.coerce
    .number()
    .int()
    .min(1)
    .max(4_096)
    .default(64)
    .describe('memory for messages that wait for the database, over all clients'),
  maxConnections: z.coerce.number().int().min(1).max(65_535).default(4_096).describe('open connections in all'),
  maxConnectionsPerCertificate: z.coerce.number().int().min(1).max(64).default(4).describe('open connections of one gateway or service'),
  connectsPerSecond: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(50)
    .describe('new sessions per second; more wait, then are told to come again'),
  ...watchSettings,
});
export type IngestConfig = z.output<typeof IngestConfig>;
