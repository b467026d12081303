import { readFileSync } from 'node:fs';
import type { Rate } from '@vitalwire/contract';
import { type DistanceReference, distanceReferenceOf, type StoredReference } from './distance.ts';
import { featureNames, shapeFeatures } from './features.ts';
import { type DenseWeights, modelHashOf, unpackWeights } from './weights.ts';

/** The model as one JSON file: everything that changes a score is in it, so that its hash names the score's origin. */
export type StreamModelFile = {
  readonly format: 2;
  readonly version: string;
  readonly label: string;
  readonly trainedOn: string;
  readonly seed: number;
  readonly rate: Rate; // every signal is brought to it
  readonly unit: 'uV';
  readonly windowSamples: number; // at that rate
  readonly features: readonly string[];
  /** The population's usual amplitude: log of the SD in µV of a calm window. A known baseline of its own moves a channel's amplitudes to it. */
  readonly populationLogUv: number;
  /** Which windows may count in a baseline: those whose shape, seen without any amplitude, gives less than `below`. */
  readonly calm: { readonly weights: readonly number[]; readonly bias: number; readonly below: number };
  readonly standard: { readonly mean: readonly number[]; readonly sd: readonly number[]; readonly clip: number };
  readonly layers: readonly number[]; // units, from input to output
  readonly members: readonly string[]; // base64 of float32 little endian: kernel and bias, layer after layer
  readonly temperature: number;
  readonly seizureAt: number; // probability from which on a window is called a seizure
  readonly quietBelow: number; // probability under which it is called quiet; between the two it is unsure
  readonly reference: StoredReference; // over the features alone
};

export type StreamModel = {
  readonly file: StreamModelFile;
  readonly hash: string; // first 16 hex digits of the file's SHA-256
  readonly members: readonly (readonly DenseWeights[])[];
  readonly reference: DistanceReference;
};

/** Network inputs with the probabilities they gave when the model was trained: a backend that disagrees is not used. */
export type StreamGolden = {
  readonly modelHash: string;
  readonly inputs: readonly (readonly number[])[];
  readonly probabilities: readonly number[];
};

/** What the network sees: the features, and whether the amplitudes among them are relative to the channel's own baseline. */
export const inputNames: readonly string[] = [...featureNames, 'own baseline'];

export const streamModelUrl = new URL('../model/eeg-4s.json', import.meta.url);
const streamGoldenUrl = new URL('../model/eeg-4s-golden.json', import.meta.url);

/** The shipped model. */
export function readStreamModel(url: URL = streamModelUrl): StreamModel {
  return parseStreamModel(readFileSync(url));
}

/** The shipped model's golden inputs and outputs. */
export function readStreamGolden(url: URL = streamGoldenUrl): StreamGolden {
  return JSON.parse(readFileSync(url, 'utf8')) as StreamGolden;
}

/** Reads a model file's bytes; throws when it is of another format, or made for other features than this release takes. */
export function parseStreamModel(bytes: Uint8Array): StreamModel {
  const file = JSON.parse(new TextDecoder().decode(bytes)) as StreamModelFile;
  if (file.format !== 2) throw new Error(`model format is ${String(file.format)}, this release reads 2`);
  if (file.features.join('\n') !== featureNames.join('\n'))
    throw new Error(
      `the model ${file.version} was trained on other features than this release takes; train it again: vitalwire model train`,
    );
  return {
    file,
    hash: modelHashOf(bytes),
    members: file.members.map((text) => unpackWeights(text, file.layers)),
    reference: distanceReferenceOf(file.reference),
  };
}

/** Whether a window may count in its channel's baseline, by shape alone. */
export function looksCalm({ calm, standard }: StreamModelFile, features: ArrayLike<number>): boolean {
  let sum = calm.bias;
  for (let index = 0; index < shapeFeatures; index++) {
    const value = ((features[index] ?? Number.NaN) - (standard.mean[index] ?? 0)) / (standard.sd[index] ?? 1);
    sum += (calm.weights[index] ?? 0) * Math.max(-standard.clip, Math.min(standard.clip, value));
  }
  return sum < calm.below;
}
