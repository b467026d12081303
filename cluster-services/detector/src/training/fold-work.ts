import type { Tensors } from '../backend.ts';
import { featureCount, featureNames } from '../features.ts';
import { type Example, fourSeconds, type Geometry, oneSecond } from './examples.ts';
import { fitDetector, judgeRows, type LearningSet, learningSetOf } from './fit-model.ts';
import { stratifiedFolds } from './folds.ts';
import { ownRow, populationRow } from './rows.ts';
import { seededRandom } from './seeded-random.ts';
import type { LabelledSegment } from './segments.ts';
import type { EnsembleRecipe } from './train-ensemble.ts';

/** One network trained on four folds and asked about the fifth: what a worker does in one go. */
export type FoldTask = {
  readonly geometry: Geometry['name'];
  readonly kind: 'detector' | 'plain' | 'leaky'; // leaky: windows, not segments, are dealt out to the folds
  readonly split: number;
  readonly fold: number;
  readonly heldOut: readonly string[]; // names of the segments of the fold; a leaky task makes its own
  readonly recipe: EnsembleRecipe;
  readonly seed: number;
};

/** One held-out window and what was said about it. */
export type Judgement = {
  readonly segment: string;
  readonly group: string;
  readonly ictal: boolean;
  readonly fold: number;
  readonly logit: number; // with the population's baseline
  readonly ownLogit: number | null; // with one of its own
  readonly distance: number;
  readonly refused: string | null; // by the gate; judged all the same
  readonly single: readonly number[]; // the values of `singleFeatures`
};

/** The features that stand as detectors of their own beside the network. */
export const singleFeatures: readonly string[] = ['log SD', 'log line length', 'log power, theta'];

const LEAKY_FOLDS = 5;
const geometries = { '4 s': fourSeconds, '1 s': oneSecond } as const;

/** Does the folds of one set of segments, one after the other; features are taken once per geometry. */
export class FoldWork {
  readonly #tensors: Tensors;
  readonly #segments: readonly LabelledSegment[];
  readonly #sets = new Map<string, readonly LearningSet[]>();

  constructor(tensors: Tensors, segments: readonly LabelledSegment[]) {
    this.#tensors = tensors;
    this.#segments = segments;
  }

  run(task: FoldTask): Judgement[] {
    const sets = this.#setsFor(geometries[task.geometry], task.kind === 'detector');
    const { learnt, held } = task.kind === 'leaky' ? splitByWindow(sets, task.fold) : splitBySegment(sets, new Set(task.heldOut));
    if (held.length === 0) return [];
    const fitted = fitDetector(this.#tensors, learnt, task.recipe, task.seed, task.kind === 'detector' ? 'whole' : 'plain');
    const plain = judgeRows(this.#tensors, fitted, held.map(populationRow));
    const random = seededRandom(task.seed);
    const own =
      task.kind === 'detector'
        ? judgeRows(
            this.#tensors,
            fitted,
            held.map((example) => ownRow(example, fitted.amplitudes, fitted.populationLogUv, random)),
          )
        : null;
    return held.map(({ segment, refused, features }, index) => ({
      segment: segment.name,
      group: segment.group,
      ictal: segment.ictal,
      fold: task.fold,
      logit: plain.logits[index] ?? Number.NaN,
      ownLogit: own?.logits[index] ?? null,
      distance: plain.distances[index] ?? Number.NaN,
      refused,
      single: singleFeatures.map((name) => features[featureNames.indexOf(name)] ?? Number.NaN),
    }));
  }

  #setsFor(geometry: Geometry, disturbed: boolean): readonly LearningSet[] {
    const key = `${geometry.name} ${disturbed}`;
    const known = this.#sets.get(key) ?? this.#segments.map((segment, index) => learningSetOf(segment, geometry, 7000 + index, disturbed));
    this.#sets.set(key, known);
    return known;
  }
}

type Split = { readonly learnt: readonly LearningSet[]; readonly held: readonly Example[] };

const isWhole = ({ features }: Example) => features.length === featureCount;

function splitBySegment(sets: readonly LearningSet[], heldOut: ReadonlySet<string>): Split {
  const isHeld = ({ clean }: LearningSet) => heldOut.has(clean[0]?.segment.name ?? '');
  return {
    learnt: sets.filter((set) => !isHeld(set)),
    held: sets.filter(isHeld).flatMap(({ clean }) => clean.filter((example) => example.judged && isWhole(example))),
  };
}

/** Neighbours of one segment land on both sides: its figures are shown to be distrusted. */
function splitByWindow(sets: readonly LearningSet[], fold: number): Split {
  const all = sets.flatMap(({ clean }) => clean).filter(isWhole);
  const foldOf = stratifiedFolds(
    all.map(({ segment }, index) => ({ name: String(index), group: segment.group })),
    LEAKY_FOLDS,
    1,
  );
  const isHeld = (_: Example, index: number) => foldOf.get(String(index)) === fold;
  return {
    learnt: [{ clean: all.filter((example, index) => !isHeld(example, index)), disturbed: [] }],
    held: all.filter(isHeld).filter(({ judged }) => judged),
  };
}
