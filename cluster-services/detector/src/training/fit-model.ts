import { chainRate, chainWindowSamples } from '@vitalwire/vitals';
import type { Tensors } from '../backend.ts';
import { sigmoid } from '../calibration.ts';
import { describeGroup, distanceFrom, distanceReferenceOf } from '../distance.ts';
import { featureCount, featureNames, shapeFeatures } from '../features.ts';
import { buildNetwork } from '../network.ts';
import { clipped, standardise } from '../standardise.ts';
import type { StreamGolden, StreamModelFile } from '../stream-model.ts';
import { type DenseWeights, modelHashOf, packWeights } from '../weights.ts';
import { disturbances } from './disturbances.ts';
import { type Example, examplesOf, type Geometry } from './examples.ts';
import {
  type CalmAmplitudes,
  calmAmplitudes,
  medianOf,
  ownRow,
  populationRow,
  quantileOf,
  type Row,
  type Standard,
  shapeSetOf,
  standardOf,
  trainingSetOf,
} from './rows.ts';
import { seededRandom } from './seeded-random.ts';
import type { LabelledSegment } from './segments.ts';
import { type EnsembleRecipe, trainEnsemble } from './train-ensemble.ts';

/** Everything a trained detector is made of, before thresholds. */
export type Fitted = {
  readonly standard: Standard;
  readonly members: DenseWeights[][];
  readonly calm: StreamModelFile['calm'];
  readonly populationLogUv: number;
  readonly groups: StreamModelFile['reference']['groups'];
  readonly amplitudes: CalmAmplitudes;
};

export const shippedRecipe: EnsembleRecipe = {
  hidden: [32, 16],
  members: 3,
  epochs: 20,
  batch: 512,
  learningRate: 0.01,
  weightDecay: 1e-4,
  jitter: 0,
  smoothing: 0,
};

const calmRecipe: EnsembleRecipe = { ...shippedRecipe, hidden: [], members: 1, epochs: 10 };

/** The share of non-ictal windows that look calm by their shape. */
const CALM_SHARE = 0.9;

/** Examples of one segment as they are and as badly recorded ones. */
export type LearningSet = { readonly clean: readonly Example[]; readonly disturbed: readonly Example[] };

/** The clean examples of a segment, and the same stretch under one drawn disturbance. */
export function learningSetOf(segment: LabelledSegment, geometry: Geometry, seed: number, withDisturbed = true): LearningSet {
  const random = seededRandom(seed);
  const rateHz = segment.rate.num / segment.rate.den;
  const disturbed = disturbances
    .filter(({ learnt }) => learnt && withDisturbed)
    .flatMap(({ apply }) => {
      const strength = 0.3 + 0.9 * random();
      return examplesOf(segment, geometry, (signal) => apply(signal, rateHz, random, strength)).filter(
        (example, index) => example.refused === null && index % 2 === 0,
      );
    });
  return { clean: examplesOf(segment, geometry), disturbed };
}

/** `plain`: the clean windows with the population's baseline alone, for comparison. */
export function fitDetector(
  tensors: Tensors,
  sets: readonly LearningSet[],
  recipe: EnsembleRecipe,
  seed: number,
  rowsOf: 'whole' | 'plain' = 'whole',
): Fitted {
  const random = seededRandom(seed);
  const clean = sets.flatMap((set) => set.clean).filter(({ features }) => features.length === featureCount);
  const disturbed = sets.flatMap((set) => set.disturbed);
  const plain = clean.map(populationRow);

  const shapeStandard = standardOf(plain);
  const [calmNet = []] = trainEnsemble(tensors, shapeSetOf(plain, shapeStandard), calmRecipe, seed);
  const shapeLogit = shapeLogitOf(calmNet[0], shapeStandard);
  const below = quantileOf(
    clean.filter(({ segment }) => !segment.ictal).map(({ features }) => shapeLogit(features)),
    CALM_SHARE,
  );
  const amplitudes = calmAmplitudes(clean, (features) => shapeLogit(features) < below);
  const populationLogUv = medianOf([...amplitudes.values()].flat(2));

  const own = (example: Example) => ownRow(example, amplitudes, populationLogUv, random);
  const rows: Row[] =
    rowsOf === 'plain'
      ? plain
      : [...plain, ...clean.map(own), ...disturbed.map((example) => (random() < 0.5 ? populationRow(example) : own(example)))];
  const standard = standardOf(rows);
  const members = trainEnsemble(tensors, trainingSetOf(rows, standard), recipe, seed);
  return {
    standard,
    members,
    calm: restandardised(calmNet[0], shapeStandard, standard, below),
    populationLogUv,
    groups: describeGroups(clean, standard, own),
    amplitudes,
  };
}

/** Each group's clean windows, with either baseline, as one Gaussian over standardised features. */
function describeGroups(clean: readonly Example[], standard: Standard, own: (example: Example) => Row): Fitted['groups'] {
  const names = [...new Set(clean.map(({ segment }) => segment.group))];
  return names.map((name) => {
    const examples = clean.filter(({ segment, judged }) => judged && segment.group === name);
    const inputs = [...examples.map(populationRow), ...examples.map(own)].map(({ input }) => input.subarray(0, featureCount));
    const { mean, covariance } = describeGroup(
      name,
      inputs.map((input) => standardise(input, standard.mean.slice(0, featureCount), standard.sd)),
    );
    return { name, mean: mean.map(short), covariance: covariance.map(short) };
  });
}

function short(value: number): number {
  return Number(value.toPrecision(7));
}

function shapeLogitOf(layer: DenseWeights | undefined, { mean, sd, clip }: Standard): (features: ArrayLike<number>) => number {
  return (features) => {
    let sum = layer?.bias[0] ?? 0;
    for (let at = 0; at < shapeFeatures; at++) {
      const value = ((features[at] ?? 0) - (mean[at] ?? 0)) / (sd[at] ?? 1);
      sum += (layer?.kernel[at] ?? 0) * Math.max(-clip, Math.min(clip, value));
    }
    return sum;
  };
}

/** The same line over features standardised otherwise (but for the clipping, which then cuts elsewhere). */
function restandardised(layer: DenseWeights | undefined, from: Standard, to: Standard, below: number): StreamModelFile['calm'] {
  const weights = Array.from({ length: shapeFeatures }, (_, at) => ((layer?.kernel[at] ?? 0) * (to.sd[at] ?? 1)) / (from.sd[at] ?? 1));
  const moved = weights.reduce((sum, weight, at) => sum + (weight * ((to.mean[at] ?? 0) - (from.mean[at] ?? 0))) / (to.sd[at] ?? 1), 0);
  return { weights: weights.map(short), bias: short((layer?.bias[0] ?? 0) + moved), below: short(below) };
}

/** Logit and distance of rows by a fitted detector. */
export function judgeRows(
  tensors: Tensors,
  { standard, members, groups }: Fitted,
  rows: readonly Row[],
): { logits: Float32Array; distances: number[] } {
  const network = buildNetwork(tensors, members);
  const reference = distanceReferenceOf({ groups, limit: Number.POSITIVE_INFINITY });
  const inputs = rows.map(({ input }) => standardise(input, standard.mean, standard.sd));
  const logits = network.logits(inputs.map((input) => clipped(input, standard.clip)));
  network.dispose();
  return { logits, distances: inputs.map((input) => distanceFrom(reference, input.subarray(0, featureCount))) };
}

/** The model file's bytes. */
export function packModel(
  fitted: Fitted,
  recipe: EnsembleRecipe,
  rest: Pick<StreamModelFile, 'version' | 'trainedOn' | 'seed' | 'temperature' | 'seizureAt' | 'quietBelow'> & {
    readonly distanceLimit: number;
  },
): Uint8Array {
  const { distanceLimit, ...named } = rest;
  const { standard } = fitted;
  const file: StreamModelFile = {
    format: 2,
    label: 'Research and education software. Not a medical device. Detection performance on unseen patients is unknown.',
    ...named,
    rate: chainRate,
    unit: 'uV',
    windowSamples: chainWindowSamples,
    features: featureNames,
    populationLogUv: fitted.populationLogUv,
    calm: fitted.calm,
    standard,
    layers: [featureCount + 1, ...recipe.hidden, 1],
    members: fitted.members.map(packWeights),
    reference: { groups: fitted.groups, limit: distanceLimit },
  };
  return new TextEncoder().encode(`${JSON.stringify(file)}\n`);
}

/** Inputs spread over the clean rows with the probabilities this backend gives them. */
export function goldenOf(
  tensors: Tensors,
  model: Uint8Array,
  fitted: Fitted,
  rows: readonly Row[],
  temperature: number,
  count: number,
): StreamGolden {
  const chosen = Array.from({ length: count }, (_, index) => rows[Math.floor((index * rows.length) / count)]).filter(
    (row) => row !== undefined,
  );
  const short = chosen.map(({ input, ictal }) => ({ input: input.map((value) => Number(value.toPrecision(7))), ictal }));
  const { logits } = judgeRows(tensors, fitted, short);
  return {
    modelHash: modelHashOf(model),
    inputs: short.map(({ input }) => [...input]),
    probabilities: Array.from(logits, (logit) => Number(sigmoid(logit / temperature).toFixed(8))),
  };
}
