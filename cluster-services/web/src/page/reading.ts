import type { PatientState } from '@vitalwire/contract';
import { ageMs, type Freshness, formatAge, freshnessOf, type StateWord, stateWord } from '@vitalwire/vitals';

/** One patient in the words and numbers the page shows, for one moment. */
export type Reading = {
  readonly name: string;
  readonly state: StateWord;
  readonly stateFreshness: Freshness;
  readonly probability: string;
  readonly heart: { readonly value: string; readonly age: string; readonly freshness: Freshness; readonly note: string };
  readonly eegAge: string;
  readonly eegFreshness: Freshness;
};

export function readingOf(patient: PatientState, nowUs: number): Reading {
  const { detection, eeg } = patient;
  const { state, freshness } = stateWord(detection?.state ?? null, detection === null ? null : ageMs(detection.at, nowUs));
  const eegAge = eeg === null ? null : ageMs(eeg.at, nowUs);
  return {
    name: nameOf(patient),
    state,
    stateFreshness: freshness,
    probability: detection?.probability == null || freshness === 'hidden' ? '--' : percent(detection.probability),
    heart: heartOf(patient, nowUs),
    eegAge: eeg === null ? '--' : formatAge(eegAge),
    eegFreshness: eeg === null ? 'hidden' : freshnessOf('eeg', eegAge),
  };
}

// Missing is `--`, never 0. A phone's export is history: it has an age, but no live value.
function heartOf({ heartRate }: PatientState, nowUs: number): Reading['heart'] {
  if (heartRate === null) return { value: '--', age: '', freshness: 'hidden', note: 'no heart rate' };
  const age = ageMs(heartRate.at, nowUs);
  const freshness = heartRate.kind === 'phone' ? 'hidden' : freshnessOf('heart-rate', age);
  const note = heartRate.kind === 'phone' ? 'from a phone, later' : heartRate.kind === 'optical' ? 'optical' : 'ECG';
  return { value: freshness === 'hidden' ? '--' : String(Math.round(heartRate.bpm)), age: formatAge(age), freshness, note };
}

export function nameOf(patient: PatientState): string {
  if (patient.patient === null) return `${patient.devices[0] ?? patient.key} (unassigned)`;
  return patient.label === null || patient.label === '' ? patient.patient : patient.label;
}

/** 100 % and 0 % are certainties no model has. */
export function percent(probability: number): string {
  return `${Math.min(99, Math.max(1, Math.round(probability * 100)))} %`;
}
