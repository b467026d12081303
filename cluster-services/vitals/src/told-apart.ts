import type { PatientState } from '@vitalwire/contract';

/** Patients whose label is another's too get their id beside it: two beds of one name must never be taken for one another. */
export function toldApart(patients: readonly PatientState[]): PatientState[] {
  const counts = new Map<string, number>();
  for (const patient of patients) counts.set(keyOf(patient), (counts.get(keyOf(patient)) ?? 0) + 1);
  return patients.map((patient) => {
    const isShared = keyOf(patient) !== '' && (counts.get(keyOf(patient)) ?? 0) > 1;
    return isShared && patient.patient !== null ? { ...patient, label: `${patient.label} · ${patient.patient}` } : patient;
  });
}

function keyOf({ patient, label }: PatientState): string {
  return patient === null ? '' : (label ?? '').trim().toLowerCase();
}
