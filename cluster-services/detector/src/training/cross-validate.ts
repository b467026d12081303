import type { Tensors } from '../backend.ts';
import { describeGroup, distanceFrom, distanceReferenceOf } from '../distance.ts';
import type { DenseWeights } from '../model-file.ts';
import { buildNetwork } from '../network.ts';
import { clipped, standardise } from '../standardise.ts';
import type { LabelledWindow } from './segments.ts';
import { type Recipe, trainMember } from './train-network.ts';

/** Values beyond this many standard deviations are cut before the network. */
export const clipAt = 5;

export type Standard = { readonly mean: number[]; readonly sd: number[]; readonly clip: number };

/** Mean and SD of every feature over some windows. */
export function standardOf(windows: readonly LabelledWindow[]): Standard {
  const size = windows[0]?.features.length ?? 0;
  const mean = Array.from({ length: size }, (_, feature) => average(windows, ({ features }) => features[feature] ?? 0));
  const sd = mean.map((centre, feature) => Math.sqrt(average(windows, ({ features }) => ((features[feature] ?? 0) - centre) ** 2)));
  return { mean, sd: sd.map((value) => Math.max(value, 1e-9)), clip: clipAt };
}

/** The members of an ensemble, each from its own seed. */
export async function trainEnsemble(
  tensors: Tensors,
  windows: readonly LabelledWindow[],
  standard: Standard,
  recipe: Recipe,
  seeds: readonly number[],
): Promise<DenseWeights[][]> {
  const rows = windows.map(({ features, segment }) => ({
    values: clipped(standardise(features, standard.mean, standard.sd), standard.clip),
    ictal: segment.ictal,
  }));
  const members: DenseWeights[][] = [];
  for (const seed of seeds) members.push(await trainMember(tensors, rows, recipe, seed));
  return members;
}

/** One grid window judged by a network that never saw its fold. */
export type OutOfFold = { readonly window: LabelledWindow; readonly fold: number; readonly logit: number; readonly distance: number };

/** Every grid window's logit and distance from the folds it is not in. `foldOf` decides what is held out together. */
export async function crossValidate(
  tensors: Tensors,
  windows: readonly LabelledWindow[],
  foldOf: (window: LabelledWindow) => number,
  recipe: Recipe,
  seeds: readonly number[],
): Promise<OutOfFold[]> {
  const folds = [...new Set(windows.map(foldOf))].sort((a, b) => a - b);
  const judged: OutOfFold[] = [];
  for (const fold of folds) {
    const training = windows.filter((window) => foldOf(window) !== fold);
    const held = windows.filter((window) => window.onGrid && foldOf(window) === fold);
    const standard = standardOf(training);
    const network = buildNetwork(
      tensors,
      await trainEnsemble(
        tensors,
        training,
        standard,
        recipe,
        seeds.map((seed) => seed + 100 * fold),
      ),
    );
    const reference = distanceReferenceOf({ groups: describeGroups(training, standard), limit: Number.POSITIVE_INFINITY });
    const inputs = held.map(({ features }) => standardise(features, standard.mean, standard.sd));
    const logits = network.logits(inputs.map((input) => clipped(input, standard.clip)));
    network.dispose();
    for (const [index, window] of held.entries()) {
      judged.push({
        window,
        fold,
        logit: logits[index] ?? Number.NaN,
        distance: distanceFrom(reference, inputs[index] ?? new Float64Array(0)),
      });
    }
  }
  return judged;
}

/** Each group's windows on the grid as one Gaussian. */
export function describeGroups(windows: readonly LabelledWindow[], standard: Standard): ReturnType<typeof describeGroup>[] {
  const names = [...new Set(windows.map(({ segment }) => segment.group))];
  return names.map((name) =>
    describeGroup(
      name,
      windows
        .filter(({ segment, onGrid }) => onGrid && segment.group === name)
        .map(({ features }) => standardise(features, standard.mean, standard.sd)),
    ),
  );
}

function average<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0) / items.length;
}
