import type { Rate } from '@vitalwire/contract';
import { chainRate, Resampler, windowShapeFor } from '@vitalwire/vitals';
import { featureCount } from '../features.ts';
import type { StreamDetector, WindowScore } from '../stream-detector.ts';
import { type Disturbance, probes } from './disturbances.ts';
import { type JudgedWindow, type Task, tasks } from './evaluate.ts';
import { examplesOf, fourSeconds, type Geometry, segmentRails } from './examples.ts';
import { areaUnderCurve, confusionAt } from './metrics.ts';
import { populationRow } from './rows.ts';
import { seededRandom } from './seeded-random.ts';
import type { LabelledSegment } from './segments.ts';

/** What the whole detector, gates included, says about some windows, as shares of them. */
export type Outcome = {
  readonly windows: number;
  readonly seizure: number;
  readonly unsure: number;
  readonly quiet: number;
  readonly unlikeTraining: number;
  readonly notScorable: number;
};

export type DisturbanceResult = {
  readonly name: string;
  /** The network alone, no gate, population baseline: what it would say about anything. */
  readonly ungated: { readonly auc: Readonly<Record<Task, number>>; readonly sensitivity: number; readonly specificity: number };
  /** The whole detector: AUC, sensitivity and specificity at .5 of the windows it scores. */
  readonly gated: { readonly auc: Readonly<Record<Task, number>>; readonly sensitivity: number; readonly specificity: number };
  readonly ictal: Outcome;
  readonly other: Outcome;
};

/** Calm segments before an ictal one: 108 s that can be scored, of which 60 look calm even where a set is restless. */
const CALM_BEFORE = 6;

/** Probabilities of network inputs, by the shipped model. */
export type Ask = (inputs: readonly Float64Array[]) => number[];

const scale = { label: 'EEG', unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -2048, physicalMax: 2047, reference: '' };

/** Every window of a segment that is not masked, as the running detector scores it. */
export function scoresOf(detector: StreamDetector, samples: Float64Array, rate: Rate = chainRate): WindowScore[] {
  const windows = detector.openStream(rate, [scale]).push({ firstSample: 0, samplesPerChannel: samples.length, samples });
  return detector.score(windows).filter(({ reason }) => reason !== 'warm-up');
}

export function measureDisturbance(
  detector: StreamDetector,
  ask: Ask,
  segments: readonly LabelledSegment[],
  disturbance: Disturbance,
): DisturbanceResult {
  const seen = segments.map((segment, index) => {
    const samples = disturbance.apply(Float64Array.from(segment.samples), chainRate.num / chainRate.den, seededRandom(40 + index));
    return { segment, scores: scoresOf(detector, samples) };
  });
  const ungated = judgedByNetwork(ask, segments, fourSeconds, disturbance);
  return {
    name: disturbance.name,
    ungated: { auc: aucOf(ungated), ...atHalf(ungated) },
    gated: gatedOf(seen),
    ictal: outcomeOf(seen.filter(({ segment }) => segment.ictal).flatMap(({ scores }) => scores)),
    other: outcomeOf(seen.filter(({ segment }) => !segment.ictal).flatMap(({ scores }) => scores)),
  };
}

/** Shifts of the grid, and another rate: what must change nothing. */
export function measureInvariance(
  detector: StreamDetector,
  ask: Ask,
  segments: readonly LabelledSegment[],
): { readonly name: string; readonly auc: Readonly<Record<Task, number>> }[] {
  const shifted = [1, 2, 4, 29, 58, 89, 133, 177].map((shift) => {
    const geometry = { ...fourSeconds, firstSample: fourSeconds.firstSample + shift };
    return { name: `windows shifted by ${shift} samples`, auc: aucOf(judgedByNetwork(ask, segments, geometry)) };
  });
  const at256 = segments.map((segment) => ({ segment, scores: scoresOf(detector, at(256, segment.samples), { num: 256, den: 1 }) }));
  return [...shifted, { name: '256 Hz, resampled', auc: gatedOf(at256).auc }];
}

/** A segment as a recorder of another rate would have stored it. */
function at(rateHz: number, samples: ArrayLike<number>): Float64Array {
  return new Resampler(chainRate, { num: rateHz, den: 1 }).push(Float64Array.from(samples)).samples;
}

/**
 * Recordings assembled so that each has a baseline of its own: the segments of one calm set chained; for an ictal segment six calm
 * ones of the same patients' sets before it. Every join is a hole, so that no window holds both.
 */
export function measureOwnBaseline(
  detector: StreamDetector,
  segments: readonly LabelledSegment[],
  gain: number,
): {
  readonly gain: number;
  readonly gated: DisturbanceResult['gated'];
  readonly named: number; // of all ictal windows, refused ones too, those with a probability of .5 or more
  readonly ictal: Outcome;
  readonly other: Outcome;
} {
  const groups = [...new Set(segments.map(({ group }) => group))];
  const seen = groups.flatMap((group) => {
    const own = segments.filter((segment) => segment.group === group);
    if (own[0]?.ictal !== true) return chained(detector, own, gain);
    const calm = segments.filter((segment) => own[0]?.calmGroups?.includes(segment.group) === true);
    return own.flatMap((segment, index) => {
      const before = Array.from({ length: CALM_BEFORE }, (_, place) => calm[(CALM_BEFORE * index + place) % calm.length]).filter(
        (item) => item !== undefined,
      );
      return chained(detector, [...before, segment], gain).filter((item) => item.segment === segment);
    });
  });
  const known = seen.map(({ segment, scores }) => ({
    segment,
    scores: scores.filter(({ baseline, probability }) => probability === null || baseline === 'own'),
  }));
  return {
    gain,
    named: namedOf(known),
    gated: gatedOf(known),
    ictal: outcomeOf(known.filter(({ segment }) => segment.ictal).flatMap(({ scores }) => scores)),
    other: outcomeOf(known.filter(({ segment }) => !segment.ictal).flatMap(({ scores }) => scores)),
  };
}

type Seen = { readonly segment: LabelledSegment; readonly scores: readonly WindowScore[] };

/** A wrong gain is a wrong scale: it moves the converter's ends too. */
function chained(detector: StreamDetector, segments: readonly LabelledSegment[], gain: number): Seen[] {
  const stream = detector.openStream(chainRate, [
    { ...scale, physicalMin: scale.physicalMin * gain, physicalMax: scale.physicalMax * gain },
  ]);
  const { hopSamples } = windowShapeFor(chainRate);
  let firstSample = 0;
  return segments.map((segment) => {
    const samples = Float64Array.from(segment.samples);
    const windows = stream.push({ firstSample, samplesPerChannel: samples.length, samples });
    firstSample = (Math.ceil((firstSample + samples.length) / hopSamples) + 1) * hopSamples;
    return { segment, scores: detector.score(windows).filter(({ reason }) => reason !== 'warm-up') };
  });
}

export function measureProbes(detector: StreamDetector, seconds: number): { readonly name: string; readonly outcome: Outcome }[] {
  return probes.map((probe) => {
    const random = seededRandom(1);
    const samples = Float64Array.from({ length: Math.round((seconds * chainRate.num) / chainRate.den) }, (_, index) =>
      Math.max(segmentRails.min, Math.min(segmentRails.max, probe.at(index, chainRate.num / chainRate.den, random))),
    );
    return { name: probe.name, outcome: outcomeOf(scoresOf(detector, samples)) };
  });
}

/** The network's word on every window, gates left out. */
export function judgedByNetwork(
  ask: Ask,
  segments: readonly LabelledSegment[],
  geometry: Geometry,
  disturbance?: Disturbance,
): JudgedWindow[] {
  const examples = segments
    .flatMap((segment, index) =>
      examplesOf(segment, geometry, (signal) =>
        disturbance === undefined ? signal : disturbance.apply(signal, chainRate.num / chainRate.den, seededRandom(40 + index)),
      ),
    )
    .filter(({ judged, features }) => judged && features.length === featureCount);
  const probabilities = ask(examples.map((example) => populationRow(example).input));
  return examples.map(({ segment }, index) => ({
    score: probabilities[index] ?? Number.NaN,
    ictal: segment.ictal,
    segment: segment.name,
    group: segment.group,
  }));
}

function namedOf(seen: readonly Seen[]): number {
  const ictal = seen.filter(({ segment }) => segment.ictal).flatMap(({ scores }) => scores);
  return ictal.filter(({ probability }) => probability !== null && probability >= 0.5).length / Math.max(1, ictal.length);
}

function gatedOf(seen: readonly Seen[]): DisturbanceResult['gated'] {
  const judged = seen.flatMap(({ segment, scores }) =>
    scores.flatMap(({ probability }) =>
      probability === null ? [] : [{ score: probability, ictal: segment.ictal, segment: segment.name, group: segment.group }],
    ),
  );
  return { auc: aucOf(judged), ...atHalf(judged) };
}

function atHalf(judged: readonly JudgedWindow[]): { sensitivity: number; specificity: number } {
  const { sensitivity, specificity } = confusionAt(judged, 0.5);
  return { sensitivity, specificity };
}

function aucOf(judged: readonly JudgedWindow[]): Record<Task, number> {
  const of = (task: Task) => areaUnderCurve(judged.filter(({ group }) => (tasks[task] as readonly string[]).includes(group)));
  return { all: of('all'), 'F+N': of('F+N') };
}

function outcomeOf(scores: readonly WindowScore[]): Outcome {
  const share = (matches: (score: WindowScore) => boolean) => scores.filter(matches).length / Math.max(1, scores.length);
  return {
    windows: scores.length,
    seizure: share(({ verdict }) => verdict === 'seizure'),
    unsure: share(({ verdict, probability }) => verdict === 'unsure' && probability !== null),
    quiet: share(({ verdict }) => verdict === 'quiet'),
    unlikeTraining: share(({ reason }) => reason === 'unlike-training'),
    notScorable: share(({ verdict }) => verdict === 'not-scorable'),
  };
}
