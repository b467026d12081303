import { identitySettings, listenSettings, secret, watchSettings } from '@vitalwire/runtime';
import { z } from 'zod';

/** Settings of the storage service, from VITALWIRE_STORAGE_… */
export const StorageConfig = z.strictObject({
  ...listenSettings('storage'),
  ...identitySettings,
  database: secret(z.string().min(1)).describe('where readings are: sqlite:DIR or mysql://user:password@host:port/database'),
  registryDatabase: secret(z.string().min(1))
    .optional()
    .describe('where patients, devices and assignments are, in the same spelling; beside the readings unless given'),
  token: secret(z.string().min(16)).describe('bearer token the other services show'),
  ...watchSettings,
});
export type StorageConfig = z.output<typeof StorageConfig>;
