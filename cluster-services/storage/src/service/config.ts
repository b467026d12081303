import { secret } from '@vitalwire/runtime';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);

/** Settings of the storage service, from VITALWIRE_STORAGE_… */
export const StorageConfig = z.strictObject({
  database: secret(z.string().min(1)).describe('where readings are: sqlite:DIR or mysql://user:password@host:port/database'),
  registryDatabase: secret(z.string().min(1))
    .optional()
    .describe('where patients, devices and assignments are, in the same spelling; beside the readings unless given'),
  host: z.string().min(1).default('127.0.0.1').describe('address the HTTPS port listens at'),
  port: port.default(8444).describe('HTTPS; 0 takes any free port'),
  certPath: z.string().min(1).describe('certificate of this service, PEM'),
  keyPath: z.string().min(1).describe('its private key, PEM'),
  caPath: z.string().min(1).describe('the local authority, PEM'),
  token: secret(z.string().min(16)).describe('bearer token the other services show'),
  probeHost: z.string().min(1).default('127.0.0.1').describe('address of /healthz, /readyz and /metrics'),
  probePort: port.default(0).describe('their port; 0 takes any free one'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe level that is logged'),
});
export type StorageConfig = z.output<typeof StorageConfig>;
