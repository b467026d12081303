// Trains the shipped model from labelled segments (JSON lines on standard input or in a file) and writes model, golden outputs and report.
//   node --conditions=source datasets/src/export-segments.ts | node --conditions=source cluster-services/detector/src/training/main.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openBackend } from '../backend.ts';
import { renderReport } from './report.ts';
import { parseSegments } from './segments.ts';
import { trainDetector } from './train-detector.ts';

const { values: args } = parseArgs({
  options: {
    segments: { type: 'string', default: '-' }, // a file of JSON lines, or - for standard input
    'train-up-to': { type: 'string', default: '64' }, // segment numbers above are held out
    seed: { type: 'string', default: '2026' },
    out: { type: 'string' },
  },
});
const out = args.out === undefined ? new URL('../../model/', import.meta.url) : new URL(`${args.out}/`, `file://${process.cwd()}/`);
const began = performance.now();
const progress = (message: string) => process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1)} s  ${message}\n`);

const segments = parseSegments(readFileSync(args.segments === '-' ? 0 : args.segments, 'utf8'));
const lastTraining = Number(args['train-up-to']);
const { model, golden, report } = await trainDetector(
  await openBackend('wasm'),
  segments.filter(({ number }) => number <= lastTraining),
  segments.filter(({ number }) => number > lastTraining),
  {
    version: 'bonn-mlp-1',
    trainedOn: `Bonn segments 001-${String(lastTraining).padStart(3, '0')} of sets Z, O, N, F, S`,
    seed: Number(args.seed),
    splitSeeds: [1, 2, 3],
    folds: 5,
    memberSeeds: [1, 2, 3],
    progress,
  },
);
writeFileSync(new URL('bonn-mlp.json', out), model);
writeFileSync(new URL('golden.json', out), `${JSON.stringify(golden)}\n`);
writeFileSync(new URL('training-report.json', out), `${JSON.stringify(report, null, 1)}\n`);
writeFileSync(new URL('TRAINING-REPORT.md', out), renderReport(report));
progress(`model ${report.modelHash} written to ${out.pathname}`);
