import type { ChannelScale } from '@vitalwire/contract';

/** Physical units per digital step and the offset: physical = digital × gain + offset. A negative gain is legal. */
export type Gain = { readonly gain: number; readonly offset: number };

/** Microvolts per unit, by the spellings devices use: `uV`, and µ as U+00B5 or as Greek mu U+03BC. */
const microvoltsPerUnit: ReadonlyMap<string, number> = new Map([
  ['nV', 1e-3],
  ['uV', 1],
  ['\u00b5V', 1],
  ['\u03bcV', 1],
  ['mV', 1e3],
  ['V', 1e6],
]);

/** The line through the scale's two points; null when they do not make one. */
export function gainOf(scale: ChannelScale): Gain | null {
  const steps = scale.digitalMax - scale.digitalMin;
  const gain = (scale.physicalMax - scale.physicalMin) / steps;
  if (steps === 0 || !Number.isFinite(gain) || gain === 0) return null;
  return { gain, offset: scale.physicalMin - scale.digitalMin * gain };
}

/** The same in microvolts; null when the unit is no voltage we know: then nothing may be guessed. */
export function microvoltGainOf(scale: ChannelScale): Gain | null {
  const unit = microvoltsPerUnit.get(scale.unit.trim());
  const line = gainOf(scale);
  return unit === undefined || line === null ? null : { gain: line.gain * unit, offset: line.offset * unit };
}

/** Digital samples as physical values. */
export function toPhysical(digital: ArrayLike<number>, { gain, offset }: Gain): Float64Array {
  const physical = new Float64Array(digital.length);
  for (let index = 0; index < digital.length; index++) physical[index] = (digital[index] ?? Number.NaN) * gain + offset;
  return physical;
}
