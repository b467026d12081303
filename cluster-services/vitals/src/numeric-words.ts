import { type NumericState, type NumericStream, numericFacts, numericText, type PatientState } from '@vitalwire/contract';
import { type AgeMs, ageMs, type Freshness, freshnessOf } from './freshness.ts';
import { rulesOf } from './numeric-rules.ts';

/** A numeric vital as every screen shows it, for one moment. */
export type ShownNumeric = {
  readonly stream: NumericStream;
  readonly short: string; // its name on a tile
  readonly label: string;
  readonly unit: string;
  readonly value: string; // '--' when it is too old to be shown, or history
  readonly age: AgeMs | null; // null = cannot be known
  readonly freshness: Freshness;
  readonly isHistory: boolean; // exported by a phone, hours late: it has an age, but is no live value
  readonly news2: { readonly name: string; readonly points: 0 | 1 | 2 | 3 } | null; // its component, of a live value only
};

export function shownNumeric({ stream, kind, value, at }: NumericState, nowUs: number): ShownNumeric {
  const { short, label, unit } = numericFacts(stream);
  const age = ageMs(at, nowUs);
  const isHistory = kind === 'phone';
  const freshness = isHistory ? 'hidden' : freshnessOf(stream, age);
  const shown = freshness === 'hidden' ? '--' : numericText(stream, value);
  const component = freshness === 'fresh' ? rulesOf(stream).news2 : null;
  const points = component?.points(value) ?? null;
  const news2 = component === null || points === null ? null : { name: component.name, points };
  return {
    stream,
    short,
    label,
    unit,
    value: shown,
    age,
    freshness,
    isHistory,
    news2,
  };
}

/** The vitals a patient's devices send, in the order of their table. The first of those that are measured live comes before all others. */
export function shownNumerics({ numerics }: Pick<PatientState, 'numerics'>, nowUs: number): ShownNumeric[] {
  const shown = numerics.map((one) => shownNumeric(one, nowUs));
  const first = shown.findIndex(({ isHistory }) => !isHistory);
  return first <= 0 ? shown : [...shown.splice(first, 1), ...shown];
}
