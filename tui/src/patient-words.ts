import type { PatientState } from '@vitalwire/contract';
import { ageMs, type Freshness, formatAge, freshnessOf, type ShownState, type StateWord } from '@vitalwire/vitals';
import type { Look } from './look.ts';
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

/** Old values stand in brackets on every screen: a colour alone would leave those without colours believing that they see the present. */
export function isOld(freshness: Freshness): boolean {
  return freshness !== 'fresh' && freshness !== 'hidden';
}

/**
 * Mark and word of a state in at most `width` cells: `● quiet`, with its age from 2 s on, and in brackets when it is old: `[● quiet] 20 s`.
 * Under overload it says how seldom a patient is judged, `quiet/4s`; that gives way to the age, which it explains.
 */
export function stateText({ state, age, freshness, showsAge }: ShownState, everyS: number, width: number, look: Look): string {
  const mark = look.unicode ? state.symbol : state.ascii;
  const behind = showsAge ? ` ${formatAge(age)}` : '';
  const seldom = everyS > 1 && freshness !== 'hidden' ? `/${everyS}s` : '';
  const words = [state.word + seldom, state.short + seldom, state.short];
  const choices = words.map((word) => `${isOld(freshness) ? `[${mark} ${word}]` : `${mark} ${word}`}${behind}`);
  return choices.find((choice) => choice.length <= width) ?? choices.at(-1) ?? '';
}

/** The probability beside the word, `[97]` when it is old. */
export function probabilityText({ probability, freshness }: ShownState): string {
  if (probability === null || freshness === 'hidden') return '--';
  return isOld(freshness) ? `[${percent(probability).replace(' %', '')}]` : percent(probability);
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
