import { Generation, Latest, LatestQuery, limits, Quarantine, Stats, StoredGateways, TimeAnswer } from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { readGateways } from '../queries/gateways.ts';
import { latestOf, storedDevices } from '../queries/latest.ts';
import { readQuarantine } from '../queries/stats.ts';
import { patientAt, Registry } from '../registry/registry.ts';
import { schemaVersion } from '../schema/migrate.ts';
import type { ReadingsTables } from '../schema/tables.ts';
import { NoQuery, type RouteDeps, routeLimits } from './route-parts.ts';
import { renewGeneration } from './upkeep.ts';

const QuarantineQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(limits.maxRowsPerQuery).default(routeLimits.quarantineItems),
});
const GenerationPost = z.strictObject({ reason: z.string().min(1).max(64) });

export function addOverviewRoutes(api: Api, deps: RouteDeps): void {
  const { readings, registry, readers, clock } = deps;
  api.get('/v1/time', { schema: { querystring: NoQuery, response: { 200: TimeAnswer } } }, () => ({ nowUs: clock.nowUs() }));
  api.get('/v1/generation', { schema: { querystring: NoQuery, response: { 200: Generation } } }, () => readings.use(readGeneration));
  api.post('/v1/generation', { schema: { body: GenerationPost, response: { 200: Generation } } }, async (request) => {
    const made = await readings.use((db) => renewGeneration(db, clock.nowUs(), request.body.reason));
    deps.onNewGeneration();
    return made;
  });
  api.get('/v1/latest', { schema: { querystring: LatestQuery, response: { 200: Latest } } }, async (request) => {
    const { patient, device } = request.query;
    const nowUs = clock.nowUs();
    const { assignments, owners } = await registry.use(async (db) => {
      const one = new Registry(db);
      const devices = device === undefined ? undefined : [device];
      return { assignments: await one.assignments(devices === undefined ? {} : { devices }), owners: await one.owners(devices) };
    });
    const ownerOf = new Map(owners.map((owner) => [owner.device, owner.gateway])); // the last is the present one
    return readings.use(async (db) => {
      const wornNow = (one: string): string | null => patientAt(assignments, one, nowUs);
      const asked = device === undefined ? await storedDevices(db, routeLimits.devicesPerAnswer) : [device];
      const devices = asked.filter((one) => patient === undefined || wornNow(one) === patient);
      const answers = [];
      for (const one of devices) answers.push(await latestOf(db, { device: one, gateway: ownerOf.get(one) ?? null }, wornNow(one)));
      return { devices: answers };
    });
  });
  api.get('/v1/gateways', { schema: { querystring: NoQuery, response: { 200: StoredGateways } } }, () =>
    readings.use(async (db) => ({ gateways: await readGateways(db) })),
  );
  api.get('/v1/quarantine', { schema: { querystring: QuarantineQuery, response: { 200: Quarantine } } }, (request) =>
    readings.use((db) => readQuarantine(db, request.query.limit)),
  );
  api.get('/v1/stats', { schema: { querystring: NoQuery, response: { 200: Stats } } }, () =>
    readings.use(async (db) => {
      const [counts, { generation }] = [await readers(db).stats.read(), await readGeneration(db)];
      return { ...counts, schemaVersion: schemaVersion(), generation };
    }),
  );
}

async function readGeneration(db: Kysely<ReadingsTables>): Promise<{ generation: string; createdAtUs: number }> {
  const row = await db.selectFrom('generation').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
  return { generation: row.generation, createdAtUs: row.created_at_us };
}
