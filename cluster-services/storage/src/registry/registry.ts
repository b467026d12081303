import type { Assignment, AssignmentPut, Device, DevicePut, Patient, PatientPut, Registry as RegistrySnapshot } from '@vitalwire/contract';
import { type Kysely, sql, type Transaction } from 'kysely';
import { refusals } from '../queries/errors.ts';
import type { RegistryTables } from '../schema/tables.ts';

export const registryLimits = { patients: 20_000, devices: 20_000, assignments: 100_000, limitChanges: 10_000 } as const;

/**
 * Who wears what, and since when: known inside the cluster alone. Every change raises the revision; a repeat of what is already
 * so changes nothing.
 */
export class Registry {
  readonly #db: Kysely<RegistryTables>;

  constructor(db: Kysely<RegistryTables>) {
    this.#db = db;
  }

  /** Everything at one revision. */
  async snapshot(): Promise<RegistrySnapshot> {
    return this.#db.transaction().execute(async (trx) => ({
      revision: await revisionOf(trx),
      patients: (await trx.selectFrom('patient').selectAll().orderBy('id').execute()).map(toPatient),
      devices: (await trx.selectFrom('device').selectAll().orderBy('id').execute()).map(toDevice),
      assignments: (await trx.selectFrom('assignment').selectAll().orderBy('device').orderBy('from_us').execute()).map(toAssignment),
    }));
  }

  async patients(): Promise<Patient[]> {
    return (await this.#db.selectFrom('patient').selectAll().orderBy('id').execute()).map(toPatient);
  }

  async patient(id: string): Promise<Patient> {
    const row = await this.#db.selectFrom('patient').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw refusals.noPatient(id);
    return toPatient(row);
  }

  async devices(): Promise<Device[]> {
    return (await this.#db.selectFrom('device').selectAll().orderBy('id').execute()).map(toDevice);
  }

  async device(id: string): Promise<Device> {
    const row = await this.#db.selectFrom('device').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw refusals.noDevice(id);
    return toDevice(row);
  }

  async assignments(filter: { readonly devices?: readonly string[]; readonly patient?: string } = {}): Promise<Assignment[]> {
    if (filter.devices?.length === 0) return [];
    let query = this.#db.selectFrom('assignment').selectAll();
    if (filter.devices !== undefined) query = query.where('device', 'in', [...filter.devices]);
    if (filter.patient !== undefined) query = query.where('patient', '=', filter.patient);
    return (await query.orderBy('device').orderBy('from_us').execute()).map(toAssignment);
  }

  /** Registers a patient, or changes what is given of one; what is left out stays as it was. */
  async putPatient(id: string, put: PatientPut, nowUs: number): Promise<Patient> {
    return this.#change(async (trx) => {
      const before = await trx.selectFrom('patient').selectAll().where('id', '=', id).executeTakeFirst();
      const after = { id, label: put.label ?? before?.label ?? null, notes: put.notes ?? before?.notes ?? null };
      if (before === undefined) {
        await assertRoom(trx, 'patient', registryLimits.patients, 'patients');
        await trx
          .insertInto('patient')
          .values({ ...after, updated_at_us: nowUs })
          .execute();
      } else if (before.label !== after.label || before.notes !== after.notes) {
        await trx
          .updateTable('patient')
          .set({ ...after, updated_at_us: nowUs })
          .where('id', '=', id)
          .execute();
      } else return { answer: toPatient(before), changed: false };
      return { answer: after, changed: true };
    });
  }

  async putDevice(id: string, put: DevicePut, nowUs: number): Promise<Device> {
    return this.#change(async (trx) => {
      const before = await trx.selectFrom('device').selectAll().where('id', '=', id).executeTakeFirst();
      const after = { id, kind: put.kind, label: put.label ?? before?.label ?? null, gateway: put.gateway ?? before?.gateway ?? null };
      if (before === undefined) {
        await assertRoom(trx, 'device', registryLimits.devices, 'devices');
        await trx
          .insertInto('device')
          .values({ ...after, updated_at_us: nowUs })
          .execute();
      } else if (before.kind !== after.kind || before.label !== after.label || before.gateway !== after.gateway) {
        await trx
          .updateTable('device')
          .set({ ...after, updated_at_us: nowUs })
          .where('id', '=', id)
          .execute();
      } else return { answer: toDevice(before), changed: false };
      return { answer: after, changed: true };
    });
  }

  /**
   * From `fromUs` to `toUs` this device belongs to this patient. The same device and begin replaces an assignment; others are
   * cut where they overlap, so that at any moment a device belongs to at most one patient.
   */
  async putAssignment(put: AssignmentPut, nowUs: number): Promise<Assignment> {
    return this.#change(async (trx) => {
      const { device, patient, fromUs, toUs } = put;
      await assertThere(trx, 'patient', patient);
      await assertThere(trx, 'device', device);
      const before = (await trx.selectFrom('assignment').selectAll().where('device', '=', device).orderBy('from_us').execute()).map(
        toAssignment,
      );
      const after = assign(before, put);
      const isSame = JSON.stringify(before) === JSON.stringify(after);
      if (isSame) return { answer: put, changed: false };
      await assertRoom(trx, 'assignment', registryLimits.assignments, 'assignments');
      await trx.deleteFrom('assignment').where('device', '=', device).execute();
      for (const one of after) {
        await trx
          .insertInto('assignment')
          .values({ device, patient: one.patient, from_us: one.fromUs, to_us: one.toUs, updated_at_us: nowUs })
          .execute();
      }
      return { answer: { device, patient, fromUs, toUs }, changed: true };
    });
  }

  #change<T>(work: (trx: Transaction<RegistryTables>) => Promise<{ answer: T; changed: boolean }>): Promise<T> {
    return changeRegistry(this.#db, work);
  }
}

/**
 * One change of the registry; a real one raises the revision. Touching the one state row first takes the write lock: changes of two
 * services follow each other.
 */
export function changeRegistry<T>(
  db: Kysely<RegistryTables>,
  work: (trx: Transaction<RegistryTables>) => Promise<{ answer: T; changed: boolean }>,
): Promise<T> {
  return db.transaction().execute(async (trx) => {
    await sql`UPDATE registry_state SET revision = revision WHERE id = 1`.execute(trx);
    const { answer, changed } = await work(trx);
    if (changed) await sql`UPDATE registry_state SET revision = revision + 1 WHERE id = 1`.execute(trx);
    return answer;
  });
}

/** The assignments of one device after a new one was made. */
export function assign(before: readonly Assignment[], put: Assignment): Assignment[] {
  const kept = before.flatMap((one): Assignment[] => {
    if (one.fromUs === put.fromUs) return [];
    const startsBefore = one.fromUs < put.fromUs;
    const endsAfter = put.toUs !== null && (one.toUs === null || one.toUs > put.toUs);
    const overlaps = (put.toUs === null || one.fromUs < put.toUs) && (one.toUs === null || one.toUs > put.fromUs);
    if (!overlaps) return [one];
    return [...(startsBefore ? [{ ...one, toUs: put.fromUs }] : []), ...(endsAfter ? [{ ...one, fromUs: put.toUs ?? one.fromUs }] : [])];
  });
  return [...kept, put].toSorted((a, b) => a.fromUs - b.fromUs);
}

/** Whose a device was at a moment; null when it was nobody's. */
export function patientAt(assignments: readonly Assignment[], device: string, atUs: number): string | null {
  const found = assignments.find((one) => one.device === device && one.fromUs <= atUs && (one.toUs === null || atUs < one.toUs));
  return found?.patient ?? null;
}

async function revisionOf(trx: Transaction<RegistryTables>): Promise<number> {
  const { revision } = await trx.selectFrom('registry_state').select('revision').where('id', '=', 1).executeTakeFirstOrThrow();
  return revision;
}

export async function assertThere(trx: Kysely<RegistryTables>, table: 'patient' | 'device', id: string): Promise<void> {
  const row = await trx.selectFrom(table).select('id').where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw table === 'patient' ? refusals.noPatient(id) : refusals.noDevice(id);
}

async function assertRoom(
  trx: Transaction<RegistryTables>,
  table: 'patient' | 'device' | 'assignment',
  most: number,
  what: string,
): Promise<void> {
  const { rows } = await trx
    .selectFrom(table)
    .select((eb) => eb.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  if (Number(rows) >= most) throw refusals.registryFull(what, most);
}

function toPatient(row: RegistryTables['patient']): Patient {
  return { id: row.id, label: row.label, notes: row.notes };
}

function toDevice(row: RegistryTables['device']): Device {
  return { id: row.id, kind: row.kind, label: row.label, gateway: row.gateway };
}

function toAssignment(row: RegistryTables['assignment']): Assignment {
  return { device: row.device, patient: row.patient, fromUs: row.from_us, toUs: row.to_us };
}
