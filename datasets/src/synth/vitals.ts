import { type NumericKind, type NumericStream, numericStreams } from '@vitalwire/contract';
import { beatsStream } from '../mit-beats.ts';
import type { SourceReading, SourceVital } from '../signal-source.ts';
import { respiratoryRateAt, saturationAt } from './breath.ts';
import { heartRateAt } from './heart.ts';
import type { Schedule } from './schedule.ts';

type Maker = { readonly kind: NumericKind; readonly valueAt: (schedule: Schedule, seed: number, timeS: number) => number };

/** The vitals that a made-up patient has; each from numbers of its own, so that a new one changes none of the others. */
const makers: Readonly<Partial<Record<NumericStream, Maker>>> = {
  [beatsStream]: { kind: 'ecg', valueAt: heartRateAt },
  spo2: { kind: 'optical', valueAt: saturationAt },
  'respiratory-rate': { kind: 'sensor', valueAt: respiratoryRateAt },
};

export const syntheticVitals: readonly SourceVital[] = numericStreams.flatMap((stream) => {
  const maker = makers[stream];
  return maker === undefined ? [] : [{ stream, kind: maker.kind }];
});

export type SyntheticPerson = { readonly schedule: Schedule; readonly seed: number; readonly durationUs: number };

/** One whole number a second. */
export function syntheticReadings(person: SyntheticPerson, stream: NumericStream, fromUs: number, toUs: number): SourceReading[] {
  const maker = makers[stream];
  if (maker === undefined) return [];
  const readings: SourceReading[] = [];
  const last = Math.min(toUs, person.durationUs);
  for (let atUs = Math.max(0, Math.ceil(fromUs / 1e6)) * 1e6; atUs < last; atUs += 1e6) {
    readings.push({ atUs, value: Math.round(maker.valueAt(person.schedule, person.seed, atUs / 1e6)) });
  }
  return readings;
}
