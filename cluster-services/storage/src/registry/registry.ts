import type {
  Assignment,
  AssignmentPut,
  Device,
  DeviceMove,
  DeviceMoves,
  DeviceOwner,
  DevicePut,
  Patient,
  PatientPut,
  Registry as RegistrySnapshot,
} from '@vitalwire/contract';
import { claimLimits } from '@vitalwire/contract';
import { type Kysely, sql, type Transaction } from 'kysely';
import { refusals } from '../queries/errors.ts';
import type { RegistryTables } from '../schema/tables.ts';

export const registryLimits = { patients: 20_000, devices: 20_000, assignments: 100_000, limitChanges: 10_000, moves: 1_000 } as const;

/** A device as a gateway has announced it. */
export type Announced = { readonly device: string; readonly gateway: string; readonly firstCommittedAtUs: number };

/** Who says whose a device is when nobody has: its first announcement. */
const FIRST_ANNOUNCED = 'first announced';

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
      owners: (await trx.selectFrom('device_owner').selectAll().orderBy('device').orderBy('move').execute()).map(toOwner),
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

  /** Whose these devices are and were, oldest first per device. */
  async owners(devices?: readonly string[]): Promise<DeviceOwner[]> {
    if (devices?.length === 0) return [];
    let query = this.#db.selectFrom('device_owner').selectAll();
    if (devices !== undefined) query = query.where('device', 'in', [...devices]);
    return (await query.orderBy('device').orderBy('move').execute()).map(toOwner);
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
      const owner = await ownerNow(trx, id);
      // Whose a device is decides whose readings reach a patient: that does not change in passing.
      if (put.gateway !== undefined && owner !== undefined && owner.gateway !== put.gateway) throw refusals.notTheOwner(id, owner.gateway);
      const given = owner === undefined ? put.gateway : undefined;
      if (given !== undefined) await addOwner(trx, { device: id, move: 0, gateway: given, from_us: null, by_id: 'registry', at_us: nowUs });
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
      } else return { answer: toDevice(before), changed: given !== undefined };
      return { answer: after, changed: true };
    });
  }

  /** Moves a device to another gateway, from now or from an earlier moment on; the move is recorded. The same again changes nothing. */
  async moveDevice(id: string, { gateway, by, fromUs }: DeviceMove, nowUs: number): Promise<DeviceMoves> {
    return this.#change(async (trx) => {
      const before = await ownerNow(trx, id);
      const known = await trx.selectFrom('device').select('id').where('id', '=', id).executeTakeFirst();
      if (before === undefined && known === undefined) throw refusals.noDevice(id);
      if (before?.gateway === gateway) return { answer: { device: id, owners: await ownersOf(trx, id) }, changed: false };
      if (before !== undefined && before.move + 1 >= registryLimits.moves)
        throw refusals.registryFull('moves of one device', registryLimits.moves);
      const atUs = fromUs ?? nowUs;
      if (atUs > nowUs) throw refusals.badMove(id, 'a move begins now or has begun');
      if (before !== undefined && before.from_us !== null && atUs <= before.from_us)
        throw refusals.badMove(id, 'the move before it began no earlier');
      const place = before === undefined ? { move: 0, from_us: null } : { move: before.move + 1, from_us: atUs };
      await addOwner(trx, { device: id, gateway, ...place, by_id: by, at_us: nowUs });
      await trx.updateTable('device').set({ gateway, updated_at_us: nowUs }).where('id', '=', id).execute();
      return { answer: { device: id, owners: await ownersOf(trx, id) }, changed: true };
    });
  }

  /** Records the first owners of devices that are nobody's yet: whoever announced them first. Returns those recorded. */
  async claimDevices(announced: readonly Announced[], nowUs: number): Promise<Announced[]> {
    if (announced.length === 0) return [];
    return this.#change(async (trx) => {
      const rows = await trx.selectFrom('device_owner').select(['device', 'move', 'gateway', 'by_id']).execute();
      const owned = new Set(rows.map(({ device }) => device));
      const claims = new Map<string, number>();
      for (const { gateway, by_id } of rows) if (by_id === FIRST_ANNOUNCED) claims.set(gateway, (claims.get(gateway) ?? 0) + 1);
      const taken: Announced[] = [];
      for (const one of announced.toSorted((a, b) => a.firstCommittedAtUs - b.firstCommittedAtUs)) {
        const held = claims.get(one.gateway) ?? 0;
        if (owned.has(one.device) || held >= claimLimits.perGateway || owned.size >= claimLimits.all) continue;
        await addOwner(trx, { device: one.device, move: 0, gateway: one.gateway, from_us: null, by_id: FIRST_ANNOUNCED, at_us: nowUs });
        owned.add(one.device);
        claims.set(one.gateway, held + 1);
        taken.push(one);
      }
      return { answer: taken, changed: taken.length > 0 };
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

/** One gateway's time with a device. */
export type OwnedTime = { readonly gateway: string; readonly fromUs: number | null; readonly toUs: number | null };

/** The times of a device with its gateways; empty while nobody knows whose it is. */
export function ownedTimes(owners: readonly DeviceOwner[], device: string): OwnedTime[] {
  const own = owners.filter((one) => one.device === device);
  return own.map(({ gateway, fromUs }, index) => ({ gateway, fromUs, toUs: own[index + 1]?.fromUs ?? null }));
}

/** Whether a gateway's readings of a device count at some moment of a time; while nobody knows whose a device is, they do. */
export function isOwnedWithin(
  owners: readonly DeviceOwner[],
  { device, gateway }: { readonly device: string; readonly gateway: string },
  fromUs: number,
  toUs: number,
): boolean {
  const times = ownedTimes(owners, device);
  return (
    times.length === 0 ||
    times.some((one) => one.gateway === gateway && (one.fromUs === null || one.fromUs <= toUs) && (one.toUs === null || fromUs < one.toUs))
  );
}

function ownerNow(trx: Kysely<RegistryTables>, device: string): Promise<RegistryTables['device_owner'] | undefined> {
  return trx.selectFrom('device_owner').selectAll().where('device', '=', device).orderBy('move', 'desc').limit(1).executeTakeFirst();
}

async function ownersOf(trx: Kysely<RegistryTables>, device: string): Promise<DeviceOwner[]> {
  return (await trx.selectFrom('device_owner').selectAll().where('device', '=', device).orderBy('move').execute()).map(toOwner);
}

async function addOwner(trx: Transaction<RegistryTables>, row: RegistryTables['device_owner']): Promise<void> {
  await trx.insertInto('device_owner').values(row).execute();
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

function toOwner(row: RegistryTables['device_owner']): DeviceOwner {
  return { device: row.device, gateway: row.gateway, fromUs: row.from_us, by: row.by_id, atUs: row.at_us };
}
