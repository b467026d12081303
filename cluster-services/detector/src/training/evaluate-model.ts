import { openBackend } from '../backend.ts';
import { fitTemperature, sigmoid } from '../calibration.ts';
import { buildNetwork } from '../network.ts';
import { loadStreamDetector, probabilitiesOf } from '../stream-detector.ts';
import { parseStreamModel, type StreamGolden } from '../stream-model.ts';
import { disturbances } from './disturbances.ts';
import { evaluateTask, type JudgedWindow, meanResult, type Task, type TaskResult, tasks } from './evaluate.ts';
import { fourSeconds } from './examples.ts';
import { shippedRecipe } from './fit-model.ts';
import { type FoldTask, type Judgement, singleFeatures } from './fold-work.ts';
import {
  type DisturbanceResult,
  judgedByNetwork,
  measureDisturbance,
  measureInvariance,
  measureOwnBaseline,
  measureProbes,
  type Outcome,
} from './held-out.ts';
import { runInWorkers } from './in-workers.ts';
import { areaUnderCurve, confusionAt, sensitivityAt99 } from './metrics.ts';
import { alarmsOf, type PatternResult } from './pattern.ts';
import type { LabelledSegment } from './segments.ts';
import type { EnsembleRecipe } from './train-ensemble.ts';

export type Split = { readonly split: number; readonly folds: readonly (readonly string[])[] };

export type EvaluateOptions = {
  readonly model: Uint8Array;
  readonly golden: StreamGolden;
  readonly segments: readonly LabelledSegment[]; // all that are cross-validated
  readonly heldOut: (segment: LabelledSegment) => boolean; // which of them the shipped model has never seen
  readonly splits: readonly Split[];
  readonly recipe?: EnsembleRecipe;
  readonly processes: number;
  readonly probeSeconds?: number;
  readonly progress?: (message: string) => void;
};

export type Beside = {
  readonly name: string;
  readonly windows: string;
  readonly result: Readonly<Record<Task, Pick<TaskResult, 'auc' | 'balancedAccuracy' | 'sensitivityAt99'>>>;
};
export type Results = Readonly<Record<Task, TaskResult>>;

/** Everything `vitalwire model evaluate` measures but the speed, which no two runs have in common. */
export type Evaluation = {
  readonly modelHash: string;
  readonly version: string;
  readonly trainedOn: string;
  readonly seed: number;
  readonly recipe: EnsembleRecipe;
  readonly parameters: number;
  readonly modelBytes: number;
  readonly temperature: number;
  readonly seizureAt: number;
  readonly quietBelow: number;
  readonly distanceLimit: number;
  readonly crossValidated: number; // segments
  readonly splits: readonly Split[];
  readonly fourSeconds: { readonly mean: Results; readonly perSplit: readonly Results[]; readonly own: Results };
  readonly oneSecond: { readonly mean: Results; readonly perSplit: readonly Results[] };
  readonly beside: readonly Beside[];
  readonly refusedByGate: Readonly<Record<string, number>>; // share per group of the cross-validated 4 s windows
  readonly pattern: PatternResult;
  readonly heldOut: Results; // the shipped model on segments it has never seen, no gate
  readonly heldOutSegments: number;
  readonly disturbances: readonly DisturbanceResult[];
  readonly invariance: readonly { readonly name: string; readonly auc: Readonly<Record<Task, number>> }[];
  readonly gains: ReturnType<typeof measureOwnBaseline>[];
  readonly probes: readonly { readonly name: string; readonly outcome: Outcome }[];
};

const gains = [0.2, 0.5, 1, 2, 5];

export async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  const { segments, splits, processes, recipe = shippedRecipe, progress = () => undefined } = options;
  const tasksToDo = foldTasks(splits, recipe);
  progress(`${tasksToDo.length} networks to train in ${processes} processes`);
  const answers = await runInWorkers(segments, tasksToDo, processes, (done) => progress(`${done} of ${tasksToDo.length} networks`));
  const judgements = (geometry: FoldTask['geometry'], kind: string, split: number) =>
    tasksToDo.flatMap((task, index) =>
      task.geometry === geometry && `${task.kind} ${task.recipe.hidden.length > 0}` === kind && task.split === split
        ? (answers[index] ?? [])
        : [],
    );
  const of = (geometry: FoldTask['geometry'], kind: string) => splits.map(({ split }) => judgements(geometry, kind, split));

  const four = of('4 s', 'detector true');
  const one = of('1 s', 'plain true');
  const [firstFour = [], firstOne = []] = [four[0], one[0]];
  const fourResults = four.map((judged) => bothTasks(calibrated(judged)));
  const oneResults = one.map((judged) => bothTasks(calibrated(judged)));
  const beside: Beside[] = [
    ...singles(firstFour, '4 s'),
    ...singles(firstOne, '1 s'),
    besideOf('logistic regression on the same features', '4 s', judgements('4 s', 'plain false', 1)),
    besideOf('logistic regression on the same features', '1 s', judgements('1 s', 'plain false', 1)),
    besideOf('the network, LEAKY split by windows', '1 s', judgements('1 s', 'leaky true', 1)),
  ];
  return {
    ...(await measureShipped(options, progress)),
    recipe,
    crossValidated: segments.length,
    splits,
    fourSeconds: {
      mean: meanOf(fourResults),
      perSplit: fourResults,
      own: meanOf(four.map((judged) => bothTasks(calibrated(judged, 'ownLogit')))),
    },
    oneSecond: { mean: meanOf(oneResults), perSplit: oneResults },
    beside,
    refusedByGate: refusals(firstFour),
    pattern: alarmsOf(four.map((judged) => calibrated(judged))),
  };
}

function foldTasks(splits: readonly Split[], recipe: EnsembleRecipe): FoldTask[] {
  const tasksToDo: FoldTask[] = [];
  const add = (geometry: FoldTask['geometry'], kind: FoldTask['kind'], { split, folds }: Split, how: EnsembleRecipe) => {
    for (const [fold, heldOut] of folds.entries())
      tasksToDo.push({ geometry, kind, split, fold, heldOut, recipe: how, seed: 1000 * split + fold });
  };
  for (const split of splits) {
    add('4 s', 'detector', split, recipe);
    add('1 s', 'plain', split, recipe);
  }
  const [first] = splits;
  if (first !== undefined) {
    add('4 s', 'plain', first, { ...recipe, hidden: [], members: 1 });
    add('1 s', 'plain', first, { ...recipe, hidden: [], members: 1 });
    add('1 s', 'leaky', first, { ...recipe, members: 1 });
  }
  return tasksToDo;
}

/** Probabilities with a temperature fitted to the other folds, so that no fold calibrates itself. */
function calibrated(judged: readonly Judgement[], logit: 'logit' | 'ownLogit' = 'logit'): JudgedWindow[] {
  const temperatures = new Map(
    [...new Set(judged.map(({ fold }) => fold))].map((fold) => {
      const others = judged.filter((item) => item.fold !== fold);
      return [
        fold,
        fitTemperature(
          others.map((item) => item[logit] ?? Number.NaN),
          others.map(({ ictal }) => ictal),
        ),
      ];
    }),
  );
  return judged.map((item) => ({
    score: sigmoid((item[logit] ?? Number.NaN) / (temperatures.get(item.fold) ?? 1)),
    ictal: item.ictal,
    segment: item.segment,
    group: item.group,
  }));
}

function bothTasks(judged: readonly JudgedWindow[]): Results {
  return { all: evaluateTask(judged, 'all'), 'F+N': evaluateTask(judged, 'F+N') };
}

function meanOf(results: readonly Results[]): Results {
  return { all: meanResult(results.map((result) => result.all)), 'F+N': meanResult(results.map((result) => result['F+N'])) };
}

function singles(judged: readonly Judgement[], windows: string): Beside[] {
  return singleFeatures.map((name, index) => {
    const scored = judged.map((item) => ({ ...item, score: item.single[index] ?? Number.NaN }));
    return besideOf(`${name} alone (its best threshold on these very windows)`, windows, scored, 'best');
  });
}

function besideOf(
  name: string,
  windows: string,
  judged: readonly (Judgement & { score?: number })[],
  threshold: 'zero' | 'best' = 'zero',
): Beside {
  const of = (task: Task) => {
    const inTask = judged
      .filter(({ group }) => (tasks[task] as readonly string[]).includes(group))
      .map((item) => ({ score: item.score ?? item.logit, ictal: item.ictal }));
    const at = threshold === 'zero' ? 0 : bestThreshold(inTask);
    return {
      auc: areaUnderCurve(inTask),
      balancedAccuracy: confusionAt(inTask, at).balancedAccuracy,
      sensitivityAt99: sensitivityAt99(inTask),
    };
  };
  return { name, windows, result: { all: of('all'), 'F+N': of('F+N') } };
}

/** The threshold with the best balanced accuracy: as kind to a baseline as one can be. */
function bestThreshold(judged: readonly { score: number; ictal: boolean }[]): number {
  const sorted = judged.map(({ score }) => score).sort((a, b) => a - b);
  const candidates = Array.from({ length: 200 }, (_, index) => sorted[Math.floor((index * sorted.length) / 200)] ?? 0);
  const accuracies = candidates.map((at) => confusionAt(judged, at).balancedAccuracy);
  return candidates[accuracies.indexOf(Math.max(...accuracies))] ?? 0;
}

function refusals(judged: readonly Judgement[]): Record<string, number> {
  const groups = [...new Set(judged.map(({ group }) => group))];
  const share = (group: string) => {
    const inGroup = judged.filter((item) => item.group === group);
    return inGroup.filter(({ refused }) => refused !== null).length / inGroup.length;
  };
  return Object.fromEntries(groups.map((group) => [group, share(group)]));
}

/** The shipped model on what it has never seen. */
async function measureShipped(
  { model: bytes, golden, segments, heldOut, probeSeconds = 200 }: EvaluateOptions,
  progress: (message: string) => void,
) {
  const model = parseStreamModel(bytes);
  const tensors = await openBackend('wasm');
  const network = buildNetwork(tensors, model.members);
  const ask = (inputs: readonly Float64Array[]) => probabilitiesOf(model, network, inputs);
  const detector = await loadStreamDetector({ backend: 'wasm', model, golden });
  const unseen = segments.filter(heldOut);
  progress(`the shipped model ${model.hash} on ${unseen.length} segments it has never seen`);
  const { file } = model;
  const measured = {
    modelHash: model.hash,
    version: file.version,
    trainedOn: file.trainedOn,
    seed: file.seed,
    parameters: (model.members[0] ?? []).reduce((sum, { kernel, bias }) => sum + kernel.length + bias.length, 0),
    modelBytes: bytes.length,
    temperature: file.temperature,
    seizureAt: file.seizureAt,
    quietBelow: file.quietBelow,
    distanceLimit: file.reference.limit,
    heldOut: bothTasks(judgedByNetwork(ask, unseen, fourSeconds)),
    heldOutSegments: unseen.length,
    disturbances: disturbances.map((disturbance) => measureDisturbance(detector, ask, unseen, disturbance)),
    invariance: measureInvariance(detector, ask, unseen),
    gains: gains.map((gain) => measureOwnBaseline(detector, unseen, gain)),
    probes: measureProbes(detector, probeSeconds),
  };
  detector.dispose();
  network.dispose();
  return measured;
}
