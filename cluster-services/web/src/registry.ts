import type { Registry } from '@vitalwire/contract';
import type { WardRegistry } from './ward.ts';

/** Who wears what now; where two assignments overlap, the later one holds. */
export function wardRegistry(registry: Registry, nowUs: number): WardRegistry {
  const patientOfDevice = new Map<string, string>();
  for (const { device, patient, fromUs, toUs } of registry.assignments.toSorted((a, b) => a.fromUs - b.fromUs)) {
    if (fromUs <= nowUs && (toUs === null || toUs > nowUs)) patientOfDevice.set(device, patient);
  }
  const patients = registry.patients.map(({ id, label }) => ({ id, label }));
  return { revision: String(registry.revision), patients, patientOfDevice };
}
