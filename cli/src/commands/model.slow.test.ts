import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelFileNames } from '../model/model-files.ts';

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

test('training and evaluation, whole and twice: the same bytes, and every goal of accuracy and robustness is met', async () => {
  for (const dir of dirs) {
    await vitalwire('model', 'train', '--out', dir);
    await vitalwire('model', 'evaluate', '--out', dir, '--no-speed');
  }
  const [first = '', second = ''] = dirs;
  for (const name of [modelFileNames.model, modelFileNames.golden, modelFileNames.evaluation, modelFileNames.text, modelFileNames.plot])
    expect(readFileSync(path.join(second, name)).equals(readFileSync(path.join(first, name))), name).toBe(true);
});
