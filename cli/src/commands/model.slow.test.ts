import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { recordings, removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelFileNames, shippedModelDir } from '../model/model-files.ts';

const dirs: string[] = [];
beforeAll(() => {
  dirs.push(tempDir(), tempDir());
});
afterAll(() => {
  for (const dir of dirs) removeTempDir(dir);
});

const main = new URL('../main.ts', import.meta.url).pathname;
const vitalwire = async (...argv: string[]) =>
  await promisify(execFile)(process.execPath, ['--conditions=source', main, ...argv], { maxBuffer: 64 * 1024 * 1024 });

test.skipIf(!recordings('bonn').here)(
  'training and evaluation, whole and twice: the bytes of the shipped model and report, and every goal of accuracy and robustness is met',
  async () => {
    for (const dir of dirs) {
      await vitalwire('model', 'train', '--out', dir);
      await vitalwire('model', 'evaluate', '--out', dir, '--no-speed');
    }
    const [first = '', second = ''] = dirs;
    const same = (name: string, other: string): void =>
      expect(readFileSync(path.join(other, name)).equals(readFileSync(path.join(first, name))), `${name} of ${other}`).toBe(true);
    const { model, golden, evaluation, text, plot } = modelFileNames;
    for (const name of [model, golden, evaluation, text, plot]) same(name, second);
    for (const name of [model, golden, evaluation]) same(name, shippedModelDir());
  },
);
