import {
  type AllLimits,
  inTableOrder,
  type LimitsOfPatient,
  type NumericLimits,
  NumericLimitsOf,
  type NumericStream,
  numericFacts,
  numericStreams,
  type PatientLimits,
} from '@vitalwire/contract';
import type { Kysely } from 'kysely';
import { refusals } from '../queries/errors.ts';
import type { RegistryTables } from '../schema/tables.ts';
import { assertThere, changeRegistry, registryLimits } from './registry.ts';

/** How many changes a listing shows; all of them stay stored. */
const CHANGES_SHOWN = 1_000;

type Change = RegistryTables['limit_change'];
/** Whose limits, and of what. */
type Of = { readonly patient: string; readonly stream: NumericStream };

/** The limits of one patient and vital; the usual ones where nobody has changed them. */
export async function limitsOf(db: Kysely<RegistryTables>, of: Of): Promise<PatientLimits> {
  await assertThere(db, 'patient', of.patient);
  return patientLimits(of, await newestChange(db, of));
}

/** The limits of one patient, of every vital. */
export async function limitsOfPatient(db: Kysely<RegistryTables>, patient: string): Promise<LimitsOfPatient> {
  await assertThere(db, 'patient', patient);
  const limits = [];
  for (const stream of numericStreams) limits.push(patientLimits({ patient, stream }, await newestChange(db, { patient, stream })));
  return { limits };
}

/** All limits that were changed, and what was changed, newest first. */
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
          .whereRef('other.patient', '=', 'one.patient')
          .whereRef('other.stream', '=', 'one.stream'),
      ),
    )
    .execute();
  const recent = await db
    .selectFrom('limit_change')
    .selectAll()
    .orderBy('at_us', 'desc')
    .orderBy('patient')
    .orderBy('stream')
    .orderBy('change', 'desc')
    .limit(CHANGES_SHOWN)
    .execute();
  const changes = [];
  for (const change of recent) {
    const { patient, stream } = change;
    const before = change.change === 0 ? undefined : await changeAt(db, { patient, stream }, change.change - 1);
    const [was, is] = [before === undefined ? null : limitsIn(before), limitsIn(change)];
    changes.push({ patient, stream, atUs: change.at_us, by: change.by_id, before: was, after: is });
  }
  const limits = inTableOrder(newest.map((change) => patientLimits(change, change)));
  limits.sort((a, b) => (a.patient < b.patient ? -1 : a.patient > b.patient ? 1 : 0));
  return { limits, changes };
}

/** Sets a patient's limits of a vital; the old ones stay in the history. The same limits again change nothing. */
export async function putLimits(
  db: Kysely<RegistryTables>,
  of: Of,
  put: { readonly limits: NumericLimits; readonly by: string },
  nowUs: number,
): Promise<PatientLimits> {
  const meant = NumericLimitsOf(of.stream).safeParse(put.limits);
  if (!meant.success) throw refusals.badLimits(numericFacts(of.stream).label, meant.error.issues);
  return changeRegistry(db, async (trx) => {
    await assertThere(trx, 'patient', of.patient);
    const before = await newestChange(trx, of);
    if (before !== undefined && isSame(limitsIn(before), put.limits)) return { answer: patientLimits(of, before), changed: false };
    if (before !== undefined && before.change + 1 >= registryLimits.limitChanges)
      throw refusals.registryFull("changes of one patient's limits", registryLimits.limitChanges);
    const { low, high, extremeDelta } = put.limits;
    const change = before === undefined ? 0 : before.change + 1;
    const after: Change = { ...of, change, low, high, extreme_delta: extremeDelta, by_id: put.by, at_us: nowUs };
    await trx.insertInto('limit_change').values(after).execute();
    return { answer: patientLimits(of, after), changed: true };
  });
}

function changesOf(db: Kysely<RegistryTables>, { patient, stream }: Of) {
  return db.selectFrom('limit_change').selectAll().where('patient', '=', patient).where('stream', '=', stream);
}

function newestChange(db: Kysely<RegistryTables>, of: Of): Promise<Change | undefined> {
  return changesOf(db, of).orderBy('change', 'desc').limit(1).executeTakeFirst();
}

function changeAt(db: Kysely<RegistryTables>, of: Of, change: number): Promise<Change | undefined> {
  return changesOf(db, of).where('change', '=', change).executeTakeFirst();
}

function patientLimits({ patient, stream }: Of, change: Change | undefined): PatientLimits {
  if (change === undefined) return { patient, stream, limits: numericFacts(stream).limits.usual, changedAtUs: null, changedBy: null };
  return { patient, stream, limits: limitsIn(change), changedAtUs: change.at_us, changedBy: change.by_id };
}

function limitsIn({ low, high, extreme_delta }: Change): NumericLimits {
  return { low, high, extremeDelta: extreme_delta };
}

function isSame(a: NumericLimits, b: NumericLimits): boolean {
  return a.low === b.low && a.high === b.high && a.extremeDelta === b.extremeDelta;
}
