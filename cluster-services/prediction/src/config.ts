import { frontDoorSetting, identitySettings, storageSettings, watchSettings } from '@vitalwire/runtime';
import { z } from 'zod';

/** Settings of the prediction service, from VITALWIRE_PREDICTION_… */
export const PredictionConfig = z.strictObject({
  ...identitySettings,
  ...frontDoorSetting,
  ...storageSettings,
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
  ...watchSettings,
});
export type PredictionConfig = z.output<typeof PredictionConfig>;
