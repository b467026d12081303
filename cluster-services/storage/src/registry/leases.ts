import { type LeasePost, type Leases, limits } from '@vitalwire/contract';
import { type Kysely, sql } from 'kysely';
import type { RegistryTables } from '../schema/tables.ts';

/**
 * Who works on which shard: a worker keeps the shards it holds, gives back what it does not want any more, and takes free or expired
 * ones up to `want`. The fence of a shard rises each time it changes hands, so that whoever reads a result sees which holder made it.
 */
export async function renewLeases(
  db: Kysely<RegistryTables>,
  kind: string,
  { worker, want, ttlS }: LeasePost,
  nowUs: number,
): Promise<Leases> {
  const untilUs = nowUs + ttlS * 1_000_000;
  return db.transaction().execute(async (trx) => {
    await sql`UPDATE registry_state SET revision = revision WHERE id = 1`.execute(trx); // takes the write lock: workers follow each other
    const rows = new Map((await trx.selectFrom('lease').selectAll().where('kind', '=', kind).execute()).map((row) => [row.shard, row]));
    const shards = [...Array(limits.shards).keys()];
    const own = shards.filter((shard) => isHeld(rows.get(shard), worker, nowUs));
    const free = shards.filter((shard) => (rows.get(shard)?.until_us ?? 0) <= nowUs);
    const kept = own.slice(0, want);
    const taken = free.slice(0, Math.max(0, want - kept.length));
    for (const shard of own.slice(want)) {
      await trx.updateTable('lease').set({ until_us: nowUs }).where('kind', '=', kind).where('shard', '=', shard).execute();
    }
    for (const shard of kept) {
      await trx.updateTable('lease').set({ until_us: untilUs }).where('kind', '=', kind).where('shard', '=', shard).execute();
    }
    for (const shard of taken) {
      const before = rows.get(shard);
      const after = { worker, fence: (before?.fence ?? 0) + 1, until_us: untilUs };
      if (before === undefined)
        await trx
          .insertInto('lease')
          .values({ kind, shard, ...after })
          .execute();
      else await trx.updateTable('lease').set(after).where('kind', '=', kind).where('shard', '=', shard).execute();
      rows.set(shard, { kind, shard, ...after });
    }
    const held = [...kept, ...taken].toSorted((a, b) => a - b);
    return { nowUs, untilUs, shards: held.map((shard) => ({ shard, fence: rows.get(shard)?.fence ?? 0 })) };
  });
}

function isHeld(row: RegistryTables['lease'] | undefined, worker: string, nowUs: number): boolean {
  return row !== undefined && row.worker === worker && row.until_us > nowUs;
}
