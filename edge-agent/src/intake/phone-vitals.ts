import { type NumericStream, numericFacts, numericStreams, type PhoneMetric } from '@vitalwire/contract';

/** A vital that a phone exports, and how. */
export type PhoneVital = { readonly stream: NumericStream; readonly phone: PhoneMetric };

const vitals: readonly PhoneVital[] = numericStreams.flatMap((stream) => {
  const { phone } = numericFacts(stream);
  return phone === null ? [] : [{ stream, phone }];
});
const byName = Map.groupBy(vitals, ({ phone }) => normalised(phone.metric));

export const phoneStreams: readonly NumericStream[] = vitals.map(({ stream }) => stream);

/** The keys of points that hold several numbers. */
export const partNames: readonly string[] = [...new Set(vitals.flatMap(({ phone }) => phone.part ?? []))];

/** The metric whose points lists of workouts and notifications hold, too. */
export const heartRateMetric = 'heart_rate';

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

function normalised(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '');
}
