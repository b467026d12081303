import type { Tensors } from '../backend.ts';
import type { DenseWeights } from '../model-file.ts';
import { seededRandom, shuffled } from './seeded-random.ts';

/** How a member is trained. The values were chosen on folds of the training segments. */
export type Recipe = {
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number; // at the start; it falls to zero along a half cosine
  readonly weightDecay: number; // L2 on the kernels of the hidden layers
};

export const shippedRecipe: Recipe = { hidden: [32, 16], epochs: 20, batch: 512, learningRate: 0.01, weightDecay: 1e-4 };

export type TrainingRow = { readonly values: Float64Array; readonly ictal: boolean };

/** One network from rows of standardised features, the same for the same seed, rows and backend. */
export async function trainMember(
  { tf, layers }: Tensors,
  rows: readonly TrainingRow[],
  recipe: Recipe,
  seed: number,
): Promise<DenseWeights[]> {
  const inputs = rows[0]?.values.length ?? 0;
  const units = [...recipe.hidden, 1];
  const model = layers.sequential({
    layers: units.map((unit, layer) => {
      const last = layer === units.length - 1;
      return layers.layers.dense({
        units: unit,
        activation: last ? 'linear' : 'relu',
        kernelInitializer: layers.initializers.glorotUniform({ seed: seed * 10 + layer + 1 }),
        ...(last ? {} : { kernelRegularizer: layers.regularizers.l2({ l2: recipe.weightDecay }) }),
        ...(layer === 0 ? { inputShape: [inputs] } : {}),
      });
    }),
  });
  const optimizer = tf.train.adam(recipe.learningRate);
  model.compile({ optimizer, loss: (truth, logits) => tf.losses.sigmoidCrossEntropy(truth, logits) });

  const random = seededRandom(seed);
  for (let epoch = 0; epoch < recipe.epochs; epoch++) {
    // tfjs's own shuffle has no seed; the order is ours.
    const order = shuffled(rows, random);
    const values = new Float32Array(order.length * inputs);
    for (const [index, row] of order.entries()) values.set(row.values, index * inputs);
    const x = tf.tensor2d(values, [order.length, inputs]);
    const y = tf.tensor2d(
      order.map(({ ictal }) => (ictal ? 1 : 0)),
      [order.length, 1],
    );
    setLearningRate(optimizer, recipe.learningRate * 0.5 * (1 + Math.cos((Math.PI * epoch) / recipe.epochs)));
    await model.fit(x, y, { batchSize: recipe.batch, epochs: 1, shuffle: false, verbose: 0, yieldEvery: 'never' });
    x.dispose();
    y.dispose();
  }

  const weights = model.getWeights().map((tensor) => tensor.dataSync() as Float32Array);
  const trained = units.map((unit, layer) => ({
    inputs: layer === 0 ? inputs : (units[layer - 1] ?? 0),
    units: unit,
    kernel: Float32Array.from(weights[layer * 2] ?? []),
    bias: Float32Array.from(weights[layer * 2 + 1] ?? []),
  }));
  model.dispose();
  optimizer.dispose();
  return trained;
}

function setLearningRate(optimizer: object, learningRate: number): void {
  // The type calls it protected; changing it between epochs is how a schedule is made in tfjs.
  Object.assign(optimizer, { learningRate });
}
