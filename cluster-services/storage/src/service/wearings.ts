import type { Assignment, DeviceOwner } from '@vitalwire/contract';
import type { Wearing } from '../queries/ledger-over.ts';
import type { Recording } from '../queries/recordings.ts';
import { isOwnedWithin, ownedTimes, patientAt, Registry } from '../registry/registry.ts';
import { endOf, type RouteDeps } from './route-parts.ts';

export type Whose = { readonly assignments: readonly Assignment[]; readonly owners: readonly DeviceOwner[] };

export async function wornBy({ registry }: RouteDeps, patient: string): Promise<{ devices: string[]; wearings: Wearing[] }> {
  const { assignments, owners } = await registry.use(async (db) => {
    const one = new Registry(db);
    await one.patient(patient); // an unknown patient is refused, not answered with nothing
    const found = await one.assignments({ patient });
    return { assignments: found, owners: await one.owners([...new Set(found.map(({ device }) => device))]) };
  });
  return {
    devices: [...new Set(assignments.map(({ device }) => device))],
    wearings: assignments.flatMap(({ device, fromUs, toUs }) => timesOf(owners, device).flatMap((time) => clipWearing(time, fromUs, toUs))),
  };
}

export async function ownedTimesOf({ registry }: RouteDeps, device: string): Promise<Wearing[]> {
  return timesOf(await registry.use((db) => new Registry(db).owners([device])), device);
}

/** A device's times with each of its gateways: only these count. */
export function timesOf(owners: readonly DeviceOwner[], device: string): Wearing[] {
  const times = ownedTimes(owners, device).map((time) => ({ device, ...time }));
  return times.length === 0 ? [{ device, gateway: null, fromUs: null, toUs: null }] : times;
}

export async function whoseAre({ registry }: RouteDeps, recordings: readonly Recording[]): Promise<Whose> {
  const devices = [...new Set(recordings.map(({ device }) => device))];
  return registry.use(async (db) => {
    const one = new Registry(db);
    return { assignments: await one.assignments({ devices }), owners: await one.owners(devices) };
  });
}

/** Who wore the device when a recording began, or else who was the first to wear it while it went on; nobody wears another gateway's. */
export function wearerOf(
  { assignments, owners }: Whose,
  recording: Recording,
  info: { readonly startedAtUs: number; readonly endedAtUs: number | null },
): string | null {
  const { device } = recording;
  if (!isOwnedWithin(owners, recording, info.startedAtUs, endOf(info))) return null;
  const atStart = patientAt(assignments, device, info.startedAtUs);
  const later = assignments.find((one) => one.device === device && one.fromUs > info.startedAtUs && one.fromUs <= endOf(info));
  return atStart ?? later?.patient ?? null;
}

export function isWornIn({ device, gateway, fromUs, toUs }: Wearing, recording: Recording, beginsUs: number, endsUs: number): boolean {
  if (device !== recording.device || (gateway !== null && gateway !== recording.gateway)) return false;
  return (toUs === null || beginsUs < toUs) && (fromUs === null || endsUs >= fromUs);
}

export function clipWearing({ device, gateway, ...wearing }: Wearing, fromUs: number | null, toUs: number | null): Wearing[] {
  const from = wearing.fromUs === null || fromUs === null ? (wearing.fromUs ?? fromUs) : Math.max(wearing.fromUs, fromUs);
  const to = wearing.toUs === null || toUs === null ? (wearing.toUs ?? toUs) : Math.min(wearing.toUs, toUs);
  return from !== null && to !== null && to <= from ? [] : [{ device, gateway, fromUs: from, toUs: to }];
}
