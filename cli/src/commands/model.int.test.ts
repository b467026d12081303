import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { shippedModelDir } from '../model/model-files.ts';
import { buildProgram } from '../program.ts';

let dir: string;
beforeAll(() => {
  dir = tempDir();
});
afterAll(() => removeTempDir(dir));

test('the card of the shipped report is the committed MODEL_CARD.md', async () => {
  const { code, out } = await vitalwire('model', 'card');
  expect(code).toBe(0);
  expect(out).toBe(readFileSync(path.join(shippedModelDir(), '..', 'MODEL_CARD.md'), 'utf8'));
  const file = path.join(dir, 'card.md');
  expect((await vitalwire('model', 'card', '--out', file)).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(out);
});

test.each([
  [['train', '--seed', 'x'], /--seed.*'x'.*expected a whole number/s],
  [['train', '--up-to', '81'], /expected a whole number from 5 to 80/],
  [['evaluate', '--processes', '0'], /expected a whole number from 1 to 64/],
  [['evaluate', '--splits', '4'], /from 1 to 3/],
])('%j is refused with what was expected', async (args, message) => {
  const { code, err } = await vitalwire('model', ...args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test('a directory without a model, and a file that cannot be written, are told with what to do', async () => {
  const empty = path.join(dir, 'empty');
  const evaluated = await vitalwire('model', 'evaluate', '--out', empty);
  expect(evaluated.code).toBe(3);
  expect(evaluated.err).toMatch(/empty.eeg-4s\.json cannot be read; make it with vitalwire model train/);
  expect((await vitalwire('model', 'card', '--report', empty)).err).toMatch(/evaluation\.json cannot be read/);
  const blocked = path.join(dir, 'a-file');
  writeFileSync(blocked, '');
  expect((await vitalwire('model', 'train', '--out', path.join(blocked, 'inside'))).err).toMatch(/name another directory with --out/);
  mkdirSync(path.join(dir, 'a-dir'));
  expect((await vitalwire('model', 'card', '--out', path.join(dir, 'a-dir'))).err).toMatch(/name another file with --out/);
});

async function vitalwire(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [new Text(), new Text()];
  let code = 0;
  const io: Io = {
    env: {},
    stdout: out,
    stderr: err,
    isTerminal: false,
    clock: systemClock,
    signal: new AbortController().signal,
    exitCode: (given) => {
      code = given;
    },
  };
  try {
    await (await buildProgram(io, argv)).parseAsync(argv, { from: 'user' });
  } catch (error) {
    const isCommander = error instanceof Error && 'exitCode' in error;
    code = isCommander ? 2 : exitCodeOf(error);
    if (!isCommander) err.write(sentenceOf(error));
  }
  return { code, out: out.text, err: err.text };
}

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
