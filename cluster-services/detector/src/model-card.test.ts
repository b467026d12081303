import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readStreamModel } from './stream-model.ts';
import type { Evaluation } from './training/evaluate-model.ts';
import { renderEvaluation } from './training/evaluation-text.ts';
import { stratifiedFolds } from './training/folds.ts';
import { renderModelCard } from './training/model-card.ts';
import type { Speed } from './training/speed.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const evaluation = JSON.parse(read('model/evaluation.json')) as Evaluation;
const speed = JSON.parse(read('model/speed.json')) as Speed;

test('MODEL_CARD.md and EVALUATION.md are what the commands make of the committed report', () => {
  expect(read('MODEL_CARD.md')).toBe(renderModelCard(evaluation, speed));
  expect(read('model/EVALUATION.md')).toBe(renderEvaluation(evaluation, speed));
});

test('the committed report is about the shipped model and the committed folds', () => {
  expect(evaluation.modelHash).toBe(readStreamModel().hash);
  expect(evaluation.splits).toEqual(JSON.parse(read('model/folds.json')));
});

test('the folds hold every segment once, set by set evenly, and are those of their seeds', () => {
  for (const { split, folds } of evaluation.splits) {
    const names = folds.flat().sort();
    expect(names.length).toBe(400);
    expect(new Set(names).size).toBe(400);
    const inOrder = ['Z', 'O', 'N', 'F', 'S'].flatMap((group) =>
      names.filter((name) => name.startsWith(group)).map((name) => ({ name, group })),
    );
    const foldOf = stratifiedFolds(inOrder, 5, split);
    for (const [fold, held] of folds.entries()) {
      expect(held.map((name) => foldOf.get(name))).toEqual(held.map(() => fold));
      for (const set of 'ZONFS') expect(held.filter((name) => name.startsWith(set)).length).toBe(16);
    }
  }
});
