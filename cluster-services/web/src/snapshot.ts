import { join } from 'node:path';
import { Montage, Registry } from '@vitalwire/contract';
import { KeptJson, type Log } from '@vitalwire/runtime';
import { z } from 'zod';
import { KeptWard } from './kept-ward.ts';

/** What screens need to start while storage is down: who is known, who wears what, and how to read their samples. */
export const Snapshot = z.object({
  version: z.literal(1),
  savedAtUs: z.number(),
  registry: Registry.nullable(),
  montages: z.array(Montage),
});
export type Snapshot = z.infer<typeof Snapshot>;

export function registryFile(dataDir: string, log: Log): KeptJson<Snapshot> {
  return new KeptJson({ path: pathIn(dataDir, 'web-snapshot.json'), what: 'the last-known registry', schema: Snapshot, log });
}

export function wardFile(dataDir: string, log: Log): KeptJson<KeptWard> {
  return new KeptJson({ path: pathIn(dataDir, 'web-ward.json'), what: 'the last-known values', schema: KeptWard, log });
}

function pathIn(dataDir: string, name: string): string | null {
  return dataDir === '' ? null : join(dataDir, name);
}
