import path from 'node:path';
import type { Client } from '@vitalwire/client';
import type { DeviceKind } from '@vitalwire/contract';
import type { Clock } from '@vitalwire/runtime';
import { ensureTokenFile } from '../stack/data-dir.ts';
import type { VirtualPatient } from './virtual-patient.ts';

/** Makes the devices known: their tokens at the gateway, themselves and whose they are in the registry. Returns the tokens by device. */
export async function registerPatients(
  patients: readonly VirtualPatient[],
  { web, edgeTokensDir, clock }: { readonly web: Client; readonly edgeTokensDir: string; readonly clock: Clock },
): Promise<ReadonlyMap<string, string>> {
  const tokens = new Map<string, string>();
  // Tokens first: the gateway has read them by the time the first block is due.
  for (const { device } of patients.flatMap(devicesOf)) tokens.set(device, await ensureTokenFile(path.join(edgeTokensDir, device)));
  const { assignments } = await web.assignments();
  await Promise.all(
    patients.map(async (patient) => {
      await web.putPatient(patient.id, { label: labelOf(patient), notes: notesOf(patient) });
      for (const { device, kind } of devicesOf(patient)) {
        await web.putDevice(device, { kind, label: `${patient.id} ${kind}` });
        if (assignments.some((one) => one.device === device && one.patient === patient.id && one.toUs === null)) continue;
        await web.putAssignment({ device, patient: patient.id, fromUs: clock.nowUs(), toUs: null });
      }
    }),
  );
  return tokens;
}

export function devicesOf({ eeg, monitor }: VirtualPatient): { device: string; kind: DeviceKind }[] {
  return [
    ...eeg.map(({ device }) => ({ device, kind: 'eeg' as const })),
    ...(monitor === null ? [] : [{ device: monitor.device, kind: 'monitor' as const }]),
  ];
}

function notesOf({ sourceName, synthetic }: VirtualPatient): string {
  return synthetic ? `synthetic, nobody's: ${sourceName}` : `replayed: ${sourceName}`;
}

/** `Bonn 1`, `Synthetic 1`: what the screens call the patient. */
function labelOf({ id, index, synthetic }: VirtualPatient): string {
  if (synthetic) return `Synthetic ${index + 1}`;
  const kind = id.slice(0, id.indexOf('-'));
  return `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)} ${index + 1}`;
}
