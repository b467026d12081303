import { type Conversion, type NumericStream, numericFacts, numericStreams, type PhoneMetric } from '@vitalwire/contract';

/** A vital that a phone exports, and how. */
export type PhoneVital = { readonly stream: NumericStream; readonly phone: PhoneMetric };

const vitals: readonly PhoneVital[] = numericStreams.flatMap((stream) => {
  const { phone } = numericFacts(stream);
  return phone === null ? [] : [{ stream, phone }];
});
const byName = Map.groupBy(vitals, ({ phone }) => normalised(phone.metric));
const conversions = new Map(vitals.flatMap(({ phone }) => Object.entries(phone.units)));

export const phoneStreams: readonly NumericStream[] = vitals.map(({ stream }) => stream);

/** The keys of points that hold several numbers. */
export const partNames: readonly string[] = [...new Set(vitals.flatMap(({ phone }) => phone.part ?? []))];

/** The vitals of a metric: `heart_rate`, `Heart Rate` and `heartRate` are one. None: it is not taken. */
export function vitalsOf(name: unknown): readonly PhoneVital[] {
  return typeof name === 'string' ? (byName.get(normalised(name)) ?? []) : [];
}

/** The name under which points of a vital are remembered. */
export function metricOf(stream: NumericStream): string {
  const phone: PhoneMetric | null = numericFacts(stream).phone;
  if (phone === null) throw new RangeError(`a phone does not export ${stream}`);
  return phone.part === undefined ? phone.metric : `${phone.metric}.${phone.part}`;
}

/** How a value under that unit becomes one in the vital's own; absent ones count, as the metric's name says what it is. Null: unknown. */
export function conversionTo({ units: known }: PhoneMetric, units: unknown): Conversion | null {
  const unit = unitText(units);
  return unit !== null && Object.hasOwn(known, unit) ? (known[unit] ?? null) : null;
}

/** The same of a point whose metric is not known yet. */
export function conversionOf(units: unknown): Conversion | null {
  const unit = unitText(units);
  return unit === null ? null : (conversions.get(unit) ?? null);
}

export function isSameConversion(a: Conversion, b: Conversion): boolean {
  return a.plus === b.plus && a.times === b.times;
}

function unitText(units: unknown): string | null {
  if (units === undefined || units === null) return '';
  return typeof units === 'string' ? units.toLowerCase().replaceAll(/[\s\\]/g, '') : null;
}

function normalised(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '');
}
