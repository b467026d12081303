import type { PatientState } from '@vitalwire/contract';
import { ageMs, type Freshness, formatAge, freshnessOf, type StateWord, shownState } from '@vitalwire/vitals';

/** One patient in the words and numbers the page shows, for one moment. Old values stand in brackets: no colour has to say it. */
export type Reading = {
  readonly name: string;
  readonly state: StateWord;
  readonly stateText: string; // the word, with its age from 2 s on: `quiet`, `[quiet] 20 s`
  readonly stateTone: StateWord['key'];
  readonly stateFreshness: Freshness;
  readonly probability: string;
  readonly heart: { readonly value: string; readonly age: string; readonly freshness: Freshness; readonly note: string };
  readonly eegAge: string;
  readonly eegFreshness: Freshness;
};

export function readingOf(patient: PatientState, nowUs: number): Reading {
  const { eeg } = patient;
  const { state, age, freshness, probability, showsAge } = shownState(patient, nowUs);
  const eegAge = eeg === null ? null : ageMs(eeg.at, nowUs);
  return {
    name: nameOf(patient),
    state,
    stateText: `${bracketed(state.word, freshness)}${showsAge ? ` ${formatAge(age)}` : ''}`,
    stateTone: isOld(freshness) ? 'no-data' : state.key,
    stateFreshness: freshness,
    probability: probability === null || freshness === 'hidden' ? '--' : bracketed(percent(probability), freshness),
    heart: heartOf(patient, nowUs),
    eegAge: eeg === null ? '--' : formatAge(eegAge),
    eegFreshness: eeg === null ? 'hidden' : freshnessOf('eeg', eegAge),
  };
}

function isOld(freshness: Freshness): boolean {
  return freshness !== 'fresh' && freshness !== 'hidden';
}

function bracketed(text: string, freshness: Freshness): string {
  return isOld(freshness) ? `[${text}]` : text;
}

// Missing is `--`, never 0. A phone's export is history: it has an age, but no live value.
function heartOf({ heartRate }: PatientState, nowUs: number): Reading['heart'] {
  if (heartRate === null) return { value: '--', age: '', freshness: 'hidden', note: 'no heart rate' };
  const age = ageMs(heartRate.at, nowUs);
  const freshness = heartRate.kind === 'phone' ? 'hidden' : freshnessOf('heart-rate', age);
  const note = heartRate.kind === 'phone' ? 'from a phone, later' : heartRate.kind === 'optical' ? 'optical' : 'ECG';
  return {
    value: freshness === 'hidden' ? '--' : bracketed(String(Math.round(heartRate.bpm)), freshness),
    age: formatAge(age),
    freshness,
    note,
  };
}

export function nameOf(patient: PatientState): string {
  if (patient.patient === null) return `${patient.devices[0] ?? patient.key} (unassigned)`;
  return patient.label === null || patient.label === '' ? patient.patient : patient.label;
}

/** 100 % and 0 % are certainties no model has. */
export function percent(probability: number): string {
  return `${Math.min(99, Math.max(1, Math.round(probability * 100)))} %`;
}
