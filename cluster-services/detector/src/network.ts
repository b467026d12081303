import { assertCurrent, type Tensors } from './backend.ts';
import type { DenseWeights } from './weights.ts';

/** Mean logit of an ensemble for rows of standardised features. */
export type Network = { logits(rows: readonly ArrayLike<number>[]): Float32Array; dispose(): void };

/**
 * The members as one network: their layers stand side by side in block-diagonal kernels and the last layer takes the mean, so that
 * one pass scores all of them. Zeros between the blocks change no sum.
 */
export function buildNetwork(tensors: Tensors, members: readonly (readonly DenseWeights[])[]): Network {
  const { tf, layers } = tensors;
  const depth = members[0]?.length ?? 0;
  const fused = Array.from({ length: depth }, (_, layer) =>
    sideBySide(
      members.flatMap((member) => member[layer] ?? []),
      { sharedInput: layer === 0, meanOutput: layer === depth - 1 },
    ),
  );
  const inputs = fused[0]?.inputs ?? 0;
  const model = layers.sequential({
    layers: fused.map(({ units }, layer) =>
      layers.layers.dense({
        units,
        activation: layer === depth - 1 ? 'linear' : 'relu',
        kernelInitializer: 'zeros',
        ...(layer === 0 ? { inputShape: [inputs] } : {}),
      }),
    ),
  });
  const weights = fused.flatMap(({ inputs: rows, units, kernel, bias }) => [tf.tensor2d(kernel, [rows, units]), tf.tensor1d(bias)]);
  model.setWeights(weights);
  for (const tensor of weights) tensor.dispose();

  return {
    logits(rows) {
      if (rows.length === 0) return new Float32Array(0);
      assertCurrent(tensors);
      return tf.tidy(() => {
        const values = new Float32Array(rows.length * inputs);
        for (const [index, row] of rows.entries()) values.set(row, index * inputs);
        const output = model.predictOnBatch(tf.tensor2d(values, [rows.length, inputs]));
        return (Array.isArray(output) ? output[0] : output)?.dataSync() as Float32Array;
      });
    },
    dispose() {
      model.dispose();
    },
  };
}

/** Several dense layers as one: block-diagonal unless they share their input, added up to their mean where they end. */
function sideBySide(layers: readonly DenseWeights[], how: { sharedInput: boolean; meanOutput: boolean }): DenseWeights {
  const inputs = how.sharedInput ? (layers[0]?.inputs ?? 0) : layers.reduce((sum, layer) => sum + layer.inputs, 0);
  const units = how.meanOutput ? (layers[0]?.units ?? 0) : layers.reduce((sum, layer) => sum + layer.units, 0);
  const share = how.meanOutput ? 1 / layers.length : 1;
  const kernel = new Float32Array(inputs * units);
  const bias = new Float32Array(units);
  let fromInput = 0;
  let fromUnit = 0;
  for (const layer of layers) {
    for (let input = 0; input < layer.inputs; input++) {
      for (let unit = 0; unit < layer.units; unit++) {
        const at = (fromInput + input) * units + fromUnit + unit;
        kernel[at] = (kernel[at] ?? 0) + share * (layer.kernel[input * layer.units + unit] ?? 0);
      }
    }
    for (let unit = 0; unit < layer.units; unit++) bias[fromUnit + unit] = (bias[fromUnit + unit] ?? 0) + share * (layer.bias[unit] ?? 0);
    if (!how.sharedInput) fromInput += layer.inputs;
    if (!how.meanOutput) fromUnit += layer.units;
  }
  return { inputs, units, kernel, bias };
}
