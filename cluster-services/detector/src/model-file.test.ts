import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { featureNames } from './features.ts';
import { modelUrl, packWeights, parseModel, readGolden, readModel } from './model-file.ts';

test('the shipped model has the features this code computes, and its golden outputs are its own', () => {
  const { file, hash, members } = readModel();
  expect(file.features).toEqual(featureNames);
  expect(file.layers).toEqual([20, 32, 16, 1]);
  expect(members.length).toBe(3);
  expect(hash).toMatch(/^[0-9a-f]{16}$/);
  expect(readGolden().modelHash).toBe(hash);
});

test('the golden windows cover all three verdicts', () => {
  const { file } = readModel();
  const { probabilities } = readGolden();
  expect(probabilities.some((probability) => probability >= file.seizureAt)).toBe(true);
  expect(probabilities.some((probability) => probability < file.quietBelow)).toBe(true);
});

test('weights survive packing, and a file cut short is refused', () => {
  const model = readModel();
  expect(model.members.map(packWeights)).toEqual(model.file.members);
  const cut = { ...model.file, members: model.file.members.map((text) => text.slice(0, -16)) };
  expect(() => parseModel(new TextEncoder().encode(JSON.stringify(cut)))).toThrow(/bytes/);
});

test('a changed model has another hash', () => {
  const bytes = new Uint8Array(readFileSync(modelUrl));
  const changed = new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"temperature":', '"temperature": '));
  expect(parseModel(changed).hash).not.toBe(parseModel(bytes).hash);
});
