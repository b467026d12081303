import { bytesToUuid, type StoredGateway } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import type { ReadingsTables } from '../schema/tables.ts';
import { readMessages } from './recordings.ts';

const MAX_GATEWAYS = 10_000;

/** The latest session of every gateway. A gateway's births arrive in order, so the one committed last is the newest, whatever its clock says. */
export async function readGateways(db: Kysely<ReadingsTables>): Promise<StoredGateway[]> {
  const newest = await db
    .selectFrom('stream_index')
    .select((eb) => ['gateway', eb.fn.max('first_committed_at_us').as('committed')])
    .where('stream', '=', 'status')
    .groupBy('gateway')
    .orderBy('gateway')
    .limit(MAX_GATEWAYS)
    .execute();
  const gateways: StoredGateway[] = [];
  for (const { gateway, committed } of newest) {
    const session = await db
      .selectFrom('stream_index')
      .select('recording_id')
      .where('gateway', '=', gateway)
      .where('stream', '=', 'status')
      .where('first_committed_at_us', '=', Number(committed))
      .orderBy('recording_id', 'desc') // two sessions in one batch: the later one
      .limit(1)
      .executeTakeFirst();
    const found = session === undefined ? null : await readSession(db, gateway, bytesToUuid(session.recording_id));
    if (found !== null) gateways.push(found);
  }
  return gateways;
}

async function readSession(db: Kysely<ReadingsTables>, gateway: string, statusId: string): Promise<StoredGateway | null> {
  const messages = (await readMessages(db, statusId, { fromSeq: 0, limit: 2 }))
    .map(({ message }) => message)
    .filter((message) => message.stream === 'status');
  const any = messages[0];
  if (any === undefined) return null;
  const birth = messages.find(({ kind }) => kind === 'birth');
  const death = messages.find(({ kind }) => kind === 'death');
  return {
    gateway,
    session: any.subject,
    version: any.version,
    bornAtUs: (birth ?? any).measuredAtUs, // the birth may be lost while the death is stored
    diedAtUs: death?.measuredAtUs ?? null,
  };
}
