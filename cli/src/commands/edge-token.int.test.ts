import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '@vitalwire/runtime';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

let dir: string;
beforeAll(() => {
  dir = tempDir('vw-edge-token-');
});
afterAll(() => removeTempDir(dir));

test('an empty directory that was made for an agent takes a token, and gives it again', async () => {
  const data = path.join(dir, 'new');
  mkdirSync(data);
  const { code, out } = await token(data);
  expect(code).toBe(0);
  expect(readFileSync(path.join(data, 'tokens', 'eeg-7'), 'utf8')).toBe(out);
  expect((await token(data)).out).toBe(out);
});

test('a wrong --data is told at once, and nothing is made in it', async () => {
  const other = path.join(dir, 'other');
  mkdirSync(other);
  writeFileSync(path.join(other, 'holiday.txt'), '');
  expect(await token(other)).toMatchObject({ code: 2, err: expect.stringMatching(/no data directory of an agent/) });
  expect(existsSync(path.join(other, 'tokens'))).toBe(false);
  expect(await token(path.join(dir, 'none'))).toMatchObject({ code: 2, err: expect.stringMatching(/no such directory/) });
  expect(await token('/proc/nowhere/edge')).toMatchObject({ code: 2 });
  expect(await token(path.join(other, 'holiday.txt'))).toMatchObject({ code: 2, err: expect.stringMatching(/ENOTDIR/) });
});

test('without --data the agent is that of the stack in VITALWIRE_DATA, unless its own directory is named', async () => {
  const data = path.join(dir, 'stack');
  mkdirSync(path.join(data, 'edge', 'tokens'), { recursive: true });
  const { code, out } = await token(null, { VITALWIRE_DATA: data });
  expect(code).toBe(0);
  expect(readFileSync(path.join(data, 'edge', 'tokens', 'eeg-7'), 'utf8')).toBe(out);
  const own = path.join(dir, 'own');
  mkdirSync(own);
  await token(null, { VITALWIRE_DATA: data, VITALWIRE_EDGE_DATA_DIR: own });
  expect(existsSync(path.join(own, 'tokens', 'eeg-7'))).toBe(true);
});

async function token(data: string | null, env: Io['env'] = {}): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [new Text(), new Text()];
  const signal = new AbortController().signal;
  const io: Io = { env, stdout: out, stderr: err, isTerminal: false, clock: systemClock, signal, exitCode: () => {} };
  const argv = ['edge', 'token', 'eeg-7', ...(data === null ? [] : ['--data', data])];
  try {
    await (await buildProgram(io, argv)).parseAsync(argv, { from: 'user' });
    return { code: 0, out: out.text, err: err.text };
  } catch (error) {
    return { code: exitCodeOf(error), out: out.text, err: `${err.text}${sentenceOf(error)}` };
  }
}

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
