import type { NumericStream } from '@vitalwire/contract';
import type { LineReading } from './numeric-feed.ts';

/** How the intake takes a vital. */
export type NumericRoute = { readonly path: string; readonly reading: (reading: LineReading) => Record<string, number> };

const routes: Readonly<Partial<Record<NumericStream, NumericRoute>>> = {
  'heart-rate': { path: '/v1/heart-rate', reading: ({ atUs, value }) => ({ atUs, bpm: value }) },
};

/** Where readings of a vital are posted and in which form; null = the intake does not take it, so it is not played. */
export function numericRoute(stream: NumericStream): NumericRoute | null {
  return routes[stream] ?? null;
}
