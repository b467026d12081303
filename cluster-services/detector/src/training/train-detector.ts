import { checkQuality } from '@vitalwire/vitals';
import type { Tensors } from '../backend.ts';
import { fitTemperature, sigmoid } from '../calibration.ts';
import { type Detector, loadDetector } from '../detector.ts';
import { featureNames } from '../features.ts';
import { type GoldenFile, type ModelFile, modelHashOf, packWeights, parseModel } from '../model-file.ts';
import { buildNetwork } from '../network.ts';
import { clipped, standardise } from '../standardise.ts';
import { crossValidate, describeGroups, type OutOfFold, standardOf, trainEnsemble } from './cross-validate.ts';
import { disturbances, probes, probeWindows } from './disturbances.ts';
import { evaluateTask, type JudgedWindow, meanResult, type Task, type TaskResult, tasks } from './evaluate.ts';
import { stratifiedFolds } from './folds.ts';
import { areaUnderCurve, confusionAt, sensitivityAt99, thresholdForSensitivity, thresholdForSpecificity } from './metrics.ts';
import { seededRandom } from './seeded-random.ts';
import { type LabelledSegment, type LabelledWindow, windowsOf } from './segments.ts';
import { type Recipe, shippedRecipe } from './train-network.ts';

export type TrainOptions = {
  readonly version: string;
  readonly trainedOn: string;
  readonly seed: number;
  readonly splitSeeds: readonly number[];
  readonly folds: number;
  readonly memberSeeds: readonly number[];
  readonly recipe?: Recipe;
  readonly progress?: (message: string) => void;
};

export type Baseline = {
  readonly name: string;
  readonly result: Readonly<Record<Task, Pick<TaskResult, 'auc' | 'balancedAccuracy' | 'sensitivityAt99'>>>;
};

/** What the whole detector, gates included, says about some windows, as shares. */
export type Outcome = {
  readonly windows: number;
  readonly seizure: number;
  readonly unsure: number;
  readonly quiet: number;
  readonly unlikeTraining: number;
  readonly notScorable: number;
};

export type Report = {
  readonly modelHash: string;
  readonly version: string;
  readonly trainedOn: string;
  readonly backend: string;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly members: number;
  readonly parameters: number;
  readonly trainingSegments: number;
  readonly temperature: number;
  readonly seizureAt: number;
  readonly quietBelow: number;
  readonly distanceLimit: number;
  readonly crossValidation: Readonly<Record<Task, TaskResult>>; // mean over the split seeds
  readonly perSplit: readonly { readonly splitSeed: number; readonly result: Readonly<Record<Task, TaskResult>> }[];
  readonly folds: readonly { readonly splitSeed: number; readonly folds: readonly (readonly string[])[] }[];
  readonly baselines: readonly Baseline[];
  readonly outOfFoldOutcome: { readonly ictal: Outcome; readonly other: Outcome };
  readonly refusedByQuality: Readonly<Record<string, number>>; // share per group of the training windows
  readonly heldOut: Readonly<Record<Task, TaskResult>> | null;
  readonly heldOutSegments: number;
  readonly disturbances: readonly {
    readonly name: string;
    readonly auc: Readonly<Record<Task, number>>;
    readonly ictal: Outcome;
    readonly other: Outcome;
  }[];
  readonly probes: readonly { readonly name: string; readonly outcome: Outcome }[];
};

export type TrainedDetector = { readonly model: Uint8Array; readonly golden: GoldenFile; readonly report: Report };

const WINDOW_SAMPLES = 178;
// Windows half a window apart double the training set and keep the network from learning the grid.
const TRAINING_STEP = 89;
const GOLDEN_WINDOWS = 48;
const PROBE_WINDOWS = 200;
// A window is called a seizure only where at most this share of the non-ictal windows of the folds would be, and quiet only where at most this share of the ictal ones would be.
const WRONG_CALLS = 0.01;
const DISTANCE_QUANTILE = 0.999;
const bonnRails = { min: -2048, max: 2047 };

/** Cross-validates, trains the shipped ensemble on all `training` segments, and judges it on `heldOut`, which nothing else here looks at. */
export async function trainDetector(
  tensors: Tensors,
  training: readonly LabelledSegment[],
  heldOut: readonly LabelledSegment[],
  options: TrainOptions,
): Promise<TrainedDetector> {
  const recipe = options.recipe ?? shippedRecipe;
  const progress = options.progress ?? (() => undefined);
  const windows = training.flatMap((segment) => windowsOf(segment, WINDOW_SAMPLES, TRAINING_STEP));
  progress(`${training.length} segments, ${windows.length} windows`);

  const splits: { splitSeed: number; foldOf: Map<string, number>; judged: OutOfFold[] }[] = [];
  for (const splitSeed of options.splitSeeds) {
    const foldOf = stratifiedFolds(training, options.folds, splitSeed);
    const judged = await crossValidate(tensors, windows, ({ segment }) => foldOf.get(segment.name) ?? -1, recipe, options.memberSeeds);
    splits.push({ splitSeed, foldOf, judged });
    progress(
      `split ${splitSeed}: AUC ${areaUnderCurve(judged.map(({ logit, window }) => ({ score: logit, ictal: window.segment.ictal }))).toFixed(4)}`,
    );
  }

  const pooled = splits.flatMap(({ judged }) => judged);
  const temperature = fitTemperature(
    pooled.map(({ logit }) => logit),
    pooled.map(({ window }) => window.segment.ictal),
  );
  const probabilities = pooled.map(({ logit, window }) => ({ score: sigmoid(logit / temperature), ictal: window.segment.ictal }));
  const seizureAt = Math.ceil(thresholdForSpecificity(probabilities, 1 - WRONG_CALLS) * 1000) / 1000;
  const quietBelow = Math.min(seizureAt, Math.floor(thresholdForSensitivity(probabilities, 1 - WRONG_CALLS) * 1000) / 1000);
  const distanceLimit =
    Math.ceil(
      quantile(
        pooled.map(({ distance }) => distance),
        DISTANCE_QUANTILE,
      ) * 100,
    ) / 100;

  const standard = standardOf(windows);
  const members = await trainEnsemble(
    tensors,
    windows,
    standard,
    recipe,
    options.memberSeeds.map((seed) => seed + options.seed),
  );
  progress('shipped ensemble trained');
  const [first] = training;
  if (first === undefined) throw new RangeError('no training segments');
  const file: ModelFile = {
    format: 1,
    version: options.version,
    label: 'Research and education software. Not a medical device. Detection performance on unseen patients is unknown.',
    trainedOn: options.trainedOn,
    seed: options.seed,
    rate: first.rate,
    unit: 'uV',
    windowSamples: WINDOW_SAMPLES,
    hopSamples: WINDOW_SAMPLES,
    features: featureNames,
    standard,
    layers: [featureNames.length, ...recipe.hidden, 1],
    members: members.map(packWeights),
    temperature,
    seizureAt,
    quietBelow,
    reference: { groups: describeGroups(windows, standard), limit: distanceLimit },
  };
  const model = new TextEncoder().encode(`${JSON.stringify(file)}\n`);
  const golden = makeGolden(tensors, model, windows);
  const detector = await loadDetector({ backend: tensors.backend, model: parseModel(model), golden });

  const calibrated = (judged: readonly OutOfFold[]): JudgedWindow[] =>
    judged.map(({ logit, window: { segment } }) => ({
      score: sigmoid(logit / temperature),
      ictal: segment.ictal,
      segment: segment.name,
      group: segment.group,
    }));
  const perSplit = splits.map(({ splitSeed, judged }) => ({
    splitSeed,
    result: bothTasks((task) => evaluateTask(calibrated(judged), task)),
  }));
  const report: Report = {
    modelHash: modelHashOf(model),
    version: options.version,
    trainedOn: options.trainedOn,
    backend: tensors.backend,
    recipe,
    seed: options.seed,
    members: members.length,
    parameters: (members[0] ?? []).reduce((sum, { kernel, bias }) => sum + kernel.length + bias.length, 0),
    trainingSegments: training.length,
    temperature,
    seizureAt,
    quietBelow,
    distanceLimit,
    crossValidation: bothTasks((task) => meanResult(perSplit.map(({ result }) => result[task]))),
    perSplit,
    folds: splits.map(({ splitSeed, foldOf }) => ({ splitSeed, folds: namesByFold(foldOf, options.folds) })),
    baselines: await measureBaselines(tensors, windows, splits[0]?.foldOf ?? new Map(), recipe, options),
    outOfFoldOutcome: outOfFoldOutcome(pooled, file),
    refusedByQuality: refusedByQuality(windows),
    heldOut:
      heldOut.length === 0
        ? null
        : bothTasks((task) =>
            evaluateTask(
              rawJudgements(tensors, model, heldOut, (window) => window),
              task,
            ),
          ),
    heldOutSegments: heldOut.length,
    disturbances: disturbances.map((disturbance) => measureDisturbance(tensors, model, detector, heldOut, disturbance)),
    probes: probes.map((probe) => ({
      name: probe.name,
      outcome: measureProbe(detector, probeWindows(probe, PROBE_WINDOWS, WINDOW_SAMPLES, rateHz(first))),
    })),
  };
  detector.dispose();
  progress('report done');
  return { model, golden, report };
}

/** Windows spread over the training segments with the probabilities this backend gives them. */
function makeGolden(tensors: Tensors, modelBytes: Uint8Array, windows: readonly LabelledWindow[]): GoldenFile {
  const model = parseModel(modelBytes);
  const grid = windows.filter(({ onGrid }) => onGrid);
  const chosen = Array.from({ length: GOLDEN_WINDOWS }, (_, index) => grid[Math.floor((index * grid.length) / GOLDEN_WINDOWS)]).filter(
    (window) => window !== undefined,
  );
  const network = buildNetwork(tensors, model.members);
  const { mean, sd, clip } = model.file.standard;
  const logits = network.logits(chosen.map(({ features }) => clipped(standardise(features, mean, sd), clip)));
  network.dispose();
  return {
    modelHash: model.hash,
    windows: chosen.map(({ segment, firstSample }) => Array.from(segment.samples).slice(firstSample, firstSample + WINDOW_SAMPLES)),
    probabilities: Array.from(logits, (logit) => Number(sigmoid(logit / model.file.temperature).toFixed(8))),
  };
}

/** The network's own probability of every grid window, gates left out: what the task metrics are about. */
function rawJudgements(
  tensors: Tensors,
  modelBytes: Uint8Array,
  segments: readonly LabelledSegment[],
  change: (window: Float64Array) => Float64Array,
): JudgedWindow[] {
  const model = parseModel(modelBytes);
  const { mean, sd, clip } = model.file.standard;
  const changed = segments.flatMap((segment) =>
    gridWindows(segment).flatMap((window) => windowsOf({ ...segment, samples: change(window) }, WINDOW_SAMPLES, WINDOW_SAMPLES)),
  );
  const network = buildNetwork(tensors, model.members);
  const logits = network.logits(changed.map(({ features }) => clipped(standardise(features, mean, sd), clip)));
  network.dispose();
  return changed.map(({ segment }, index) => ({
    score: sigmoid((logits[index] ?? Number.NaN) / model.file.temperature),
    ictal: segment.ictal,
    segment: segment.name,
    group: segment.group,
  }));
}

function measureDisturbance(
  tensors: Tensors,
  model: Uint8Array,
  detector: Detector,
  segments: readonly LabelledSegment[],
  { name, apply }: (typeof disturbances)[number],
): Report['disturbances'][number] {
  const random = seededRandom(7);
  const change = (window: Float64Array) => apply(window, 173.61, random);
  const judged = rawJudgements(tensors, model, segments, change);
  const scored = (ictal: boolean) =>
    outcomeOf(
      detector.scoreWindows(segments.filter((segment) => segment.ictal === ictal).flatMap((segment) => gridWindows(segment).map(change))),
    );
  const auc = (task: Task) => areaUnderCurve(judged.filter(({ group }) => (tasks[task] as readonly string[]).includes(group)));
  return { name, auc: bothTasks(auc), ictal: scored(true), other: scored(false) };
}

function measureProbe(detector: Detector, windows: readonly Float64Array[]): Outcome {
  return outcomeOf(
    detector.scoreWindows(
      windows,
      windows.map(() => bonnRails),
    ),
  );
}

async function measureBaselines(
  tensors: Tensors,
  windows: readonly LabelledWindow[],
  foldOf: ReadonlyMap<string, number>,
  recipe: Recipe,
  options: TrainOptions,
): Promise<Baseline[]> {
  const grid = windows.filter(({ onGrid }) => onGrid);
  const bySegment = ({ segment }: LabelledWindow) => foldOf.get(segment.name) ?? -1;
  const named = (name: string, judged: readonly JudgedWindow[], threshold?: number): Baseline => ({
    name,
    result: bothTasks((task) => {
      const inTask = judged.filter(({ group }) => (tasks[task] as readonly string[]).includes(group));
      const at = threshold ?? bestThreshold(inTask);
      return {
        auc: areaUnderCurve(inTask),
        balancedAccuracy: confusionAt(inTask, at).balancedAccuracy,
        sensitivityAt99: sensitivityAt99(inTask),
      };
    }),
  });
  const single = (feature: (typeof featureNames)[number]) => {
    const index = featureNames.indexOf(feature);
    return named(
      `${feature} alone (threshold fitted to the very same windows)`,
      grid.map(({ features, segment }) => ({
        score: features[index] ?? Number.NaN,
        ictal: segment.ictal,
        segment: segment.name,
        group: segment.group,
      })),
    );
  };
  const network = async (name: string, fold: (window: LabelledWindow) => number, shape: Recipe) => {
    const judged = await crossValidate(tensors, windows, fold, shape, options.memberSeeds.slice(0, 1));
    return named(
      name,
      judged.map(({ logit, window: { segment } }) => ({ score: logit, ictal: segment.ictal, segment: segment.name, group: segment.group })),
      0,
    );
  };
  // A split by rows puts neighbours of one segment on both sides; its figure is shown to be distrusted.
  const rows = stratifiedFolds(
    windows.map((window, index) => ({ name: String(index), group: window.segment.group })),
    options.folds,
    1,
  );
  const rowOf = new Map(windows.map((window, index) => [window, rows.get(String(index)) ?? 0]));
  return [
    single('log SD'),
    single('log line length'),
    single('log power, theta'),
    await network('logistic regression, 20 features', bySegment, { ...recipe, hidden: [] }),
    await network('one member of the ensemble', bySegment, recipe),
    await network('one member, LEAKY split by rows', (window) => rowOf.get(window) ?? 0, recipe),
  ];
}

/** The threshold with the best balanced accuracy: as kind to a baseline as one can be. */
function bestThreshold(judged: readonly JudgedWindow[]): number {
  const candidates = quantiles(
    judged.map(({ score }) => score),
    200,
  );
  return candidates.reduce(
    (best, at) => (confusionAt(judged, at).balancedAccuracy > confusionAt(judged, best).balancedAccuracy ? at : best),
    candidates[0] ?? 0,
  );
}

function outOfFoldOutcome(pooled: readonly OutOfFold[], file: ModelFile): Report['outOfFoldOutcome'] {
  const outcome = (ictal: boolean) =>
    outcomeOf(
      pooled
        .filter(({ window }) => window.segment.ictal === ictal)
        .map(({ logit, distance }) => {
          if (distance > file.reference.limit) return { verdict: 'unsure', reason: 'unlike-training' };
          const probability = sigmoid(logit / file.temperature);
          return { verdict: probability >= file.seizureAt ? 'seizure' : probability < file.quietBelow ? 'quiet' : 'unsure', reason: null };
        }),
    );
  return { ictal: outcome(true), other: outcome(false) };
}

function outcomeOf(scores: readonly { readonly verdict: string; readonly reason: string | null }[]): Outcome {
  const share = (matches: (score: (typeof scores)[number]) => boolean) => scores.filter(matches).length / Math.max(1, scores.length);
  return {
    windows: scores.length,
    seizure: share(({ verdict }) => verdict === 'seizure'),
    unsure: share(({ verdict, reason }) => verdict === 'unsure' && reason === null),
    quiet: share(({ verdict }) => verdict === 'quiet'),
    unlikeTraining: share(({ reason }) => reason === 'unlike-training'),
    notScorable: share(({ verdict }) => verdict === 'not-scorable'),
  };
}

function refusedByQuality(windows: readonly LabelledWindow[]): Record<string, number> {
  const counts = new Map<string, { all: number; refused: number }>();
  for (const { segment, firstSample, onGrid } of windows) {
    if (!onGrid) continue;
    const count = counts.get(segment.group) ?? { all: 0, refused: 0 };
    const quality = checkQuality(Array.from(segment.samples).slice(firstSample, firstSample + WINDOW_SAMPLES), rateHz(segment), {
      rails: bonnRails,
    });
    counts.set(segment.group, { all: count.all + 1, refused: count.refused + (quality.scorable ? 0 : 1) });
  }
  return Object.fromEntries([...counts].map(([group, { all, refused }]) => [group, refused / all]));
}

function gridWindows(segment: LabelledSegment): Float64Array[] {
  const count = Math.floor(segment.samples.length / WINDOW_SAMPLES);
  return Array.from({ length: count }, (_, window) =>
    Float64Array.from(segment.samples).slice(window * WINDOW_SAMPLES, (window + 1) * WINDOW_SAMPLES),
  );
}

function namesByFold(foldOf: ReadonlyMap<string, number>, folds: number): string[][] {
  return Array.from({ length: folds }, (_, fold) => [...foldOf].filter(([, of]) => of === fold).map(([name]) => name));
}

function bothTasks<T>(of: (task: Task) => T): Record<Task, T> {
  return { all: of('all'), 'F+N': of('F+N') };
}

function rateHz(segment: LabelledSegment): number {
  return segment.rate.num / segment.rate.den;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function quantiles(values: readonly number[], count: number): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return Array.from({ length: count }, (_, index) => sorted[Math.floor((index * sorted.length) / count)] ?? 0);
}
