import type { Baseline, ChannelScale, Rate, Verdict } from '@vitalwire/contract';
import { type BaselineLevel, recentRule } from '@vitalwire/vitals';
import { type BackendName, type DetectorLog, openBackend } from './backend.ts';
import { sigmoid } from './calibration.ts';
import { channelsThatSpeak } from './channels-that-speak.ts';
import { featureNames } from './features.ts';
import { buildNetwork, type Network } from './network.ts';
import { clipped, standardise } from './standardise.ts';
import { EegStream, type PreparedChannel, type PreparedWindow, type RecalledBaselines, type RefusalReason } from './stream.ts';
import { readStreamGolden, readStreamModel, type StreamGolden, type StreamModel } from './stream-model.ts';

/**
 * Why a window has no probability, or a verdict that its probability alone would not give. `amplitude-jump`: only its amplitude speaks against
 * quiet, not its shape; it is far above the channel's own baseline, which it does not move. A gain that was changed, or a seizure.
 */
export type WindowReason = RefusalReason | 'few-channels' | 'amplitude-jump';

/** What the detector says about one window. Nothing in it depends on the other windows of a call. */
export type WindowScore = {
  readonly window: number;
  readonly firstSample: number;
  readonly samples: number;
  readonly complete: boolean; // as in the prepared window
  readonly probability: number | null; // of the recording: from its channels most like a seizure; to 1e-4
  readonly verdict: Verdict;
  readonly reason: WindowReason | null;
  readonly channel: number; // the channel most like a seizure; where none has a probability, the first of the reason
  readonly baseline: Baseline | null; // of that channel; null = nothing was scored
  readonly channelProbabilities: readonly (number | null)[]; // one per channel of the montage, to 1e-4
  readonly channelReasons: readonly (RefusalReason | null)[];
  readonly channelBaselines: readonly BaselineLevel[]; // what each channel was compared with; null = the population's
};

/** How a feature moved one channel's probability. */
export type Explanation = {
  readonly feature: string;
  readonly value: number;
  readonly usual: number; // the mean over the training windows
  readonly change: number; // probability as it is minus probability with the usual value in its place
};

export type StreamDetector = {
  readonly model: StreamModel;
  readonly modelHash: string;
  readonly modelVersion: string;
  readonly backend: BackendName;
  readonly seizureAt: number;
  readonly quietBelow: number;
  /** One recording's stream; the same as `new EegStream(detector.model, …)`, which needs no backend and can live elsewhere. */
  openStream(rate: Rate, montage: readonly ChannelScale[], recalled?: readonly RecalledBaselines[]): EegStream;
  /** One score per window, in the same order. All channels of all windows go through the network at once. */
  score(windows: readonly PreparedWindow[]): WindowScore[];
  /** Which features moved a channel's probability, strongest first; empty when it has none. */
  explain(window: PreparedWindow, channel: number): Explanation[];
  dispose(): void;
};

export type StreamDetectorOptions = {
  readonly backend?: BackendName | 'auto';
  readonly log?: DetectorLog;
  readonly model?: StreamModel;
  readonly golden?: StreamGolden;
};

/** How far a backend's probabilities may be from the golden ones. */
const GOLDEN_TOLERANCE = 1e-5;

/** From here on a channel alone is told of: the threshold of the alarm, so that what is told can alarm. */
const FOCAL_AT = recentRule.on;

/** Below this share of scored channels among the usable ones no window is called quiet. */
const QUIET_NEEDS_SHARE = 0.5;

/** Loads the shipped model on the first backend that loads and reproduces its golden outputs, and says which in the log. */
export async function loadStreamDetector(options: StreamDetectorOptions = {}): Promise<StreamDetector> {
  const { backend = 'auto', log = silent } = options;
  const model = options.model ?? readStreamModel();
  const golden = options.golden ?? readStreamGolden();
  const failures: unknown[] = [];
  for (const candidate of backend === 'auto' ? (['tfjs-node', 'wasm'] as const) : [backend]) {
    try {
      const network = buildNetwork(await openBackend(candidate), model.members);
      const worst = selfTest(model, network, golden);
      const details = { backend: candidate, modelHash: model.hash, modelVersion: model.file.version, worst };
      log.info(details, 'detector ready: its golden outputs are reproduced');
      return detectorOf(model, network, candidate);
    } catch (cause) {
      failures.push(cause);
      log.warn({ backend: candidate, why: firstLine(cause) }, 'a detector backend cannot be used here; trying the next');
    }
  }
  const tried = backend === 'auto' ? 'tfjs-node and wasm' : backend;
  throw new AggregateError(failures, `no tfjs backend works (tried ${tried}): ${failures.map(firstLine).join('; ')}`);
}

/** The largest difference to the golden probabilities; throws when it is not small. */
function selfTest(model: StreamModel, network: Network, golden: StreamGolden): number {
  if (golden.modelHash !== model.hash) throw new Error(`the golden outputs belong to model ${golden.modelHash}, not ${model.hash}`);
  const probabilities = probabilitiesOf(
    model,
    network,
    golden.inputs.map((input) => Float64Array.from(input)),
  );
  const worst = Math.max(...golden.probabilities.map((expected, index) => Math.abs(expected - (probabilities[index] ?? Number.NaN))));
  if (!(worst <= GOLDEN_TOLERANCE)) throw new Error(`its probabilities differ from the golden ones by ${worst}`);
  return worst;
}

/** Calibrated probabilities of network inputs. */
export function probabilitiesOf({ file }: StreamModel, network: Network, inputs: readonly Float64Array[]): number[] {
  const rows = inputs.map((input) => clipped(standardise(input, file.standard.mean, file.standard.sd), file.standard.clip));
  return Array.from(network.logits(rows), (logit) => sigmoid(logit / file.temperature));
}

function detectorOf(model: StreamModel, network: Network, backend: BackendName): StreamDetector {
  const { file } = model;
  return {
    model,
    modelHash: model.hash,
    modelVersion: file.version,
    backend,
    seizureAt: file.seizureAt,
    quietBelow: file.quietBelow,
    openStream: (rate, montage, recalled = []) => new EegStream(model, rate, montage, recalled),
    score(windows) {
      const inputs = windows.flatMap(({ channels }) => channels.flatMap(({ input }) => (input === null ? [] : [input])));
      const probabilities = probabilitiesOf(model, network, inputs);
      let next = 0;
      return windows.map((window) =>
        judge(
          model,
          window,
          window.channels.map(({ input }) => (input === null ? null : (probabilities[next++] ?? Number.NaN))),
        ),
      );
    },
    explain(window, channel) {
      const input = window.channels[channel]?.input ?? null;
      if (input === null) return [];
      const without = featureNames.map((_, feature) => input.map((value, at) => (at === feature ? (file.standard.mean[at] ?? 0) : value)));
      const [asIs = Number.NaN, ...others] = probabilitiesOf(model, network, [input, ...without]);
      return featureNames
        .map((feature, index) => ({
          feature,
          value: input[index] ?? Number.NaN,
          usual: file.standard.mean[index] ?? Number.NaN,
          change: asIs - (others[index] ?? Number.NaN),
        }))
        .sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
    },
    dispose: () => network.dispose(),
  };
}

/** One window's score from its channels' probabilities, which are exact here and rounded on the way out. */
function judge(model: StreamModel, window: PreparedWindow, probabilities: readonly (number | null)[]): WindowScore {
  const { channels, baselines: channelBaselines, ...place } = window;
  const isCutOff = (channel: number) =>
    isClipped(channels[channel]) && (probabilities[channel] ?? Number.POSITIVE_INFINITY) < model.file.quietBelow;
  const exact = probabilities.map((probability, channel) => (isCutOff(channel) ? null : probability));
  const scored = exact.flatMap((probability, channel) => (probability === null ? [] : [{ probability, channel }]));
  scored.sort((a, b) => b.probability - a.probability || a.channel - b.channel);
  const reasons = channels.map((channel, index) => (channel.input === null ? channel.reason : isCutOff(index) ? 'clipped' : null));
  const each = {
    channelProbabilities: exact.map((value) => (value === null ? null : rounded(value))),
    channelReasons: reasons,
    channelBaselines,
  };
  const [top] = scored;
  if (top === undefined) return { ...place, ...each, ...withoutProbability(reasons) };

  const { seizureAt, quietBelow } = model.file;
  const strongest = scored.slice(0, channelsThatSpeak(scored.length));
  const isFocal = top.probability >= FOCAL_AT && scored.filter((item) => item.probability >= seizureAt).length < strongest.length;
  // A mean over channels that see nothing can never reach an alarm: where few are certain, theirs is what is told.
  const probability = rounded(isFocal ? top.probability : strongest.reduce((sum, item) => sum + item.probability, 0) / strongest.length);
  const usable = reasons.filter((reason) => reason !== 'unit').length;
  const few = scored.length < QUIET_NEEDS_SHARE * usable;
  const verdict = isFocal ? 'focal' : probability >= seizureAt ? 'seizure' : probability < quietBelow && !few ? 'quiet' : 'unsure';
  const told = { ...place, ...each, probability, verdict, channel: top.channel, baseline: baselineOf(channels[top.channel]) } as const;
  if (few && probability < quietBelow) return { ...told, reason: 'few-channels' };
  const hasJumped = verdict !== 'quiet' && strongest.every(({ channel }) => jumpedAt(channels[channel]));
  return { ...told, reason: hasJumped ? 'amplitude-jump' : null };
}

function isClipped(channel: PreparedChannel | undefined): boolean {
  return channel !== undefined && channel.input !== null && channel.clipped;
}

function jumpedAt(channel: PreparedChannel | undefined): boolean {
  return channel !== undefined && channel.input !== null && channel.jumped;
}

function withoutProbability(
  reasons: readonly (RefusalReason | null)[],
): Pick<WindowScore, 'probability' | 'verdict' | 'reason' | 'channel' | 'baseline'> {
  // A window that came through the gate and was only unlike the training data is nearer to a score than one that did not.
  const commonest = reasons.includes('unlike-training') ? 'unlike-training' : mostFrequent(reasons);
  const verdict = commonest === 'unlike-training' ? 'unsure' : commonest === 'warm-up' ? 'calibrating' : 'not-scorable';
  return { probability: null, verdict, reason: commonest, channel: Math.max(0, reasons.indexOf(commonest)), baseline: null };
}

function mostFrequent<T>(items: readonly T[]): T | null {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

function baselineOf(channel: PreparedChannel | undefined): Baseline | null {
  return channel === undefined || channel.input === null ? null : channel.baseline;
}

/** To 1e-4, so that every backend gives the same. */
function rounded(probability: number): number {
  return Math.round(probability * 1e4) / 1e4;
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]?.trim() ?? '';
}

const silent: DetectorLog = { info: () => undefined, warn: () => undefined };
