import { secret } from '@vitalwire/runtime';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);

/** Settings of the front-door service, from VITALWIRE_INGEST_… */
export const IngestConfig = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('address the MQTT port listens at'),
  port: port.default(8883).describe('MQTT over TLS; 0 takes any free port'),
  certPath: z.string().min(1).describe('certificate of the front door, PEM'),
  keyPath: z.string().min(1).describe('its private key, PEM'),
  caPath: z.string().min(1).describe('the authority that client certificates must come from, PEM'),
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
  probeHost: z.string().min(1).default('127.0.0.1').describe('address of /healthz, /readyz and /metrics'),
  probePort: port.default(0).describe('their port; 0 takes any free one'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe level that is logged'),
});
export type IngestConfig = z.output<typeof IngestConfig>;
