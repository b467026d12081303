import { dataStreams } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { Announced } from '../registry/registry.ts';
import type { ReadingsTables } from '../schema/tables.ts';

/**
 * Which gateways have sent as which devices, in recordings begun since `sinceMs` by their gateways' clocks; null: ever. Ids of recordings
 * begin with that time, so that a look at the latest needs no index of its own.
 */
export async function announcedDevices(db: Kysely<ReadingsTables>, sinceMs: number | null): Promise<Announced[]> {
  let query = db
    .selectFrom('stream_index')
    .select((eb) => ['device', 'gateway', eb.fn.min<number>('first_committed_at_us').as('firstCommittedAtUs')])
    .where('stream', 'in', ['recording', ...dataStreams]);
  if (sinceMs !== null) query = query.where('recording_id', '>=', earliestId(sinceMs));
  const rows = await query.groupBy(['device', 'gateway']).execute();
  return rows.map(({ device, gateway, firstCommittedAtUs }) => ({ device, gateway, firstCommittedAtUs: Number(firstCommittedAtUs) }));
}

function earliestId(sinceMs: number): Buffer {
  const id = Buffer.alloc(16);
  id.writeUIntBE(Math.max(0, Math.floor(sinceMs)), 0, 6);
  return id;
}
