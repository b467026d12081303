import {
  AssignmentPut,
  Assignment as AssignmentSchema,
  Assignments,
  Device,
  DeviceMove,
  DeviceMoves,
  DevicePut,
  Devices,
  Patient,
  PatientPut,
  Patients,
  type Problem,
  Registry as RegistryAnswer,
} from '@vitalwire/contract';
import type { Api } from '@vitalwire/runtime';
import { Registry } from '../registry/registry.ts';
import { NoQuery, OfId, type RouteDeps } from './route-parts.ts';

export function addRegistryRoutes(api: Api, { readings, registry, clock }: RouteDeps): void {
  const use = <T>(work: (registry: Registry) => Promise<T>): Promise<T> => registry.use((db) => work(new Registry(db)));
  const problems = (): { problems?: Problem[] } =>
    readings.problem === null ? {} : { problems: [{ about: 'readings', text: readings.problem }] };
  api.get('/v1/registry', { schema: { querystring: NoQuery, response: { 200: RegistryAnswer } } }, async () => ({
    ...(await use((one) => one.snapshot())),
    ...problems(),
  }));
  api.get('/v1/patients', { schema: { querystring: NoQuery, response: { 200: Patients } } }, async () => ({
    patients: await use((one) => one.patients()),
  }));
  api.get('/v1/patients/:id', { schema: { params: OfId, querystring: NoQuery, response: { 200: Patient } } }, (request) =>
    use((one) => one.patient(request.params.id)),
  );
  api.put('/v1/patients/:id', { schema: { params: OfId, body: PatientPut, response: { 200: Patient } } }, (request) =>
    use((one) => one.putPatient(request.params.id, request.body, clock.nowUs())),
  );
  api.get('/v1/devices', { schema: { querystring: NoQuery, response: { 200: Devices } } }, async () => ({
    devices: await use((one) => one.devices()),
  }));
  api.get('/v1/devices/:id', { schema: { params: OfId, querystring: NoQuery, response: { 200: Device } } }, (request) =>
    use((one) => one.device(request.params.id)),
  );
  api.put('/v1/devices/:id', { schema: { params: OfId, body: DevicePut, response: { 200: Device } } }, (request) =>
    use((one) => one.putDevice(request.params.id, request.body, clock.nowUs())),
  );
  api.post('/v1/devices/:id/moves', { schema: { params: OfId, body: DeviceMove, response: { 200: DeviceMoves } } }, (request) =>
    use((one) => one.moveDevice(request.params.id, request.body, clock.nowUs())),
  );
  api.get('/v1/assignments', { schema: { querystring: NoQuery, response: { 200: Assignments } } }, async () => ({
    assignments: await use((one) => one.assignments()),
  }));
  api.put('/v1/assignments', { schema: { body: AssignmentPut, response: { 200: AssignmentSchema } } }, (request) =>
    use((one) => one.putAssignment(request.body, clock.nowUs())),
  );
}
