import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { openSource, openSyntheticPatient } from '@vitalwire/datasets';
import { systemClock } from '@vitalwire/runtime';
import { tempDir } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

const root = tempDir('vw-synth-');

test('the file reads back as the patient: every sample, seizure and artefact, and it says everywhere that it is synthetic', async () => {
  const file = path.join(root, 'patient.edf');
  const made = await synth(file, '--channels', 'chb-mit', '--duration', '3m', '--seizures', '60+40', '--seed', '7');
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(made.out).toMatch(
    /patient\.edf: synthetic, EDF\+C, 23 channels at 256 Hz, 180 s, seed 7\n {2}seizure at 60 s, 40 s long\n {2}\d+ artefacts\n$/,
  );
  const patient = openSyntheticPatient({ seed: 7, channels: 'chb-mit', durationS: 180, seizures: [{ onsetS: 60, durationS: 40 }] });
  const read = await openSource(file);
  expect(read).toMatchObject({
    synthetic: true,
    name: expect.stringMatching(/^synthetic/),
    startedAtUs: patient.startedAtUs,
    problems: [],
  });
  expect(read.groups[0]).toMatchObject({ rate: { num: 256, den: 1 }, sampleBits: 16 });
  expect(read.groups[0]?.channels.map(({ label }) => label)).toEqual(patient.groups[0]?.channels.map(({ label }) => label));
  expect(await read.read(0, 0, 180 * 256)).toEqual(await patient.read(0, 0, 180 * 256));
  const told = (await patient.annotations()).map(({ onsetUs, durationUs, type, text }) => ({ onsetUs, durationUs, type, text }));
  const found = (await read.annotations()).map(({ onsetUs, durationUs, type, text }) => ({ onsetUs, durationUs, type, text }));
  expect(found).toEqual(told.map((one) => ({ ...one, text: expect.stringContaining(one.text) })));
  await read.close();
  // The header in plain text, for whoever opens it elsewhere.
  expect(readFileSync(file, 'latin1').slice(8, 168)).toMatch(/^X X X X +Startdate 01-JAN-2000 X X synthetic +$/);
});

test('24 bits are a BDF+, and an odd rate is exact', async () => {
  const file = path.join(root, 'wide.bdf');
  const json = JSON.parse(
    (await synth(file, '--rate', '173.61', '--duration', '100s', '--seizures', 'none', '--channels', '2', '--json')).out,
  );
  expect(json).toMatchObject({
    synthetic: true,
    format: 'BDF+C',
    rate: { num: 17361, den: 100 },
    bits: 24,
    seizures: [],
    channels: ['C3', 'C4'],
  });
  const read = await openSource(file);
  const patient = openSyntheticPatient({ channels: 2, rate: { num: 17361, den: 100 }, durationS: 100, seizures: 0, bits: 24 });
  expect(read.groups[0]?.rate).toEqual({ num: 17361, den: 100 });
  expect(await read.read(0, 0, 17361)).toEqual(await patient.read(0, 0, 17361));
  await read.close();
});

test('same arguments, same bytes; another seed, others', async () => {
  const make = async (name: string, seed: string) => {
    const file = path.join(root, name);
    await synth(file, '--duration', '70s', '--channels', '3', '--seed', seed);
    return readFileSync(file);
  };
  const first = await make('a.edf', '1');
  expect(await make('b.edf', '1')).toEqual(first);
  expect(await make('c.edf', '2')).not.toEqual(first);
});

test('a file that is there is written over only with --force, and one that could not be finished leaves nothing', async () => {
  const file = path.join(root, 'there.edf');
  writeFileSync(file, 'a recording of somebody');
  const refused = await synth(file, '--duration', '70s');
  expect(refused).toMatchObject({
    code: 2,
    err: expect.stringContaining('is there already: choose another name, or write over it with --force'),
  });
  expect(readFileSync(file, 'utf8')).toBe('a recording of somebody');
  expect((await synth(file, '--duration', '70s', '--force')).code).toBe(0);
  expect(statSync(file).size).toBeGreaterThan(100_000);
  const stopped = path.join(root, 'stopped.edf');
  await synth({ signal: AbortSignal.abort(new DOMException('stopped', 'AbortError')) }, stopped, '--duration', '70s');
  expect(existsSync(stopped)).toBe(false);
  expect(existsSync(`${stopped}.part`)).toBe(false);
});

test.each<[string[], number, RegExp]>([
  [['x.txt'], 2, /the name ends in neither \.edf nor \.bdf/],
  [['x.edf', '--bits', '24'], 2, /EDF holds 16 bits; name it \.bdf for 24/],
  [['x.edf', '--channels', 'Q9'], 2, /channel is "Q9", expected an electrode/],
  [['x.edf', '--rate', 'fast'], 2, /such as 256, 173\.61/],
  [['x.edf', '--rate', '90', '--artefacts', 'mains=1'], 2, /more than 100 samples per second/],
  [['x.edf', '--seizures', '3590+30'], 2, /inside the recording of 3600 s/],
  [['x.edf', '--duration', '8h', '--seizures', '99'], 2, /seizures is 99, expected 0 to 60/],
  [['x.edf', '--artefacts', 'blnik=3'], 2, /the kinds are blink/],
  [['x.edf', '--mains', '55'], 2, /50 or 60/],
  [['/nowhere/x.edf', '--duration', '70s'], 3, /\/nowhere/],
])('%j: exit code %i in one sentence', async (args, code, words) => {
  const answer = await synth(...args);
  expect(answer.err).toMatch(words);
  expect(answer.code).toBe(code);
  expect(existsSync('x.edf')).toBe(false);
});

async function synth(...words: readonly (string | Partial<Io>)[]): Promise<{ code: number; out: string; err: string }> {
  const args = words.filter((word) => typeof word === 'string');
  const special = words.find((word) => typeof word !== 'string');
  const [out, err] = [new Text(), new Text()];
  let code = 0;
  const io: Io = {
    env: {},
    stdout: out,
    stderr: err,
    isTerminal: false,
    clock: systemClock,
    signal: new AbortController().signal,
    exitCode: (wanted) => {
      code = wanted;
    },
    ...special,
  };
  const argv = ['datasets', 'synth', ...args];
  try {
    await (await buildProgram(io, argv)).parseAsync(argv, { from: 'user' });
  } catch (error) {
    code = error instanceof Error && 'exitCode' in error ? (error.exitCode === 0 ? 0 : 2) : exitCodeOf(error);
    err.text += sentenceOf(error);
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
