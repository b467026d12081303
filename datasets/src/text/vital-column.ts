import { type Conversion, conversionFrom, isNumeric, type NumericStream } from '@vitalwire/contract';

/** A column of numbers of one vital, and how they become numbers in the vital's own unit. */
export type CsvVital = { readonly index: number; readonly stream: NumericStream; readonly conversion: Conversion };

/**
 * The vital that a column is named after to the letter, such as `spo2` or `body-temperature (°F)`; null where its unit is none of that vital.
 * Labels that only resemble one, such as `SPO2`, are those of signals in recordings and stay signals.
 */
export function vitalOfColumn(index: number, name: string, unit: string | undefined): CsvVital | null {
  if (!isNumeric(name)) return null;
  const conversion = conversionFrom(name, unit ?? '');
  return conversion === null ? null : { index, stream: name, conversion };
}
