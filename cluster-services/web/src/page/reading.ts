import type { PatientState } from '@vitalwire/contract';
import {
  ageMs,
  type Freshness,
  formatAge,
  freshnessOf,
  type ShownNumeric,
  type StateWord,
  shownNumerics,
  shownState,
} from '@vitalwire/vitals';

/** One patient in the words and numbers the page shows, for one moment. Old values stand in brackets: no colour has to say it. */
export type Reading = {
  readonly name: string;
  readonly state: StateWord;
  readonly stateText: string; // the word, with its age from 2 s on: `quiet`, `[quiet] 20 s`
  readonly stateTone: StateWord['key'];
  readonly stateFreshness: Freshness;
  readonly probability: string;
  readonly numerics: readonly NumericWords[]; // the first stands large
  readonly eegAge: string;
  readonly eegFreshness: Freshness;
};

/** Missing is `--`, never 0. A phone's export is history: it has an age, but no live value. */
export type NumericWords = Pick<ShownNumeric, 'stream' | 'label' | 'short' | 'unit' | 'value' | 'freshness' | 'news2'> & {
  readonly age: string;
  readonly note: string;
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
    numerics: shownNumerics(patient, nowUs).map(numericWords),
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

function numericWords(shown: ShownNumeric): NumericWords {
  const { stream, label, short, unit, value, age, freshness, isHistory, news2 } = shown;
  const note = isHistory ? 'from a phone, later' : '';
  return {
    stream,
    label,
    short,
    unit,
    value: value === '--' ? value : bracketed(value, freshness),
    age: formatAge(age),
    freshness,
    note,
    news2,
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
