import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Evaluation, Speed, StreamGolden } from '@vitalwire/detector';
import { CliError } from '../errors.ts';

/** Names inside a model directory; the shipped one is cluster-services/detector/model. */
export const modelFileNames = {
  model: 'eeg-4s.json',
  golden: 'eeg-4s-golden.json',
  folds: 'folds.json',
  evaluation: 'evaluation.json',
  speed: 'speed.json',
  text: 'EVALUATION.md',
  plot: 'calibration.svg',
} as const;

/** Where the shipped model lies in this repository. */
export function shippedModelDir(): string {
  return fileURLToPath(new URL('../model', import.meta.resolve('@vitalwire/detector')));
}

/** The model of a directory as the detector takes it. */
export function readModelFiles(dir: string): { model: Uint8Array; golden: StreamGolden } {
  return { model: readFile(dir, modelFileNames.model), golden: JSON.parse(readFile(dir, modelFileNames.golden).toString('utf8')) as StreamGolden };
}

/** The report of a directory, and its speed where it was measured. */
export function readReport(dir: string): { evaluation: Evaluation; speed: Speed | null } {
  const evaluation = JSON.parse(readFile(dir, modelFileNames.evaluation).toString('utf8')) as Evaluation;
  const hasSpeed = existsSync(`${dir}/${modelFileNames.speed}`);
  return { evaluation, speed: hasSpeed ? (JSON.parse(readFile(dir, modelFileNames.speed).toString('utf8')) as Speed) : null };
}

export function readFile(dir: string, name: string): Buffer {
  try {
    return readFileSync(`${dir}/${name}`);
  } catch (cause) {
    throw new CliError('NO_MODEL', `${dir}/${name} cannot be read; make it with vitalwire model train --out ${dir}, then evaluate`, { cause });
  }
}
