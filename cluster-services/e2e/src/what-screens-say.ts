import type { Client } from '@vitalwire/client';
import {
  type GatewayStates,
  type Montage,
  type NumericState,
  numericStreams,
  type PatientState,
  type WallState,
} from '@vitalwire/contract';
import { ageMs, type FreshnessKind, freshnessOf } from '@vitalwire/vitals';

/** Who is in the beds of the restart test, by their keys on screens. */
export type Beds = { readonly replayed: string; readonly silent: string };

/** Everything a screen shows of two beds at one moment. */
export type Screen = {
  readonly nowUs: number;
  readonly wall: WallState;
  readonly gateways: GatewayStates['gateways'];
  readonly montages: readonly (Montage | null)[];
};

/** What web tells whoever asks it now. */
export async function askScreen(client: Client): Promise<Screen> {
  const wall = await client.state();
  const { gateways } = await client.gateways();
  const hashes = wall.patients.flatMap(({ eeg }) => eeg?.montageHash ?? []);
  const montages = await Promise.all(hashes.map((hash) => client.montage(hash).catch(() => null)));
  return { nowUs: wall.nowUs, wall, gateways, montages };
}

/** One fact on a screen, as a text that must be the same before and after a restart. */
type Fact = (screen: Screen, beds: Beds) => string;

/** Every mark, value, baseline, pause, acknowledgement and age, each by its name. */
const facts: Readonly<Record<string, Fact>> = {
  'REPLAY and what of': ({ wall }, { replayed }) => textOf(patientOf(wall, replayed)?.replay),
  'no REPLAY on who is not replayed': ({ wall }, { silent }) => textOf(patientOf(wall, silent)?.replay),
  'label and devices': ({ wall }, beds) =>
    [beds.replayed, beds.silent].map((key) => textOf([patientOf(wall, key)?.label, patientOf(wall, key)?.devices])).join(' '),
  'EEG of now': ({ wall, nowUs }, { replayed }) => freshness('eeg', patientOf(wall, replayed)?.eeg, nowUs),
  'heart rate of now': ({ wall, nowUs }, { replayed }) => freshness(numericStreams[0] ?? 'eeg', vitalOf(wall, replayed), nowUs),
  'state of now': ({ wall, nowUs }, { replayed }) => freshness('eeg', patientOf(wall, replayed)?.detection, nowUs),
  'own baseline': ({ wall }, { replayed }) => baselineOf(patientOf(wall, replayed)?.detection),
  'last heart rate of who fell silent, and when': ({ wall }, { silent }) => {
    const { value, kind, at } = vitalOf(wall, silent) ?? {};
    return textOf([value, kind, at?.measuredAtUs]);
  },
  'last EEG of who fell silent, and when': ({ wall }, { silent }) => {
    const { recordingId, channels, at } = patientOf(wall, silent)?.eeg ?? {};
    return textOf([recordingId, channels, at?.measuredAtUs]);
  },
  'an honest age of both': ({ wall, nowUs }, { silent }) => {
    return [vitalOf(wall, silent), patientOf(wall, silent)?.eeg]
      .map((one) => (one == null ? 'missing' : ageMs(one.at, nowUs) === null ? 'no age' : 'aged'))
      .join(' ');
  },
  'seizure alarm nobody has seen to': ({ wall }, { replayed }) => alarmText(patientOf(wall, replayed), 'seizure'),
  'acknowledged alarm, by whom': ({ wall }, { replayed }) => alarmText(patientOf(wall, replayed), 'heart-rate-high'),
  'NO DATA of who fell silent': ({ wall }, { silent }) => alarmText(patientOf(wall, silent), 'no-data'),
  'pause, until when, by whom': ({ wall }, { replayed }) => textOf(patientOf(wall, replayed)?.pauses),
  'alarms are watched': ({ wall }) => wall.links.alarms,
  'gateway is online, its clock measured': ({ gateways }) =>
    gateways.map(({ gateway, state, clock }) => `${gateway} ${state} ${clock === null ? 'no clock' : clock.source}`).join(' '),
  'montages for the waveforms': ({ montages }) => montages.map((montage) => textOf(montage?.channels.map(({ label }) => label))).join(' '),
};

/** Facts that are not as they were, with both texts. */
export function changedFacts(screen: Screen, before: ReadonlyMap<string, string>, beds: Beds): Map<string, string> {
  const changed = new Map<string, string>();
  for (const [name, fact] of Object.entries(facts)) {
    const now = fact(screen, beds);
    if (now !== before.get(name)) changed.set(name, `${now}, not ${before.get(name)}`);
  }
  return changed;
}

export function factsOf(screen: Screen, beds: Beds): Map<string, string> {
  return new Map(Object.entries(facts).map(([name, fact]) => [name, fact(screen, beds)]));
}

/** A value of a replay that stands there without its mark, or a value without an age: never for a moment. */
export function falsehood({ patients, nowUs }: Pick<WallState, 'patients' | 'nowUs'>, { replayed, silent }: Beds): string | null {
  const state = patients.find(({ key }) => key === replayed);
  const shown = [state?.eeg, ...(state?.numerics ?? []), state?.detection].filter((one) => one != null);
  if (state !== undefined && shown.length > 0 && state.replay === null) return 'a value of a replay without its mark';
  const other = patients.find(({ key }) => key === silent);
  if (other?.replay != null) return 'REPLAY on somebody who is not replayed';
  for (const one of [...shown, ...[other?.eeg, ...(other?.numerics ?? [])].filter((value) => value != null)])
    if (ageMs(one.at, nowUs) === null) return 'a value without an age';
  return null;
}

/** A window that is refused for what is in it was compared with nothing: it speaks neither for nor against. */
function baselineOf(detection: PatientState['detection'] | undefined): string {
  if (detection == null) return 'no detection';
  const isRefused = detection.baseline === null && detection.reason !== null && detection.reason !== 'warm-up';
  return isRefused ? 'own' : String(detection.baseline);
}

function patientOf({ patients }: WallState, key: string): PatientState | undefined {
  return patients.find((one) => one.key === key);
}

/** The vital its device sends. */
function vitalOf(wall: WallState, key: string): NumericState | undefined {
  return patientOf(wall, key)?.numerics[0];
}

function freshness(kind: FreshnessKind, value: { at: NonNullable<PatientState['eeg']>['at'] } | null | undefined, nowUs: number): string {
  return value == null ? 'missing' : freshnessOf(kind, ageMs(value.at, nowUs));
}

/** The alarm that began first: what is raised meanwhile is news, and no part of the comparison. */
function alarmText(patient: PatientState | undefined, condition: string): string {
  const [alarm] = (patient?.alarms ?? []).filter((one) => one.condition === condition).sort((a, b) => a.onsetUs - b.onsetUs);
  if (alarm === undefined) return 'missing';
  const { alarmId, state, onsetUs, acknowledgedBy, acknowledgedAtUs, replay } = alarm;
  return textOf({ alarmId, state, onsetUs, acknowledgedBy, isAcknowledged: acknowledgedAtUs !== null, replay });
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? 'missing';
}
