import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { bonnKnownSegments } from '@vitalwire/datasets';
import type { Split } from '@vitalwire/detector';
import { InvalidArgumentError } from 'commander';
import { CliError } from '../errors.ts';
import { type AddCommand, exitCodes, type Io, noteLine, printJson, printLine, printText } from '../io.ts';
import { labelledSegments } from '../model/bonn-segments.ts';
import { modelFileNames, readFile, readModelFiles, readReport, shippedModelDir } from '../model/model-files.ts';
import { ensureBonn } from '../recordings.ts';
import { registerModelExplain } from './model-explain.ts';

type TrainOptions = { seed: number; out?: string; upTo: number; json?: boolean };
type EvaluateOptions = { out?: string; upTo: number; splits: number; processes: number; speed: boolean; json?: boolean };
type CardOptions = { report?: string; out?: string };

/** Segments of each set that are known by their bytes, and those among them that the shipped model is trained on. */
const KNOWN = bonnKnownSegments;
const TRAINED_UP_TO = 64;

/** `vitalwire model`: train the detector, measure it, write its card. */
export const addCommand: AddCommand = (program, io) => {
  const model = program
    .command('model')
    .description('train the seizure detector on the Bonn recordings, measure it, write its card')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire model train --seed 2026 --out ./mine    the same seed, backend and processor give the same bytes
  vitalwire model evaluate --out ./mine             the report: goals met and missed, robustness, calibration, speed
  vitalwire model card --report ./mine              the model card, from that report
  vitalwire model explain --recording ID --window 95  what moved one window's score

The recordings are found in the cache or a mirror ('vitalwire datasets where bonn'); on a terminal one key fetches them.
It detects seizures in windows of 4 s; it forecasts nothing. Performance on unseen patients is unknown.
Exit code of evaluate: 1 if a goal is missed.`,
    );
  model
    .command('train')
    .description('train on segments 001-064 of each set; 065-080 stay untouched for evaluate')
    .option('--seed <n>', 'what chance begins with', wholeNumber(0), 2026)
    .option('--up-to <n>', 'the last segment of each set to learn from (for a quick trial: a few)', wholeNumber(5, KNOWN), TRAINED_UP_TO)
    .option('--out <dir>', 'where the model goes (default: the shipped one)')
    .option('--json', 'what was made as one JSON object')
    .addHelpText('after', `\nExample:\n  vitalwire model train --seed 2026 --out ./mine`)
    .action((options: TrainOptions) => train(io, options));
  model
    .command('evaluate')
    .description('cross-validate on segments 001-080, and measure the trained model on those it has never seen')
    .option('--out <dir>', 'where the model is and the report goes (default: the shipped one)')
    .option('--up-to <n>', 'the last segment of each set (for a quick trial: a few)', wholeNumber(5, KNOWN), KNOWN)
    .option('--splits <n>', 'how many ways of dealing segments to folds', wholeNumber(1, 3), 3)
    .option('--processes <n>', 'processes that train', wholeNumber(1, 64), Math.min(4, availableParallelism()))
    .option('--no-speed', 'leave the speed out: all else is the same bytes every time')
    .option('--json', 'the report as one JSON object instead of text')
    .addHelpText('after', `\nExample:\n  vitalwire model evaluate --out ./mine --json`)
    .action((options: EvaluateOptions) => evaluate(io, options));
  model
    .command('card')
    .description('write the model card from the report of evaluate')
    .option('--report <dir>', 'where the report is (default: the shipped one)')
    .option('--out <file>', 'where the card goes (default: standard output; for the shipped one cluster-services/detector/MODEL_CARD.md)')
    .addHelpText('after', `\nExample:\n  vitalwire model card --report ./mine --out ./mine/MODEL_CARD.md`)
    .action((options: CardOptions) => card(io, options));
  registerModelExplain(model, io);
};

async function train(io: Io, options: TrainOptions): Promise<void> {
  await ensureBonn(io);
  const { openBackend, trainModel } = await import('@vitalwire/detector');
  const dir = outDir(options.out);
  const began = io.clock.monotonicMs();
  const progress = (message: string) => noteLine(io, `${((io.clock.monotonicMs() - began) / 1000).toFixed(1)} s  ${message}`);
  const { model, golden } = trainModel(await openBackend('wasm'), labelledSegments(1, options.upTo), {
    version: 'eeg-4s-1',
    trainedOn: `Bonn segments 001-${String(options.upTo).padStart(3, '0')} of sets Z, O, N, F, S`,
    seed: options.seed,
    progress,
  });
  write(dir, modelFileNames.model, model);
  write(dir, modelFileNames.golden, `${JSON.stringify(golden)}\n`);
  const made = { model: join(dir, modelFileNames.model), hash: golden.modelHash, bytes: model.length };
  if (options.json === true) printJson(io, made);
  else printLine(io, `Model ${made.hash}, ${made.bytes} bytes, in ${made.model}`);
}

async function evaluate(io: Io, options: EvaluateOptions): Promise<void> {
  await ensureBonn(io);
  const { barsOf, calibrationSvg, evaluateModel, measureSpeed, renderEvaluation } = await import('@vitalwire/detector');
  const dir = outDir(options.out);
  const { model, golden } = readModelFiles(dir);
  const segments = labelledSegments(1, options.upTo);
  const trainedUpTo = options.upTo > TRAINED_UP_TO ? TRAINED_UP_TO : options.upTo - 1;
  const began = io.clock.monotonicMs();
  const progress = (message: string) => noteLine(io, `${((io.clock.monotonicMs() - began) / 1000).toFixed(1)} s  ${message}`);
  const evaluation = await evaluateModel({
    model,
    golden,
    segments,
    heldOut: ({ number }) => number > trainedUpTo,
    splits: committedSplits(new Set(segments.map(({ name }) => name))).slice(0, options.splits),
    processes: options.processes,
    progress,
  });
  const unseen = segments.filter(({ number }) => number > trainedUpTo);
  const speed = options.speed
    ? await measureSpeed(model, golden, unseen, `${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`)
    : null;
  const text = renderEvaluation(evaluation, speed);
  write(dir, modelFileNames.evaluation, `${JSON.stringify(evaluation, null, 1)}\n`);
  if (speed !== null) write(dir, modelFileNames.speed, `${JSON.stringify(speed, null, 1)}\n`);
  write(dir, modelFileNames.text, text);
  write(
    dir,
    modelFileNames.plot,
    calibrationSvg([
      { name: 'all', colour: '#1f5fa8', bins: evaluation.fourSeconds.perSplit[0]?.all.bins ?? [] },
      { name: 'F+N', colour: '#b3541e', bins: evaluation.fourSeconds.perSplit[0]?.['F+N'].bins ?? [] },
    ]),
  );
  const bars = barsOf(evaluation, speed);
  if (options.json === true) printJson(io, { ...evaluation, speed, bars });
  else printText(io, text.trimEnd());
  if (bars.some(({ met }) => !met)) io.exitCode(exitCodes.answerIsNo);
}

async function card(io: Io, options: CardOptions): Promise<void> {
  const { renderModelCard } = await import('@vitalwire/detector');
  const { evaluation, speed } = readReport(options.report === undefined ? shippedModelDir() : resolve(options.report));
  const text = renderModelCard(evaluation, speed);
  if (options.out === undefined) {
    printText(io, text.trimEnd());
    return;
  }
  try {
    writeFileSync(options.out, text);
  } catch (cause) {
    throw new CliError('OUTPUT_UNWRITABLE', `${options.out}: name another file with --out`, { cause });
  }
}

/** The folds everybody is measured with, as far as they hold segments of this run. */
function committedSplits(names: ReadonlySet<string>): Split[] {
  const splits = JSON.parse(readFile(shippedModelDir(), modelFileNames.folds).toString('utf8')) as Split[];
  return splits.map(({ split, folds }) => ({ split, folds: folds.map((fold) => fold.filter((name) => names.has(name))) }));
}

function outDir(out: string | undefined): string {
  const dir = out === undefined ? shippedModelDir() : resolve(out);
  try {
    mkdirSync(dir, { recursive: true });
  } catch (cause) {
    throw new CliError('OUTPUT_UNWRITABLE', `${dir}: name another directory with --out`, { cause });
  }
  return dir;
}

function write(dir: string, name: string, content: Uint8Array | string): void {
  try {
    writeFileSync(join(dir, name), content);
  } catch (cause) {
    throw new CliError('OUTPUT_UNWRITABLE', `${join(dir, name)}: name another directory with --out`, { cause });
  }
}

function wholeNumber(from: number, to = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < from || value > to) throw new InvalidArgumentError(`expected a whole number from ${from} to ${to}.`);
    return value;
  };
}
