import { z } from 'zod';
import { baselines, verdicts } from '../messages.ts';
import { numericKinds, numericStreams } from '../numerics.ts';
import { AlarmInfo, AlarmPause } from './alarms.ts';
import { Count, Id, Micros, Uuid } from './fields.ts';

// What an edge agent that runs the detector itself (`--detect`) says of its own devices, with or without a cluster.

/** GET /v1/watch of the edge agent: data times are the devices', `receivedAtUs` the gateway's. */
export const EdgeWatch = z.object({
  nowUs: Micros, // the gateway's clock
  gateway: Id,
  online: z.boolean(), // connected to the front door
  detector: z.object({
    state: z.enum(['starting', 'running', 'behind', 'down']),
    problem: z.string().nullable(), // in one sentence
    modelHash: z.string().nullable(),
    modelVersion: z.string().nullable(),
  }),
  devices: z.array(
    z.object({
      device: Id,
      replay: z.object({ speed: z.number(), source: z.string() }).nullable(),
      eeg: z
        .object({
          recordingId: Uuid,
          channels: Count,
          rateHz: z.number(),
          open: z.boolean(),
          measuredAtUs: z.number(),
          receivedAtUs: Micros,
        })
        .nullable(),
      detection: z
        .object({
          verdict: z.enum(verdicts),
          probability: z.number().nullable(),
          reason: z.string().nullable(),
          baseline: z.enum(baselines).nullable(),
          channel: Count,
          measuredAtUs: z.number(), // the end of its window
          receivedAtUs: Micros,
        })
        .nullable(),
      numerics: z.array(
        z.object({
          stream: z.enum(numericStreams),
          value: z.number(), // in the unit of the vital
          kind: z.enum(numericKinds),
          measuredAtUs: z.number(),
          receivedAtUs: Micros,
        }),
      ), // the newest of each vital, in the order of their table
    }),
  ),
  alarms: z.array(AlarmInfo),
  pauses: z.array(AlarmPause),
});
export type EdgeWatch = z.infer<typeof EdgeWatch>;
