import { isId, isUuid, numericStreams } from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { refusals } from '../queries/errors.ts';
import { findRecording, type Recording } from '../queries/recordings.ts';
import type { StatsReader } from '../queries/stats.ts';
import type { StoredSeqsReader } from '../queries/stored-seqs.ts';
import type { ReadingsTables, RegistryTables } from '../schema/tables.ts';
import type { DatabaseHandle } from './database-handle.ts';
import type { Turnstile } from './turnstile.ts';

/** What the routes work with. Readers keep what they have seen; they are forgotten when the database is replaced. */
export type RouteDeps = {
  readonly readings: DatabaseHandle<ReadingsTables>;
  readonly registry: DatabaseHandle<RegistryTables>;
  readonly readers: (db: Kysely<ReadingsTables>) => { readonly seqs: StoredSeqsReader; readonly stats: StatsReader };
  readonly heavy: Turnstile;
  readonly clock: Clock;
  readonly onNewGeneration: () => void;
};

export const routeLimits = {
  recordingsPerLedger: 2_000,
  devicesPerAnswer: 5_000,
  quarantineItems: 100,
  chunkBytesPerAnswer: 16 * 1024 * 1024,
} as const;

export const OfRecording = z.strictObject({ id: z.string().refine(isUuid, { error: 'expected a UUID in lower case' }) });
export const OfId = z.strictObject({
  id: z.string().refine(isId, { error: 'expected 1 to 63 letters, digits, dots, hyphens or underscores' }),
});
export const OfVital = z.strictObject({
  ...OfId.shape,
  stream: z.enum(numericStreams, { error: `expected one of ${numericStreams.join(', ')}` }),
});
export const NoQuery = z.strictObject({});

export async function mustFind(db: Kysely<ReadingsTables>, recordingId: string): Promise<Recording> {
  const recording = await findRecording(db, recordingId);
  if (recording === null) throw refusals.noRecording(recordingId);
  return recording;
}

export function endOf(info: { startedAtUs: number; endedAtUs: number | null }): number {
  return info.endedAtUs ?? Number.POSITIVE_INFINITY;
}
