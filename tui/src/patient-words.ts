import type { PatientState } from '@vitalwire/contract';
import { type Freshness, formatAge, type ShownNumeric, type ShownState, type StateWord } from '@vitalwire/vitals';
import type { Look } from './look.ts';
import { clean, type Tone } from './spans.ts';

/** A vital and its age in the tones of the wall. A phone's export is history with its age, never a live value; missing is `--`, never 0. */
export type VitalText = { readonly value: string; readonly age: string; readonly tone: Tone; readonly ageTone: Tone };

export function vitalText(shown: ShownNumeric | undefined): VitalText {
  if (shown === undefined) return { value: '--', age: '', tone: 'soft', ageTone: 'soft' };
  const { value, freshness, isHistory } = shown;
  const age = formatAge(shown.age);
  if (isHistory) return { value, age, tone: 'soft', ageTone: 'soft' };
  if (freshness === 'hidden') return { value, age, tone: 'soft', ageTone: 'stale' };
  return { value, age, tone: freshness === 'fresh' ? 'strong' : 'stale', ageTone: ageTone(freshness) };
}

/** Units as this terminal can show them. */
export function inLetters(text: string, { unicode }: Pick<Look, 'unicode'>): string {
  return unicode ? text : text.replaceAll('°', '');
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
