import type { Clock, Lifecycle, Log } from '@vitalwire/runtime';
import type { z } from 'zod';
import type { Addresses } from './stack/supervisor.ts';

/** A service of the system: its settings and how to build it. Loaded only when it is asked for. */
export type ServiceKind = {
  readonly schema: z.ZodObject;
  readonly create: (config: unknown, env: { log: Log; clock: Clock }) => Lifecycle & { addresses(): Addresses };
};

/** Every program that `vitalwire service <name>` can run; the environment variables of each start with VITALWIRE_<NAME>_. */
export const services: Readonly<Record<string, () => Promise<ServiceKind>>> = {
  storage: async () => {
    const { StorageConfig, createStorage } = await import('@vitalwire/storage');
    return kind(StorageConfig, createStorage);
  },
  ingest: async () => {
    const { IngestConfig, createIngest } = await import('@vitalwire/ingest');
    return kind(IngestConfig, createIngest);
  },
  prediction: async () => {
    const { PredictionConfig, createPrediction } = await import('@vitalwire/prediction');
    return kind(PredictionConfig, createPrediction);
  },
  alarms: async () => {
    const { AlarmsConfig, createAlarms } = await import('@vitalwire/alarms');
    return kind(AlarmsConfig, createAlarms);
  },
  web: async () => {
    const { WebConfig, createWeb } = await import('@vitalwire/web');
    return kind(WebConfig, createWeb);
  },
  edge: async () => {
    const { EdgeConfig, createEdge } = await import('@vitalwire/edge-agent');
    return kind(EdgeConfig, createEdge);
  },
};

export function prefixOf(service: string): string {
  return `VITALWIRE_${service.toUpperCase()}_`;
}

/** A schema and the factory that takes what it gives. `readConfig` has checked the value against this very schema. */
function kind<Schema extends z.ZodObject>(
  schema: Schema,
  create: (config: z.output<Schema>, env: { log: Log; clock: Clock }) => Lifecycle & { addresses(): Addresses },
): ServiceKind {
  return { schema, create: (config, env) => create(config as z.output<Schema>, env) };
}
