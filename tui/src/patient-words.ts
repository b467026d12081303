import type { PatientState } from '@vitalwire/contract';
import { ageMs, type Freshness, formatAge, freshnessOf, type StateWord } from '@vitalwire/vitals';
import { clean, type Tone } from './spans.ts';

/** The heart rate and its age. A phone's export is history with its age, never a live value; missing is `--`, never 0. */
export function heartText(heartRate: PatientState['heartRate'], nowUs: number): { value: string; age: string; tone: Tone; ageTone: Tone } {
  if (heartRate === null) return { value: '--', age: '', tone: 'soft', ageTone: 'soft' };
  const age = ageMs(heartRate.at, nowUs);
  if (heartRate.kind === 'phone') return { value: '--', age: formatAge(age), tone: 'soft', ageTone: 'soft' };
  const freshness = freshnessOf('heart-rate', age);
  if (freshness === 'hidden') return { value: '--', age: formatAge(age), tone: 'soft', ageTone: 'stale' };
  return {
    value: String(Math.round(heartRate.bpm)),
    age: formatAge(age),
    tone: freshness === 'fresh' ? 'strong' : 'stale',
    ageTone: ageTone(freshness),
  };
}

export function nameOf(patient: PatientState): string {
  const label = clean(patient.label ?? '');
  if (patient.patient === null) return `${clean(patient.devices[0] ?? patient.key)} (unassigned)`;
  return label === '' ? clean(patient.patient) : label;
}

export function probabilityText(probability: number | null, freshness: Freshness): string {
  return probability === null || freshness === 'hidden' ? '--' : percent(probability);
}

// 100 % and 0 % are certainties no model has.
export function percent(probability: number): string {
  return `${Math.min(99, Math.max(1, Math.round(probability * 100)))} %`;
}

export function toneOf(state: StateWord, freshness: Freshness): Tone {
  return freshness === 'fresh' || freshness === 'hidden' ? state.key : 'stale';
}

export function ageTone(freshness: Freshness): Tone {
  if (freshness === 'fresh') return 'soft';
  return freshness === 'grey' || freshness === 'unknown' ? 'stale' : 'warning';
}
