import { bonnRate, bonnSegments, segmentName } from '@vitalwire/datasets';
import { testSegments } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { openBackend } from '../backend.ts';
import { calibrationSvg } from './calibration-plot.ts';
import { type EvaluateOptions, evaluateModel } from './evaluate-model.ts';
import { renderEvaluation } from './evaluation-text.ts';
import { fourSeconds, oneSecond } from './examples.ts';
import { shippedRecipe } from './fit-model.ts';
import { stratifiedFolds } from './folds.ts';
import { runInWorkers } from './in-workers.ts';
import { renderModelCard } from './model-card.ts';
import type { LabelledSegment } from './segments.ts';
import { trainModel } from './train-model.ts';

const made = await testSegments(12);
// Sets as the collection has them, filled with synthetic segments.
const place = { Z: 0, N: 4, F: 8, S: 0 } as const;
const segments: LabelledSegment[] = (['Z', 'N', 'F', 'S'] as const).flatMap((set) =>
  bonnSegments(1, 4, [set]).map(({ number, ictal }) => ({
    name: segmentName(set, number),
    group: set,
    number,
    ictal,
    rate: bonnRate,
    unit: 'uV' as const,
    samples: made(ictal ? 'ictal' : 'calm', place[set] + number).slice(0, 1800),
    ...(ictal ? { calmGroups: ['N', 'F'] } : {}),
  })),
);
const recipe = { ...shippedRecipe, hidden: [4], members: 2, epochs: 2, batch: 64 };
const train = async (seed: number) =>
  trainModel(await openBackend('wasm'), segments, { version: 'test', trainedOn: 'a few segments', seed, folds: 2, recipe });

test('the same seed gives the same model and the same report, byte by byte; another seed another model', async () => {
  const [first, second, other] = [await train(1), await train(1), await train(2)];
  expect(new TextDecoder().decode(first.model)).toBe(new TextDecoder().decode(second.model));
  expect(first.golden).toEqual(second.golden);
  expect(first.golden.modelHash).not.toBe(other.golden.modelHash);

  const foldOf = stratifiedFolds(segments, 2, 1);
  const options = (processes: number): EvaluateOptions => ({
    ...first,
    segments,
    heldOut: ({ number }) => number === 4,
    splits: [{ split: 1, folds: [0, 1].map((fold) => segments.filter(({ name }) => foldOf.get(name) === fold).map(({ name }) => name)) }],
    recipe,
    processes,
    probeSeconds: 10,
  });
  const [alone, pair] = [await evaluateModel(options(1)), await evaluateModel(options(2))];
  expect(JSON.stringify(alone)).toBe(JSON.stringify(pair));

  // Every judged window of every segment is there once, and nothing was trained on what it is judged by.
  const inSegment = (samples: number, { firstSample, windowSamples, judgedEvery }: typeof fourSeconds) =>
    Math.floor((samples - firstSample - windowSamples) / judgedEvery) + 1;
  expect(alone.fourSeconds.mean.all.windows).toBe(segments.length * inSegment(1800, fourSeconds));
  expect(alone.oneSecond.mean.all.windows).toBe(segments.length * inSegment(1800, oneSecond));
  expect(renderEvaluation(alone, null)).toContain(first.golden.modelHash);
  expect(renderModelCard(alone, null)).toContain(first.golden.modelHash);
  const plot = calibrationSvg([{ name: 'all', colour: '#000', bins: alone.fourSeconds.mean.all.bins }]);
  expect(plot.match(/<circle/g)?.length).toBe(alone.fourSeconds.mean.all.bins.length);
});

test('a training process that fails is told with its reason', async () => {
  const geometry = '2 s' as '4 s'; // there is none
  const task = { geometry, kind: 'detector', split: 1, fold: 0, heldOut: [], recipe, seed: 1 } as const;
  await expect(runInWorkers(segments, [task], 1)).rejects.toThrow(/a training process failed: TypeError/);
});
