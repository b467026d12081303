import { type AllLimits, defaultHeartRateLimits, type HeartRateLimits, type LimitsPut, type PatientLimits } from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import { refusals } from '../queries/errors.ts';
import type { RegistryTables } from '../schema/tables.ts';
import { assertThere, changeRegistry, registryLimits } from './registry.ts';

/** How many changes a listing shows; all of them stay stored. */
const CHANGES_SHOWN = 1_000;

type Change = RegistryTables['limit_change'];

/** The limits of one patient; the default for whom nobody has changed them. */
export async function limitsOf(db: Kysely<RegistryTables>, patient: string): Promise<PatientLimits> {
  await assertThere(db, 'patient', patient);
  const newest = await newestChange(db, patient);
  return newest === undefined ? { patient, heartRate: defaultHeartRateLimits, changedAtUs: null, changedBy: null } : patientLimits(newest);
}

/** Every patient whose limits were changed, and what was changed, newest first. */
export async function allLimits(db: Kysely<RegistryTables>): Promise<AllLimits> {
  const newest = await db
    .selectFrom('limit_change as one')
    .selectAll()
    .where((eb) =>
      eb(
        'one.change',
        '=',
        eb
          .selectFrom('limit_change as other')
          .select((max) => max.fn.max('other.change').as('newest'))
          .whereRef('other.patient', '=', 'one.patient'),
      ),
    )
    .orderBy('patient')
    .execute();
  const recent = await db
    .selectFrom('limit_change')
    .selectAll()
    .orderBy('at_us', 'desc')
    .orderBy('patient')
    .orderBy('change', 'desc')
    .limit(CHANGES_SHOWN)
    .execute();
  const changes = [];
  for (const change of recent) {
    const before = change.change === 0 ? undefined : await changeAt(db, change.patient, change.change - 1);
    changes.push({
      patient: change.patient,
      atUs: change.at_us,
      by: change.by_id,
      before: before === undefined ? null : heartRateOf(before),
      after: heartRateOf(change),
    });
  }
  return { limits: newest.map(patientLimits), changes };
}

/** Sets a patient's limits; the old ones stay in the history. The same limits again change nothing. */
export async function putLimits(db: Kysely<RegistryTables>, patient: string, put: LimitsPut, nowUs: number): Promise<PatientLimits> {
  return changeRegistry(db, async (trx) => {
    await assertThere(trx, 'patient', patient);
    const before = await newestChange(trx, patient);
    if (before !== undefined && isSame(heartRateOf(before), put.heartRate)) return { answer: patientLimits(before), changed: false };
    if (before !== undefined && before.change + 1 >= registryLimits.limitChanges)
      throw refusals.registryFull("changes of one patient's limits", registryLimits.limitChanges);
    const after: Change = {
      patient,
      change: before === undefined ? 0 : before.change + 1,
      low: put.heartRate.low,
      high: put.heartRate.high,
      extreme_delta: put.heartRate.extremeDelta,
      by_id: put.by,
      at_us: nowUs,
    };
    await trx.insertInto('limit_change').values(after).execute();
    return { answer: patientLimits(after), changed: true };
  });
}

function newestChange(db: Kysely<RegistryTables>, patient: string): Promise<Change | undefined> {
  return db.selectFrom('limit_change').selectAll().where('patient', '=', patient).orderBy('change', 'desc').limit(1).executeTakeFirst();
}

function changeAt(db: Kysely<RegistryTables>, patient: string, change: number): Promise<Change | undefined> {
  return db.selectFrom('limit_change').selectAll().where('patient', '=', patient).where('change', '=', change).executeTakeFirst();
}

function patientLimits(change: Change): PatientLimits {
  return { patient: change.patient, heartRate: heartRateOf(change), changedAtUs: change.at_us, changedBy: change.by_id };
}

function heartRateOf({ low, high, extreme_delta }: Change): HeartRateLimits {
  return { low, high, extremeDelta: extreme_delta };
}

function isSame(a: HeartRateLimits, b: HeartRateLimits): boolean {
  return a.low === b.low && a.high === b.high && a.extremeDelta === b.extremeDelta;
}
