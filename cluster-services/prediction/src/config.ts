import { secret } from '@vitalwire/runtime';
import { z } from 'zod';

/** Settings of the prediction service, from VITALWIRE_PREDICTION_… */
export const PredictionConfig = z.strictObject({
  frontDoorUrl: z
    .url({ protocol: /^mqtts$/ })
    .default('mqtts://127.0.0.1:8883')
    .describe('the front door'),
  storageUrl: z
    .url({ protocol: /^https$/ })
    .default('https://127.0.0.1:8444')
    .describe('the storage service'),
  storageToken: secret(z.string().min(1)).describe('bearer token of the storage service'),
  certPath: z.string().min(1).describe('certificate of this service, PEM'),
  keyPath: z.string().min(1).describe('its private key, PEM'),
  caPath: z.string().min(1).describe('the authority of front door and storage, PEM'),
  backend: z
    .enum(['auto', 'wasm', 'tfjs-node'])
    .default('auto')
    .describe('where the network runs; auto takes tfjs-node if it works, else wasm'),
  workers: z.coerce
    .number()
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe('processes that score, some 150 MB each; 0 takes one less than there are processors, at least one'),
  sweepS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3600)
    .default(30)
    .describe('seconds between two looks at storage for windows without a detection'),
  dataDir: z
    .string()
    .default('')
    .describe(
      'directory that remembers known montages and baselines, so that scoring starts even while storage is down; empty: not remembered',
    ),
  probeHost: z.string().min(1).default('127.0.0.1').describe('address of /healthz, /readyz and /metrics'),
  probePort: z.coerce.number().int().min(0).max(65_535).default(0).describe('their port; 0 takes any free one'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe level that is logged'),
});
export type PredictionConfig = z.output<typeof PredictionConfig>;
