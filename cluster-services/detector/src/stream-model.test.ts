import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { featureNames } from './features.ts';
import { inputNames, parseStreamModel, readStreamGolden, readStreamModel, streamModelUrl } from './stream-model.ts';
import { packWeights } from './weights.ts';

test('the shipped model has the features this code computes, and its golden outputs are its own', () => {
  const { file, hash, members } = readStreamModel();
  expect(file.features).toEqual(featureNames);
  expect(file.layers).toEqual([inputNames.length, 32, 16, 1]);
  expect(members.length).toBe(3);
  expect(hash).toMatch(/^[0-9a-f]{16}$/);
  expect(readStreamGolden().modelHash).toBe(hash);
});

test('the golden inputs cover all three verdicts', () => {
  const { file } = readStreamModel();
  const { probabilities } = readStreamGolden();
  expect(probabilities.some((probability) => probability >= file.seizureAt)).toBe(true);
  expect(probabilities.some((probability) => probability < file.quietBelow)).toBe(true);
});

test('weights survive packing, and a file cut short is refused', () => {
  const model = readStreamModel();
  expect(model.members.map(packWeights)).toEqual(model.file.members);
  const cut = { ...model.file, members: model.file.members.map((text) => text.slice(0, -16)) };
  expect(() => parseStreamModel(bytesOf(cut))).toThrow(/bytes/);
});

test('a model of another format, or trained on other features, is refused with what to do', () => {
  const { file } = readStreamModel();
  expect(() => parseStreamModel(bytesOf({ ...file, format: 1 }))).toThrow(/format is 1, this release reads 2/);
  expect(() => parseStreamModel(bytesOf({ ...file, features: file.features.slice(1) }))).toThrow(/vitalwire model train/);
});

test('a changed model has another hash', () => {
  const bytes = new Uint8Array(readFileSync(streamModelUrl));
  const changed = new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"temperature":', '"temperature": '));
  expect(parseStreamModel(changed).hash).not.toBe(parseStreamModel(bytes).hash);
});

function bytesOf(file: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(file));
}
