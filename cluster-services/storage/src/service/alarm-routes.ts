import {
  type Alarm,
  AlarmLog,
  AlarmLogQuery,
  AllLimits,
  isServiceId,
  LeasePost,
  Leases,
  LimitsOfPatient,
  LimitsPut,
  PatientLimits,
} from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import { z } from 'zod';
import { type DeviceTime, readAlarmLog, readOpenAlarms } from '../queries/alarm-log.ts';
import { refusals } from '../queries/errors.ts';
import { allLimits, limitsOf, limitsOfPatient, putLimits } from '../registry/alarm-limits.ts';
import { renewLeases } from '../registry/leases.ts';
import { isOwnedWithin, Registry } from '../registry/registry.ts';
import { NoQuery, OfId, OfVital, type RouteDeps } from './route-parts.ts';

const OfKind = z.strictObject({ kind: z.enum(['alarms', 'prediction']) });

/** The log of alarms, the limits of patients, and who works on which shard. */
export function addAlarmRoutes(api: Api, { readings, registry, clock }: RouteDeps): void {
  api.get('/v1/alarm-log', { schema: { querystring: AlarmLogQuery, response: { 200: AlarmLog } } }, async (request) => {
    const { device, patient, fromUs, toUs, open, cursor, limit } = request.query;
    if (fromUs !== undefined && toUs !== undefined && toUs <= fromUs) throw refusals.emptyRange();
    const devices = await wanted(device, patient);
    const owners = await registry.use((db) => new Registry(db).owners(device === undefined ? undefined : [device]));
    const isBelieved = (alarm: Alarm): boolean => {
      const atUs = alarm.onsetUs ?? alarm.measuredAtUs;
      return isServiceId(alarm.sender) || isOwnedWithin(owners, { device: alarm.device, gateway: alarm.sender }, atUs, atUs);
    };
    if (open === 'true')
      return { lines: await readings.use((db) => readOpenAlarms(db, { devices, isBelieved }, clock.nowUs())), next: null };
    return readings.use((db) => readAlarmLog(db, { devices, isBelieved, fromUs: fromUs ?? null, toUs: toUs ?? null, cursor, limit }));
  });
  api.get('/v1/alarm-limits', { schema: { querystring: NoQuery, response: { 200: AllLimits } } }, () => registry.use(allLimits));
  api.get(
    '/v1/patients/:id/alarm-limits',
    { schema: { params: OfId, querystring: NoQuery, response: { 200: LimitsOfPatient } } },
    (request) => registry.use((db) => limitsOfPatient(db, request.params.id)),
  );
  api.get(
    '/v1/patients/:id/alarm-limits/:stream',
    { schema: { params: OfVital, querystring: NoQuery, response: { 200: PatientLimits } } },
    ({ params: { id, stream } }) => registry.use((db) => limitsOf(db, { patient: id, stream })),
  );
  api.put(
    '/v1/patients/:id/alarm-limits/:stream',
    { schema: { params: OfVital, body: LimitsPut, response: { 200: PatientLimits } } },
    ({ params: { id, stream }, body }) => registry.use((db) => putLimits(db, { patient: id, stream }, body, clock.nowUs())),
  );
  api.post('/v1/leases/:kind', { schema: { params: OfKind, body: LeasePost, response: { 200: Leases } } }, (request) =>
    registry.use((db) => renewLeases(db, request.params.kind, request.body, clock.nowUs())),
  );

  /** Null = every device. A patient's alarms are those of a device while the patient wore it. */
  async function wanted(device: string | undefined, patient: string | undefined): Promise<DeviceTime[] | null> {
    if (patient === undefined) return device === undefined ? null : [{ device, fromUs: null, toUs: null }];
    const worn = await registry.use(async (db) => {
      const one = new Registry(db);
      await one.patient(patient);
      return one.assignments({ patient });
    });
    return worn.filter((one) => device === undefined || one.device === device);
  }
}
