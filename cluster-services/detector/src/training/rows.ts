import { amplitudeFeature, featureCount, shapeFeatures, withGain } from '../features.ts';
import type { Example } from './examples.ts';
import type { Random } from './seeded-random.ts';
import type { TrainingSet } from './train-ensemble.ts';

/** A network input with its truth. */
export type Row = { readonly input: Float64Array; readonly ictal: boolean };

export type Standard = { readonly mean: number[]; readonly sd: number[]; readonly clip: number };

/** Values beyond this many standard deviations are cut before the network. */
const CLIP = 5;
/** A recording's own baseline is drawn from this many segments of its calm groups: 1 to 5 minutes. */
const OWN_SEGMENTS = { from: 3, to: 12 };
/** SD of what else an own baseline may be off by, in logarithms. */
const OWN_JITTER = 0.1;

/** What is usual in a group: the logarithm of the SD of its calm windows, segment by segment. */
export type CalmAmplitudes = ReadonlyMap<string, readonly (readonly number[])[]>;

export function calmAmplitudes(examples: readonly Example[], isCalm: (features: Float64Array) => boolean): CalmAmplitudes {
  const groups = new Map<string, Map<string, number[]>>();
  for (const { segment, features, refused } of examples) {
    if (refused !== null || segment.ictal || !isCalm(features)) continue;
    const segments = groups.get(segment.group) ?? new Map<string, number[]>();
    groups.set(segment.group, segments);
    segments.set(segment.name, [...(segments.get(segment.name) ?? []), features[amplitudeFeature] ?? Number.NaN]);
  }
  return new Map([...groups].map(([group, segments]) => [group, [...segments.values()]]));
}

/** With the population's baseline: amplitudes as they are. */
export function populationRow({ features, segment }: Example): Row {
  return { input: Float64Array.of(...features, 0), ictal: segment.ictal };
}

/** As if the recording's own baseline were known, from a few of its calm segments drawn by chance. */
export function ownRow({ features, segment }: Example, calm: CalmAmplitudes, populationLogUv: number, random: Random): Row {
  const groups = segment.calmGroups ?? [segment.group];
  const segments = calm.get(groups[Math.floor(random() * groups.length)] ?? '') ?? [];
  const count = OWN_SEGMENTS.from + Math.floor(random() * (OWN_SEGMENTS.to - OWN_SEGMENTS.from + 1));
  const drawn = Array.from({ length: count }, () => segments[Math.floor(random() * segments.length)] ?? []).flat();
  const own = medianOf(drawn) + OWN_JITTER * (2 * (random() + random() + random()) - 3);
  return { input: Float64Array.of(...withGain(features, populationLogUv - own), 1), ictal: segment.ictal };
}

export function standardOf(rows: readonly Row[]): Standard {
  const size = rows[0]?.input.length ?? 0;
  const mean = Array.from({ length: size }, () => 0);
  const squares = Array.from({ length: size }, () => 0);
  for (const { input } of rows) for (let at = 0; at < size; at++) mean[at] = (mean[at] ?? 0) + (input[at] ?? 0) / rows.length;
  for (const { input } of rows)
    for (let at = 0; at < size; at++) squares[at] = (squares[at] ?? 0) + ((input[at] ?? 0) - (mean[at] ?? 0)) ** 2 / rows.length;
  return { mean, sd: squares.map((value) => Math.max(Math.sqrt(value), 1e-3)), clip: CLIP };
}

/** Rows as training takes them, with the first `inputs` values of each. */
export function trainingSetOf(rows: readonly Row[], { mean, sd, clip }: Standard, inputs = featureCount + 1): TrainingSet {
  const values = new Float32Array(rows.length * inputs);
  for (const [row, { input }] of rows.entries()) {
    for (let at = 0; at < inputs; at++)
      values[row * inputs + at] = Math.max(-clip, Math.min(clip, ((input[at] ?? 0) - (mean[at] ?? 0)) / (sd[at] ?? 1)));
  }
  return { inputs, values, ictal: Uint8Array.from(rows, ({ ictal }) => (ictal ? 1 : 0)) };
}

/** The shape features of rows alone. */
export function shapeSetOf(rows: readonly Row[], standard: Standard): TrainingSet {
  return trainingSetOf(rows, standard, shapeFeatures);
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
