import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openSource } from '@vitalwire/datasets';
import { systemClock } from '@vitalwire/runtime';
import { makeRecordings, recordings, tempDir } from '@vitalwire/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

const root = tempDir('vw-files-');
const made = join(root, 'made');
beforeAll(() => makeRecordings(made));
const file = (name: string) => join(made, name);
const collection = recordings('edf');

describe('info', () => {
  test('tells start, length, rates, channels and seizures, for people and as JSON', async () => {
    const told = await run('info', file('chb90/chb90_06.edf'));
    expect(told).toMatchObject({ code: 0, err: '' });
    expect(told.out).toContain('start     2026-03-14 22:21:25.000\nlength    0:00:02\n');
    expect(told.out).toContain('group 0   23 channels, 256 Hz, 16 bit, 512 samples each');
    expect(told.out).toContain('1 annotation, 1 seizure among them\n  0:06:57  for 0:01:55  seizure\n');
    const json = JSON.parse((await run('info', file('two-rates.edf'), '--json')).out);
    expect(json.groups.map(({ rate, samples }: { rate: unknown; samples: number }) => [rate, samples])).toEqual([
      [{ num: 100, den: 1 }, 11_000],
      [{ num: 64, den: 5 }, 1_408],
    ]);
  });

  test('a CSV file needs its rate and unit; without them it is refused, not guessed', async () => {
    const path = join(root, 'two.csv');
    writeFileSync(path, 'Fp1;F3\n1,5;2\n-3;4\n');
    expect(await run('info', path)).toMatchObject({ code: 2, err: expect.stringContaining('two.csv: give its rate (such as 256)') });
    expect(await run('info', path, '--rate', '256')).toMatchObject({ code: 2, err: expect.stringContaining("unit of column 'Fp1'") });
    const told = await run('info', path, '--rate', '173.61', '--unit', 'uV', '--columns', 'F3=Fz', '--json');
    expect(JSON.parse(told.out).groups[0]).toMatchObject({ rate: { num: 17361, den: 100 }, channels: [{ label: 'Fz', unit: 'uV' }] });
  });

  test('the vitals of a CSV file are named, and what a conversion leaves of them is told', async () => {
    const path = join(root, 'vitals.csv');
    writeFileSync(path, 'time,Fp1 (uV),spo2,heart-rate\n0,1,97,72\n1,2,96,\n2,3,96,73\n');
    expect((await run('info', path)).out).toContain('vitals    heart rate, oxygen saturation\n');
    expect(JSON.parse((await run('info', path, '--json')).out).vitals).toEqual([
      { stream: 'heart-rate', kind: 'sensor' },
      { stream: 'spo2', kind: 'sensor' },
    ]);
    const converted = await run('convert', path, join(root, 'vitals.edf'));
    expect(converted).toMatchObject({ code: 0, err: expect.stringContaining('not written: heart rate, oxygen saturation') });
  });
});

describe('validate', () => {
  test('says yes to a whole file, and no with exit code 1 to any other, each problem with its place', async () => {
    expect(await run('validate', file('whole.edf'))).toMatchObject({ code: 0, out: expect.stringContaining('is whole') });
    const cut = await run('validate', file('damaged/cut.edf'), '--json');
    expect(cut.code).toBe(1);
    expect(JSON.parse(cut.out)).toMatchObject({ ok: false, problems: [{ field: 'data records', unit: 'byte' }] });
  });

  test.skipIf(!collection.here)('a mistake in a list beside the recording has its place in the list', async () => {
    const siena = await run('validate', collection.file('siena-layout/PN00/PN00-3.edf'));
    expect(siena.code).toBe(1);
    expect(siena.out).toContain("line 58, Seizures-list-PN00.txt, seizure end: found '19.29.29'");
    expect((await run('validate', collection.file('siena-layout/PN00/PN00-3.edf'), '--no-side-cars')).code).toBe(0);
  });

  test.skipIf(!collection.here)('samples outside their declared range are counted per channel', async () => {
    const told = JSON.parse((await run('validate', collection.file('eeg139-edfplusc.edf'), '--json')).out);
    expect(told.problems.length).toBe(138);
    expect(told.problems[0].found).toMatch(/^\d+ of 3072 outside, from sample \d+ on, -\d+ to \d+; kept as they are$/);
  });

  test('a header that ends too early is the one problem of the file', async () => {
    const path = join(root, 'short.edf');
    writeFileSync(path, readFileSync(file('whole.edf')).subarray(0, 1000));
    const told = JSON.parse((await run('validate', path, '--json')).out);
    expect(told.problems).toEqual([
      { field: 'header', at: 1000, unit: 'byte', found: 'the end of the file after 1000 bytes', expected: '5376 bytes for its 20 signals' },
    ]);
  });

  test.each([
    ['no file', 'nothing.edf', /there is no such file/],
    ['a directory', '.', /is a directory; name one file in it/],
    ['prose', fileURLToPath(import.meta.url), /we read EDF, EDF\+, BDF, BDF\+, CSV and Bonn text/],
  ])('%s ends with one sentence', async (_, path, says) => {
    const told = await run('validate', path);
    expect(told).toMatchObject({ code: 3, out: '' });
    expect(told.err).toMatch(says);
  });
});

describe('convert', () => {
  test('EDF to BDF to EDF keeps samples, gaps and start', async () => {
    const [wide, back] = [join(root, 'gaps.bdf'), join(root, 'gaps.edf')];
    const original = file('interrupted.edf');
    expect((await run('convert', original, wide)).out).toBe(`${wide}: BDF+D, 3 data records\n`);
    expect((await run('convert', wide, back)).out).toBe(`${back}: EDF+D, 3 data records\n`);
    const [was, is] = [await openSource(original), await openSource(back)];
    expect(is.groups).toMatchObject(was.groups.map(({ rate, stretches, channels }) => ({ rate, stretches, channels })));
    expect(await is.read(0, 0, 768)).toEqual(await was.read(0, 0, 768));
    expect(is.startedAtUs).toBe(was.startedAtUs);
    await was.close();
    await is.close();
  });

  test('seizures of a list beside the recording become a SzCORE table, and a file without one a row of background', async () => {
    const [with_, without] = [join(root, 'with.tsv'), join(root, 'without.tsv')];
    expect((await run('convert', file('chb90/chb90_06.edf'), with_)).out).toBe(`${with_}: SzCORE events, 1 seizure\n`);
    expect(readFileSync(with_, 'utf8').split('\n')[1]).toBe('417.00\t115.00\tsz\tn/a\tn/a\t2026-03-14 22:21:25\t2.00');
    await run('convert', file('two-rates.edf'), without);
    expect(readFileSync(without, 'utf8').split('\n')[1]).toBe('0.00\t110.00\tbckg\tn/a\tn/a\t2026-03-14 22:21:25\t110.00');
  });

  test('CSV and back; several rates need a choice', async () => {
    const path = join(root, 'slow.csv');
    expect(await run('convert', file('two-rates.edf'), path)).toMatchObject({
      code: 2,
      err: expect.stringContaining('choose one group'),
    });
    expect(await run('convert', file('two-rates.edf'), path, '--group', '1')).toMatchObject({
      code: 0,
      out: `${path}: CSV, 1408 rows\n`,
    });
    const csvAgain = join(root, 'slow.edf');
    expect((await run('convert', path, csvAgain)).code).toBe(0);
  });

  test('nothing is written over without being asked, no ending is guessed, and a failure leaves no file', async () => {
    const path = join(root, 'there.edf');
    writeFileSync(path, 'precious');
    expect(await run('convert', file('same-label.edf'), path)).toMatchObject({ code: 2, err: expect.stringContaining('--force') });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect((await run('convert', file('same-label.edf'), path, '--force')).code).toBe(0);
    expect(await run('convert', file('same-label.edf'), join(root, 'x.mat'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('give --to'),
    });
    expect(await run('convert', file('same-label.edf'), join(root, 'x.edf'), '--group', '0')).toMatchObject({ code: 2 });
    const narrow = join(root, 'narrow.edf');
    expect(await run('convert', file('mixed-rates.bdf'), narrow)).toMatchObject({
      code: 3,
      err: expect.stringContaining('write it as BDF'),
    });
    expect([existsSync(narrow), existsSync(`${narrow}.part`)]).toEqual([false, false]);
  });
});

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
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
  };
  const argv = ['datasets', ...args];
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
