import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Rate } from '@vitalwire/contract';
import { type DistanceReference, distanceReferenceOf, type StoredReference } from './distance.ts';

/** The model as one JSON file: everything that changes a score is in it, so that its hash names the score's origin. */
export type ModelFile = {
  readonly format: 1;
  readonly version: string;
  readonly label: string;
  readonly trainedOn: string;
  readonly seed: number;
  readonly rate: Rate;
  readonly unit: 'uV';
  readonly windowSamples: number;
  readonly hopSamples: number;
  readonly features: readonly string[];
  readonly standard: { readonly mean: readonly number[]; readonly sd: readonly number[]; readonly clip: number };
  readonly layers: readonly number[]; // units, from input to output
  readonly members: readonly string[]; // base64 of float32 little endian: kernel and bias, layer after layer
  readonly temperature: number;
  readonly seizureAt: number; // probability from which on a window is called a seizure
  readonly quietBelow: number; // probability under which it is called quiet; between the two it is unsure
  readonly reference: StoredReference;
};

/** A dense layer's numbers: `kernel` is inputs × units, row after row. */
export type DenseWeights = { readonly inputs: number; readonly units: number; readonly kernel: Float32Array; readonly bias: Float32Array };

export type Model = {
  readonly file: ModelFile;
  readonly hash: string; // first 16 hex digits of the file's SHA-256
  readonly members: readonly (readonly DenseWeights[])[];
  readonly reference: DistanceReference;
};

/** Inputs with the probabilities they gave when the model was trained: a backend that disagrees is not used. */
export type GoldenFile = {
  readonly modelHash: string;
  readonly windows: readonly (readonly number[])[];
  readonly probabilities: readonly number[];
};

export const modelUrl = new URL('../model/bonn-mlp.json', import.meta.url);
export const goldenUrl = new URL('../model/golden.json', import.meta.url);

/** The shipped model. */
export function readModel(url: URL = modelUrl): Model {
  return parseModel(readFileSync(url));
}

/** The shipped model's golden inputs and outputs. */
export function readGolden(url: URL = goldenUrl): GoldenFile {
  return JSON.parse(readFileSync(url, 'utf8')) as GoldenFile;
}

/** Reads a model file's bytes; throws when it is of another format or its numbers do not fit its layers. */
export function parseModel(bytes: Uint8Array): Model {
  const file = JSON.parse(new TextDecoder().decode(bytes)) as ModelFile;
  if (file.format !== 1) throw new Error(`model format is ${String(file.format)}, this release reads 1`);
  return {
    file,
    hash: modelHashOf(bytes),
    members: file.members.map((text) => unpackWeights(text, file.layers)),
    reference: distanceReferenceOf(file.reference),
  };
}

export function modelHashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

export function packWeights(layers: readonly DenseWeights[]): string {
  const parts = layers.flatMap(({ kernel, bias }) => [kernel, bias]);
  const bytes = new DataView(new ArrayBuffer(parts.reduce((sum, part) => sum + part.length * 4, 0)));
  let at = 0;
  for (const part of parts) {
    for (const value of part) {
      bytes.setFloat32(at, value, true);
      at += 4;
    }
  }
  return Buffer.from(bytes.buffer).toString('base64');
}

/** The inverse of `packWeights`; throws when the bytes do not fit the layers. */
export function unpackWeights(text: string, units: readonly number[]): DenseWeights[] {
  const bytes = Buffer.from(text, 'base64');
  const numbers = units.slice(1).reduce((sum, unit, index) => sum + ((units[index] ?? 0) + 1) * unit, 0);
  if (bytes.length !== numbers * 4)
    throw new Error(`model weights have ${bytes.length} bytes, the layers ${units.join('-')} need ${numbers * 4}`);
  let at = 0;
  const take = (count: number) => {
    const values = Float32Array.from({ length: count }, (_, index) => bytes.readFloatLE(at + index * 4));
    at += count * 4;
    return values;
  };
  return units.slice(1).map((unit, index) => {
    const inputs = units[index] ?? 0;
    return { inputs, units: unit, kernel: take(inputs * unit), bias: take(unit) };
  });
}
