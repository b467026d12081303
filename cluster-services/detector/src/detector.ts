import type { ChannelScale, Rate, Verdict } from '@vitalwire/contract';
import { checkQuality, microvoltGainOf, powerSpectrum, type QualityReason, type Rails } from '@vitalwire/vitals';
import { type BackendName, type DetectorLog, openBackend } from './backend.ts';
import { sigmoid } from './calibration.ts';
import { distanceFrom } from './distance.ts';
import { featureNames, featuresOf } from './features.ts';
import { type GoldenFile, type Model, readGolden, readModel } from './model-file.ts';
import { buildNetwork, type Network } from './network.ts';
import { clipped, standardise } from './standardise.ts';

/** Why a window has no probability, or a recording no score at all. */
export type ScoreReason = QualityReason | 'unlike-training' | 'rate' | 'unit';

/** What the detector says about one window. */
export type Score = {
  readonly probability: number | null; // calibrated, rounded to 1e-4 so that every backend gives the same; null = refused
  readonly verdict: Verdict;
  readonly reason: ScoreReason | null;
};

export type Detector = {
  readonly modelHash: string;
  readonly modelVersion: string;
  readonly backend: BackendName;
  readonly windowSamples: number;
  readonly hopSamples: number;
  readonly rate: Rate;
  readonly seizureAt: number; // the model's threshold: verdict 'seizure' from this probability on
  readonly quietBelow: number;
  /** Why nothing of such a channel can be scored; null when it can. Unknown is refused, never guessed. */
  refusal(rate: Rate | null, channel: ChannelScale): 'rate' | 'unit' | null;
  /**
   * One score per window of `windowSamples` values in microvolts, in the same order. `rails[i]` = the ends of the converter behind
   * window i, in microvolts. A window's score does not depend on the others in the call.
   */
  scoreWindows(windows: readonly Float64Array[], rails?: readonly (Rails | undefined)[]): Score[];
  dispose(): void;
};

export type LoadOptions = {
  readonly backend?: BackendName | 'auto';
  readonly log?: DetectorLog;
  readonly model?: Model;
  readonly golden?: GoldenFile;
};

/** How far a backend's probabilities may be from the golden ones. */
export const goldenTolerance = 1e-5;

/** Loads the shipped model on the first backend that loads and reproduces its golden outputs, and says which in the log. */
export async function loadDetector(options: LoadOptions = {}): Promise<Detector> {
  const { backend = 'auto', log = silent } = options;
  const model = options.model ?? readModel();
  const golden = options.golden ?? readGolden();
  const failures: unknown[] = [];
  for (const candidate of backend === 'auto' ? (['tfjs-node', 'wasm'] as const) : [backend]) {
    try {
      const network = buildNetwork(await openBackend(candidate), model.members);
      const worst = selfTest(model, network, golden);
      log.info(
        { backend: candidate, modelHash: model.hash, modelVersion: model.file.version, worst },
        'detector ready: its golden outputs are reproduced',
      );
      return detectorOf(model, network, candidate);
    } catch (cause) {
      failures.push(cause);
      log.warn({ backend: candidate, why: firstLine(cause) }, 'detector backend not used');
    }
  }
  throw new AggregateError(
    failures,
    `no tfjs backend works (tried ${backend === 'auto' ? 'tfjs-node and wasm' : backend}): ${failures.map(firstLine).join('; ')}`,
  );
}

/** The largest difference to the golden probabilities; throws when it is not small. */
function selfTest(model: Model, network: Network, golden: GoldenFile): number {
  if (golden.modelHash !== model.hash) throw new Error(`the golden outputs belong to model ${golden.modelHash}, not ${model.hash}`);
  const probabilities = probabilitiesOf(
    model,
    network,
    golden.windows.map((window) => inputOf(model, Float64Array.from(window)).standardised),
  );
  const worst = Math.max(...golden.probabilities.map((expected, index) => Math.abs(expected - (probabilities[index] ?? Number.NaN))));
  if (!(worst <= goldenTolerance)) throw new Error(`its probabilities differ from the golden ones by ${worst}`);
  return worst;
}

function detectorOf(model: Model, network: Network, backend: BackendName): Detector {
  const { file } = model;
  return {
    modelHash: model.hash,
    modelVersion: file.version,
    backend,
    windowSamples: file.windowSamples,
    hopSamples: file.hopSamples,
    rate: file.rate,
    seizureAt: file.seizureAt,
    quietBelow: file.quietBelow,
    refusal(rate, channel) {
      if (rate === null || rate.num * file.rate.den !== file.rate.num * rate.den) return 'rate';
      return microvoltGainOf(channel) === null ? 'unit' : null;
    },
    scoreWindows(windows, rails) {
      const judged = windows.map((window, index) => judge(model, window, rails?.[index]));
      const rows = judged.flatMap((item) => ('standardised' in item ? [item.standardised] : []));
      const probabilities = probabilitiesOf(model, network, rows);
      let next = 0;
      return judged.map((item) => ('standardised' in item ? scoreOf(file, probabilities[next++] ?? Number.NaN) : item));
    },
    dispose: () => network.dispose(),
  };
}

/** The gates before the network: signal quality, then likeness to what the model was trained on. */
function judge(model: Model, window: Float64Array, rails: Rails | undefined): Score | { standardised: Float64Array } {
  const { windowSamples, rate } = model.file;
  if (window.length !== windowSamples) throw new RangeError(`a window has ${windowSamples} samples, not ${window.length}`);
  const spectrum = powerSpectrum(window, rate.num / rate.den);
  const quality = checkQuality(window, rate.num / rate.den, { rails, spectrum });
  if (!quality.scorable) return { probability: null, verdict: 'not-scorable', reason: quality.reason };
  const { standardised } = inputOf(model, window, spectrum);
  if (distanceFrom(model.reference, standardised) > model.reference.limit)
    return { probability: null, verdict: 'unsure', reason: 'unlike-training' };
  return { standardised };
}

function inputOf(model: Model, window: Float64Array, spectrum?: ReturnType<typeof powerSpectrum>): { standardised: Float64Array } {
  const { rate, standard, features } = model.file;
  const all = featuresOf(window, rate.num / rate.den, spectrum);
  const known = Float64Array.from(features, (name) => all[featureNames.indexOf(name)] ?? Number.NaN);
  return { standardised: standardise(known, standard.mean, standard.sd) };
}

function probabilitiesOf(model: Model, network: Network, standardised: readonly Float64Array[]): number[] {
  const logits = network.logits(standardised.map((row) => clipped(row, model.file.standard.clip)));
  return Array.from(logits, (logit) => sigmoid(logit / model.file.temperature));
}

function scoreOf({ seizureAt, quietBelow }: Model['file'], exact: number): Score {
  const probability = Math.round(exact * 1e4) / 1e4;
  const verdict = probability >= seizureAt ? 'seizure' : probability < quietBelow ? 'quiet' : 'unsure';
  return { probability, verdict, reason: null };
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]?.trim() ?? '';
}

const silent: DetectorLog = { info: () => undefined, warn: () => undefined };
