import { z } from 'zod';
import { limits } from '../limits.ts';
import { Count, Id, Micros, Uuid, wireText } from './fields.ts';
import { Problem } from './state.ts';

/** A monitor measures any numeric vitals, a heart-rate device that one. */
export const deviceKinds = ['eeg', 'monitor', 'heart-rate', 'phone', 'other'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** GET /v1/generation: changes when the readings were restored or replaced; gateways then send again all they hold. */
export const Generation = z.object({ generation: Uuid, createdAtUs: Micros });
export type Generation = z.infer<typeof Generation>;

/** PUT /v1/patients/:id. The label is shown on screens inside the cluster, and travels nowhere else. */
export const PatientPut = z.strictObject({ label: z.string().max(40).optional(), notes: z.string().max(4096).optional() });
export type PatientPut = z.infer<typeof PatientPut>;
export const Patient = z.object({ id: Id, label: z.string().nullable(), notes: z.string().nullable() });
export type Patient = z.infer<typeof Patient>;
export const Patients = z.object({ patients: z.array(Patient) });
export type Patients = z.infer<typeof Patients>;

/** PUT /v1/devices/:id */
export const DevicePut = z.strictObject({
  kind: z.enum(deviceKinds),
  label: wireText(limits.maxLabelBytes).optional(),
  gateway: Id.optional(),
});
export type DevicePut = z.infer<typeof DevicePut>;
export const Device = z.object({ id: Id, kind: z.enum(deviceKinds), label: z.string().nullable(), gateway: Id.nullable() });
export type Device = z.infer<typeof Device>;
export const Devices = z.object({ devices: z.array(Device) });
export type Devices = z.infer<typeof Devices>;

/** PUT /v1/assignments: this device is (or was) worn by this patient; `toUs` null = until further notice. */
export const AssignmentPut = z
  .strictObject({ device: Id, patient: Id, fromUs: Micros, toUs: Micros.nullable() })
  .refine(({ fromUs, toUs }) => toUs === null || toUs > fromUs, { error: 'toUs must be after fromUs' });
export type AssignmentPut = z.infer<typeof AssignmentPut>;
export const Assignment = z.object({ device: Id, patient: Id, fromUs: Micros, toUs: Micros.nullable() });
export type Assignment = z.infer<typeof Assignment>;
export const Assignments = z.object({ assignments: z.array(Assignment) });
export type Assignments = z.infer<typeof Assignments>;

/** From `fromUs` on (null: from the beginning) this device belongs to this gateway, until the next of its owners; who said so, and when. */
export const DeviceOwner = z.object({ device: Id, gateway: Id, fromUs: Micros.nullable(), by: z.string(), atUs: Micros });
export type DeviceOwner = z.infer<typeof DeviceOwner>;

/** POST /v1/devices/:id/moves: from now on, or from `fromUs` on, the device belongs to another gateway. */
export const DeviceMove = z.strictObject({ gateway: Id, by: wireText(limits.maxNameBytes).min(1), fromUs: Micros.optional() });
export type DeviceMove = z.infer<typeof DeviceMove>;
export const DeviceMoves = z.object({ device: Id, owners: z.array(DeviceOwner) });
export type DeviceMoves = z.infer<typeof DeviceMoves>;

/** GET /v1/registry: all of it at one revision, which rises with every change; services keep a snapshot on their own disk. */
export const Registry = z.object({
  revision: Count,
  patients: z.array(Patient),
  devices: z.array(Device),
  assignments: z.array(Assignment),
  /** Whose each device is and was, oldest first per device; absent in a snapshot of an older release. */
  owners: z.array(DeviceOwner).optional(),
  /** What is wrong with the databases, told with what every service asks for all the time; absent = nothing. */
  problems: z.array(Problem).optional(),
});
export type Registry = z.infer<typeof Registry>;
