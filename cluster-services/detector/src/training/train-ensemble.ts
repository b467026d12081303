import type { Tensors } from '../backend.ts';
import type { DenseWeights } from '../weights.ts';
import { seededRandom } from './seeded-random.ts';

/** How an ensemble is trained. The values were chosen on folds of the training segments. */
export type EnsembleRecipe = {
  readonly hidden: readonly number[];
  readonly members: number;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number; // at the start; it falls to zero along a half cosine
  readonly weightDecay: number; // L2 on the kernels of the hidden layers
  readonly jitter: number; // SD of the noise added to the standardised features of every row, anew in every epoch
  readonly smoothing: number; // labels are this far from 0 and 1
};

/** Rows of standardised features, one after the other, and 1 for ictal. */
export type TrainingSet = {
  readonly inputs: number;
  readonly values: Float32Array;
  readonly ictal: Uint8Array;
  readonly weights?: Float32Array;
};

/**
 * All members at once, as one batched multiplication per layer: small networks cost mostly the calls. Each has its own start and its
 * own order of rows. The same seed, rows, backend and processor give the same bits.
 */
export function trainEnsemble({ tf }: Tensors, set: TrainingSet, recipe: EnsembleRecipe, seed: number): DenseWeights[][] {
  const { members, batch, epochs } = recipe;
  const units = [...recipe.hidden, 1];
  const random = seededRandom(seed);
  const layers = units.map((unit, layer) => {
    const fanIn = layer === 0 ? set.inputs : (units[layer - 1] ?? 0);
    const limit = Math.sqrt(6 / (fanIn + unit)); // Glorot's uniform start
    const kernel = Float32Array.from({ length: members * fanIn * unit }, () => limit * (2 * random() - 1));
    return {
      kernel: tf.variable(tf.tensor3d(kernel, [members, fanIn, unit])),
      bias: tf.variable(tf.zeros<import('@tensorflow/tfjs-core').Rank.R3>([members, 1, unit])),
      fanIn,
      unit,
    };
  });
  const optimizer = tf.train.adam(recipe.learningRate);
  const rows = set.ictal.length;
  const orders = Array.from({ length: members }, () => Uint32Array.from({ length: rows }, (_, row) => row));
  const steps = Math.ceil(rows / batch);

  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const order of orders) shuffle(order, random);
    for (let step = 0; step < steps; step++) {
      const progress = (epoch * steps + step) / (epochs * steps);
      Object.assign(optimizer, { learningRate: recipe.learningRate * 0.5 * (1 + Math.cos(Math.PI * progress)) });
      const { values, truth, weights } = batchOf(set, orders, step, recipe, random);
      tf.tidy(() => {
        const x = tf.tensor3d(values, [members, batch, set.inputs]);
        const y = tf.tensor3d(truth, [members, batch, 1]);
        const w = tf.tensor3d(weights, [members, batch, 1]);
        optimizer.minimize(() => {
          let signal: import('@tensorflow/tfjs-core').Tensor = x;
          let decay: import('@tensorflow/tfjs-core').Scalar = tf.scalar(0);
          for (const [layer, { kernel, bias }] of layers.entries()) {
            signal = tf.add(tf.matMul(signal, kernel), bias);
            if (layer === layers.length - 1) break;
            signal = tf.relu(signal);
            decay = tf.add(decay, tf.sum(tf.square(kernel)));
          }
          // Cross-entropy on logits z: max(z, 0) - z y + log(1 + e^-|z|); summed over members, a mean over rows.
          const loss = tf.add(tf.sub(tf.relu(signal), tf.mul(signal, y)), tf.log1p(tf.exp(tf.neg(tf.abs(signal)))));
          return tf.add(
            tf.div(tf.sum(tf.mul(loss, w)), batch),
            tf.mul(decay, recipe.weightDecay),
          ) as import('@tensorflow/tfjs-core').Scalar;
        });
      });
    }
  }

  const trained = Array.from({ length: members }, (_, member) =>
    layers.map(({ kernel, bias, fanIn, unit }) => ({
      inputs: fanIn,
      units: unit,
      kernel: Float32Array.from(kernel.dataSync().subarray(member * fanIn * unit, (member + 1) * fanIn * unit)),
      bias: Float32Array.from(bias.dataSync().subarray(member * unit, (member + 1) * unit)),
    })),
  );
  for (const { kernel, bias } of layers) {
    kernel.dispose();
    bias.dispose();
  }
  optimizer.dispose();
  return trained;
}

/** One step's rows for every member; the last step of an epoch is filled up from its beginning. */
function batchOf(
  set: TrainingSet,
  orders: readonly Uint32Array[],
  step: number,
  { batch, jitter, smoothing }: EnsembleRecipe,
  random: () => number,
) {
  const { inputs } = set;
  const rows = set.ictal.length;
  const values = new Float32Array(orders.length * batch * inputs);
  const truth = new Float32Array(orders.length * batch);
  const weights = new Float32Array(orders.length * batch).fill(1);
  let at = 0;
  for (const order of orders) {
    for (let index = 0; index < batch; index++, at++) {
      const row = order[(step * batch + index) % rows] as number;
      for (let input = 0; input < inputs; input++)
        values[at * inputs + input] = (set.values[row * inputs + input] as number) + (jitter === 0 ? 0 : jitter * gaussian(random));
      truth[at] = set.ictal[row] === 1 ? 1 - smoothing : smoothing;
      if (set.weights !== undefined) weights[at] = set.weights[row] as number;
    }
  }
  return { values, truth, weights };
}

function shuffle(order: Uint32Array, random: () => number): void {
  for (let index = order.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const held = order[index] as number;
    order[index] = order[other] as number;
    order[other] = held;
  }
}

/** Nearly normal, SD 1: a sum of three uniform numbers is enough for jitter and far cheaper than a logarithm. */
function gaussian(random: () => number): number {
  return 2 * (random() + random() + random()) - 3;
}
