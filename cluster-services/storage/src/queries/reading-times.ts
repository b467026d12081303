import type { NumericKind } from '@vitalwire/contract';

export type ReadingTime = { readonly atUs: number; readonly kind: NumericKind };

/** For how long one reading says something at most: a sensor's is one of many a minute, a phone's stands for its minute. */
export const readingValidityUs: Readonly<Record<NumericKind, number>> = {
  ecg: 10_000_000,
  optical: 10_000_000,
  sensor: 10_000_000,
  phone: 60_000_000,
};

/**
 * The time that single readings cover, given in rising order: each the time up to the next one, if that comes within its validity, and else as
 * much as the one before it did. What lies between two readings further apart is not recorded, however many there are.
 */
export function coveredByReadings(readings: readonly ReadingTime[]): { fromUs: number; toUs: number }[] {
  const stretches: { fromUs: number; toUs: number }[] = [];
  let spacingUs: number | null = null; // to the reading before, where that covered the time up to this one
  for (const [index, { atUs, kind }] of readings.entries()) {
    const next = readings[index + 1];
    const untilUs = next === undefined ? Number.POSITIVE_INFINITY : next.atUs - atUs;
    if (untilUs === 0) continue; // two sources at one instant
    const validUs = readingValidityUs[kind];
    const coveredUs = untilUs <= validUs ? untilUs : Math.min(spacingUs ?? validUs, validUs);
    const last = stretches.at(-1);
    if (last !== undefined && last.toUs === atUs) last.toUs += coveredUs;
    else stretches.push({ fromUs: atUs, toUs: atUs + coveredUs });
    spacingUs = untilUs <= validUs ? untilUs : null;
  }
  return stretches;
}
