import type { ChannelScale } from '@vitalwire/contract';

/**
 * The physical value of a sample. The order of the steps is that of EDFlib, so that the last bit is the same in EDFbrowser, pyEDFlib and here.
 */
export function physicalValue(scale: ChannelScale, digital: number): number {
  const gain = (scale.physicalMax - scale.physicalMin) / (scale.digitalMax - scale.digitalMin);
  return gain * (scale.physicalMax / gain - scale.digitalMax + digital);
}
