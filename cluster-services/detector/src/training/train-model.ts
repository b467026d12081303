import type { Tensors } from '../backend.ts';
import { fitTemperature, sigmoid } from '../calibration.ts';
import { featureCount } from '../features.ts';
import type { StreamGolden } from '../stream-model.ts';
import { fourSeconds } from './examples.ts';
import { fitDetector, goldenOf, judgeRows, type LearningSet, learningSetOf, packModel, shippedRecipe } from './fit-model.ts';
import { stratifiedFolds } from './folds.ts';
import { thresholdForSensitivity, thresholdForSpecificity } from './metrics.ts';
import { ownRow, populationRow, quantileOf, type Row } from './rows.ts';
import { seededRandom } from './seeded-random.ts';
import type { LabelledSegment } from './segments.ts';
import type { EnsembleRecipe } from './train-ensemble.ts';

export type TrainModelOptions = {
  readonly version: string;
  readonly trainedOn: string;
  readonly seed: number;
  readonly folds?: number;
  readonly recipe?: EnsembleRecipe;
  readonly progress?: (message: string) => void;
};

export type TrainedModel = { readonly model: Uint8Array; readonly golden: StreamGolden };

const GOLDEN_ROWS = 48;
/** At most this share of the non-ictal windows out of fold is called a seizure, and of the ictal ones quiet. */
const WRONG_CALLS = 0.01;
/** At most this share of clean windows out of fold is "unlike training". */
const UNLIKE_SHARE = 0.001;

/** Trains the shipped model. Temperature, thresholds and the limit of likeness come from windows whose fold the network had not seen. */
export function trainModel(tensors: Tensors, segments: readonly LabelledSegment[], options: TrainModelOptions): TrainedModel {
  const { seed, version, trainedOn, recipe = shippedRecipe, folds = 5, progress = () => undefined } = options;
  const sets = segments.map((segment, index) => learningSetOf(segment, fourSeconds, seed * 1000 + index));
  progress(`${segments.length} segments, ${sets.reduce((sum, { clean }) => sum + clean.length, 0)} windows`);

  const foldOf = stratifiedFolds(segments, folds, seed);
  const judged: { logit: number; distance: number; ictal: boolean }[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const inFold = ({ clean }: LearningSet) => foldOf.get(clean[0]?.segment.name ?? '') === fold;
    const fitted = fitDetector(
      tensors,
      sets.filter((set) => !inFold(set)),
      recipe,
      seed * 100 + fold,
    );
    const rows = bothRows(sets.filter(inFold), fitted, seed * 100 + fold);
    const { logits, distances } = judgeRows(tensors, fitted, rows);
    for (const [index, { ictal }] of rows.entries())
      judged.push({ ictal, logit: logits[index] ?? Number.NaN, distance: distances[index] ?? Number.NaN });
    progress(`fold ${fold + 1} of ${folds}`);
  }
  const temperature = rounded(
    fitTemperature(
      judged.map(({ logit }) => logit),
      judged.map(({ ictal }) => ictal),
    ),
    4,
  );
  const scored = judged.map(({ logit, ictal }) => ({ score: sigmoid(logit / temperature), ictal }));
  const seizureAt = Math.ceil(thresholdForSpecificity(scored, 1 - WRONG_CALLS) * 1000) / 1000;
  const quietBelow = Math.min(seizureAt, Math.floor(thresholdForSensitivity(scored, 1 - WRONG_CALLS) * 1000) / 1000);
  const distanceLimit = rounded(
    quantileOf(
      judged.map(({ distance }) => distance),
      1 - UNLIKE_SHARE,
    ),
    2,
  );

  const fitted = fitDetector(tensors, sets, recipe, seed * 100 + folds);
  const model = packModel(fitted, recipe, { version, trainedOn, seed, temperature, seizureAt, quietBelow, distanceLimit });
  progress('trained on all of them');
  return { model, golden: goldenOf(tensors, model, fitted, bothRows(sets, fitted, seed), temperature, GOLDEN_ROWS) };
}

/** The judged windows the gate passes, once with the population's baseline and once with one of their own. */
function bothRows(sets: readonly LearningSet[], { amplitudes, populationLogUv }: ReturnType<typeof fitDetector>, seed: number): Row[] {
  const random = seededRandom(seed);
  const examples = sets
    .flatMap(({ clean }) => clean)
    .filter(({ judged, refused, features }) => judged && refused === null && features.length === featureCount);
  return examples.flatMap((example) => [populationRow(example), ownRow(example, amplitudes, populationLogUv, random)]);
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
