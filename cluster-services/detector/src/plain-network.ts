import type { DenseWeights } from './weights.ts';

/**
 * The mean logit of an ensemble for one row of standardised features, in plain arithmetic: every machine and backend gives the same bits.
 * It decides which windows may join a baseline; what is told comes from the backend.
 */
export function plainLogit(members: readonly (readonly DenseWeights[])[], row: Float64Array): number {
  return members.reduce((sum, layers) => sum + memberLogit(layers, row), 0) / members.length;
}

function memberLogit(layers: readonly DenseWeights[], row: Float64Array): number {
  let values = row;
  for (const [depth, { inputs, units, kernel, bias }] of layers.entries()) {
    const next = Float64Array.from(bias);
    for (let input = 0; input < inputs; input++) {
      const value = values[input] as number;
      if (value === 0) continue;
      for (let unit = 0, at = input * units; unit < units; unit++, at++)
        next[unit] = (next[unit] as number) + value * (kernel[at] as number);
    }
    if (depth < layers.length - 1) for (let unit = 0; unit < units; unit++) next[unit] = Math.max(0, next[unit] as number);
    values = next;
  }
  return values[0] ?? Number.NaN;
}
