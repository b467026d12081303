import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '@vitalwire/runtime';
import { MirrorServer, tempDir } from '@vitalwire/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { exitCodeOf, sentenceOf } from '../errors.ts';
import type { Io } from '../io.ts';
import { buildProgram } from '../program.ts';

const root = tempDir('vw-datasets-');
const night = randomBytes(200_000);
let mirror: MirrorServer;
let data: string;

beforeAll(async () => {
  mirror = await MirrorServer.start();
  mirror.files.set('night.edf', night);
  mirror.files.set('notes.txt', Buffer.from('slept well\n'));
  mirror.files.set('SHA256SUMS.txt', Buffer.from([...mirror.files].map(([name, bytes]) => `${sha256(bytes)} ${name}\n`).join('')));
});
afterAll(() => mirror.stop());

beforeEach(() => {
  data = mkdtempSync(path.join(root, 'data-'));
  mkdirSync(path.join(data, 'catalogue'));
  const mine = `datasets: [{ name: mine, title: My nights, licence: internal, citation: none, url: '${mirror.url}', listing: SHA256SUMS.txt }]`;
  writeFileSync(path.join(data, 'catalogue/mine.yaml'), mine);
});

test('list shows what is known, what of it is here, and one entry whole', async () => {
  const { out } = await vitalwire('list');
  expect(out).toMatch(/^NAME +SIZE +HERE +LICENCE +TITLE\nbonn +about 3 MB +no +CC BY 4\.0/);
  expect(out).toMatch(/chb-mit +about 43 GB +no +Open Data Commons/);
  expect(out).toMatch(/mine +no +internal +My nights\n$/);
  const one = await vitalwire('list', 'chb-mit');
  expect(one.out).toMatch(/cite +J\. Guttag/);
  expect(one.out).toMatch(/checksums +the publisher's SHA256SUMS\.txt, pinned when first fetched/);
  const json = JSON.parse((await vitalwire('list', '--json')).out);
  expect(json).toHaveLength(6);
  expect(json[5]).toMatchObject({ name: 'mine', origin: 'own', here: { files: 0, of: null, mirror: null } });
});

test('fetch brings a set into the cache, tells each file, and verify finds it right', async () => {
  const fetched = await vitalwire('fetch', 'mine');
  expect(fetched).toMatchObject({ code: 0 });
  expect(fetched.out).toMatch(
    /^2 files fetched \(200 kB\), 0 were there, in .*cache\/mine\nchecksums: the publisher's SHA256SUMS\.txt as found at http/,
  );
  expect(
    fetched.err
      .split('\n')
      .filter((line) => / fetched, /.test(line))
      .sort(),
  ).toEqual([
    expect.stringMatching(/^[12]\/2 (night\.edf|notes\.txt) fetched, (200 kB|11 B)$/),
    expect.stringMatching(/^[12]\/2 (night\.edf|notes\.txt) fetched, (200 kB|11 B)$/),
  ]);
  expect(readFileSync(path.join(data, 'cache/mine/night.edf'))).toEqual(night);
  expect((await vitalwire('list')).out).toMatch(/mine +all/);
  const verified = await vitalwire('verify');
  expect(verified).toMatchObject({ code: 0 });
  expect(verified.out).toMatch(/mine: 2 files right, 0 wrong/);
});

test('on a terminal there is one line with a bar, and it is gone at the end', async () => {
  await vitalwire('fetch', 'mine', '--files', 'notes.txt'); // licence and citation have been told
  const { err } = await vitalwire({ isTerminal: true }, 'fetch', 'mine');
  expect(err).toMatch(/\[#+\.*\] [012]\/2 files · /);
  expect(err.endsWith('\r\u001b[2K')).toBe(true);
  expect(err).not.toContain('\n');
});

test('a damaged file makes verify answer no, and the next fetch brings it back', async () => {
  await vitalwire('fetch', 'mine', '--json');
  writeFileSync(path.join(data, 'cache/mine/notes.txt'), 'slept badly');
  const verified = await vitalwire('verify', 'mine', '--json');
  expect(verified.code).toBe(1);
  expect(JSON.parse(verified.out)).toMatchObject([{ right: ['night.edf'], wrong: [{ path: 'notes.txt' }] }]);
  expect((await vitalwire('verify', path.join(data, 'cache/mine'))).out).toMatch(
    /1 files right, 1 wrong.*\n {2}notes\.txt has SHA-256 \w{64}, expected \w{64}/,
  );
  const again = await vitalwire('fetch', 'mine');
  expect(again.out).toContain('notes.txt had wrong bytes: it is now notes.txt.damaged');
  expect((await vitalwire('verify', 'mine')).code).toBe(0);
});

test('a file that cannot be had is exit code 1, a source that does not answer 3', async () => {
  mirror.fault('notes.txt', { kind: 'status', status: 404 });
  const part = await vitalwire('fetch', 'mine');
  expect(part.code).toBe(1);
  expect(part.out).toMatch(/not fetched: .*notes\.txt answered 404: the file is not there/);
  const nobody = await vitalwire('fetch', 'mine', '--from', 'http://127.0.0.1:1/');
  expect(nobody).toMatchObject({ code: 3, out: '' });
  expect(nobody.err).toMatch(/cannot be reached \(ECONNREFUSED\)\. Is this machine online\? Behind a proxy set HTTPS_PROXY/);
});

test('the environment of the command chooses the proxy', async () => {
  const { code, err } = await vitalwire({ env: { HTTP_PROXY: 'http://127.0.0.1:1' } }, 'fetch', 'mine');
  expect(code).toBe(3);
  expect(err).toContain('cannot be reached');
});

test('a set in a mirror is used from there: listed, found, verified, not fetched; --to copies it', async () => {
  const folder = path.join(data, 'mirror');
  mkdirSync(path.join(folder, 'mine'), { recursive: true });
  for (const [name, bytes] of mirror.files) writeFileSync(path.join(folder, 'mine', name), bytes);
  const env = { VITALWIRE_DATASETS_MIRROR: folder };
  expect((await vitalwire({ env }, 'list')).out).toMatch(/mine +mirror +internal/);
  expect((await vitalwire({ env }, 'where', 'mine')).out).toBe(`${path.join(folder, 'mine')}\n`);
  expect((await vitalwire({ env }, 'where')).out).toMatch(/^cache +.*cache\nmirror +.*mirror\nmine +.*mirror\/mine\n$/);
  expect((await vitalwire({ env }, 'fetch', 'mine')).out).toMatch(
    /^mine is in the mirror \(.*\) and is used from there: nothing to fetch; --to copies it, VITALWIRE_DATASETS_MIRROR=none fetches it from the publisher\n$/,
  );
  expect((await vitalwire({ env }, 'verify', 'mine')).out).toMatch(/mirror\/mine: 2 files right/);
  const copy = path.join(data, 'copy');
  expect((await vitalwire({ env }, 'fetch', 'mine', '--to', copy, '--files', 'night.edf')).code).toBe(0);
  expect(existsSync(path.join(copy, 'night.edf'))).toBe(true);
  const removed = await vitalwire({ env }, 'remove', 'mine');
  expect(removed.out).toMatch(/mine is not in .*: nothing to remove/);
  expect(removed.err).toMatch(/is a mirror and stays/);
});

test('of a mirror with a part, that part is used where it lies, and only the rest is fetched', async () => {
  const folder = path.join(data, 'mirror');
  mkdirSync(path.join(folder, 'mine'), { recursive: true });
  const env = { VITALWIRE_DATASETS_MIRROR: folder };
  expect((await vitalwire({ env }, 'list')).out).toMatch(/mine +no +internal/); // an empty folder is no data set
  expect((await vitalwire({ env }, 'where', 'mine')).code).toBe(1);
  for (const name of ['notes.txt', 'SHA256SUMS.txt']) writeFileSync(path.join(folder, 'mine', name), mirror.files.get(name) ?? '');
  expect((await vitalwire({ env }, 'list')).out).toMatch(/mine +1 of 2 files in the mirror +internal/);
  expect(await vitalwire({ env }, 'where', 'mine')).toMatchObject({
    code: 0,
    out: `${path.join(folder, 'mine')}\n`,
    err: '1 of 2 files of mine are there\n',
  });
  const fetched = await vitalwire({ env }, 'fetch', 'mine');
  expect(fetched.err).toContain('mirror has 1 of 2 files; the others come from the publisher');
  expect(fetched).toMatchObject({ code: 0, out: expect.stringMatching(/^1 files fetched \(200 kB\), 0 were there, in .*cache\/mine/) });
  expect((await vitalwire({ env }, 'verify', 'mine')).out).toMatch(/cache\/mine: 1 files right.*\n(.*\n)*.*mirror\/mine: 1 files right/);
});

test('a wrong file in the cache, which counts before the mirror, is brought again from there', async () => {
  const folder = path.join(data, 'mirror');
  mkdirSync(path.join(folder, 'mine'), { recursive: true });
  for (const [name, bytes] of mirror.files) writeFileSync(path.join(folder, 'mine', name), bytes);
  const env = { VITALWIRE_DATASETS_MIRROR: folder };
  await vitalwire('fetch', 'mine');
  writeFileSync(path.join(data, 'cache/mine/notes.txt'), 'slept badly');
  expect((await vitalwire({ env }, 'fetch', 'mine')).out).toContain('notes.txt had wrong bytes: it is now notes.txt.damaged');
  expect((await vitalwire({ env }, 'verify', 'mine')).code).toBe(0);
});

test('a fetch that brought nothing, and a file that was deleted, are not here; a mirror that is not there is said to be so', async () => {
  mirror.fault('night.edf', { kind: 'status', status: 404 });
  mirror.fault('notes.txt', { kind: 'status', status: 404 });
  expect((await vitalwire('fetch', 'mine')).code).toBe(1);
  expect((await vitalwire('list')).out).toMatch(/mine +no +internal/);
  expect((await vitalwire('where', 'mine')).code).toBe(1);
  expect((await vitalwire('verify', 'mine')).code).toBe(3);
  expect((await vitalwire('fetch', 'mine')).err).toContain('My nights: internal\ncite: none\n'); // now its first file comes
  rmSync(path.join(data, 'cache/mine/notes.txt'));
  expect((await vitalwire('list')).out).toMatch(/mine +1 of 2 files +internal/);
  const env = { VITALWIRE_DATASETS_MIRROR: path.join(data, 'nowhere') };
  expect((await vitalwire({ env }, 'where')).out).toMatch(/^mirror +.*nowhere \(there is no such folder\)$/m);
});

test('--mirror takes the copy of a set from a server or a folder that has many', async () => {
  const many = await MirrorServer.start();
  try {
    for (const [name, bytes] of mirror.files) many.files.set(`mine/${name}`, bytes);
    many.fault('mine/night.edf', { kind: 'cut', afterBytes: 90_000, when: () => true });
    expect(await vitalwire('fetch', 'mine', '--mirror', many.url)).toMatchObject({ code: 0 });
    expect(many.asked('mine/night.edf').length).toBeGreaterThanOrEqual(1);
    expect(readFileSync(path.join(data, 'cache/mine/night.edf'))).toEqual(night);
  } finally {
    await many.stop();
  }
});

test('licence and citation are told once, when the first file of a set comes', async () => {
  const first = await vitalwire('fetch', 'mine', '--files', 'notes.txt');
  expect(first.err).toContain('My nights: internal\ncite: none');
  expect((await vitalwire('fetch', 'mine')).err).not.toContain('cite: none');
});

test('remove takes away what a fetch brought, also half done, and nothing of other hands', async () => {
  await vitalwire('fetch', 'mine');
  writeFileSync(path.join(data, 'cache/mine/my-notes.md'), 'mine');
  writeFileSync(path.join(data, 'cache/mine/night.edf.part'), 'half');
  expect((await vitalwire('remove', 'mine')).out).toMatch(/^3 files \(200 kB\) of mine removed from/);
  expect(readdirSync(path.join(data, 'cache/mine'))).toEqual(['my-notes.md']);
  expect((await vitalwire('remove', 'mine')).out).toContain('nothing to remove');
  expect((await vitalwire('where', 'nothing')).code).toBe(2);
});

test('what is nowhere is said to be so, with how to get it', async () => {
  const told = await vitalwire('where', 'bonn');
  expect(told).toMatchObject({ code: 1, out: '' });
  expect(told.err).toContain("bonn is not here; 'vitalwire datasets fetch bonn' fetches it");
  expect((await vitalwire('verify')).err).toContain('no data set is here yet');
});

test.each<[string[], number, RegExp]>([
  [['fetch', 'nothing'], 2, /there is no such data set: "nothing"; known are bonn, chb-mit, siena, sleep-edf, mitdb, mine/],
  [['list', 'nothing'], 2, /known are bonn/],
  [['verify', 'nothing'], 2, /known are bonn/],
  [['verify', 'mine'], 3, /mine is not in .*'vitalwire datasets fetch mine' fetches it/],
  [['fetch', 'mine', '--parallel', '9'], 2, /from 1 to 8/],
  [['fetch', 'mine', '--files', '*.bdf'], 3, /no file of mine fits \*\.bdf; there are 2 files, such as night\.edf/],
  [['fetch', 'mine', '--from', 'http://'], 2, /"http:\/\/" is no address/],
  [['fetch', 'mine', '--to', ''], 2, /--to is empty/],
  [['fetch', 'mine', '--to', '/proc/nowhere'], 3, /\/proc/],
  [['verify', '.'], 3, /neither vitalwire-lock\.json nor SHA256SUMS\.txt/],
])('%j: exit code %i in one sentence', async (args, code, words) => {
  const answer = await vitalwire(...args);
  expect(answer.err).toMatch(words);
  expect(answer.code).toBe(code);
});

test('a catalogue file that cannot be read stops with its name and the place in it', async () => {
  writeFileSync(path.join(data, 'catalogue/broken.yaml'), 'datasets: [{ name: X }]');
  const answer = await vitalwire('list');
  expect(answer.code).toBe(3);
  expect(answer.err).toMatch(/broken\.yaml: datasets\.0\.name: expected small letters.*; datasets\.0\.title/);
});

async function vitalwire(...words: readonly (string | Partial<Io>)[]): Promise<{ code: number; out: string; err: string }> {
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
  Object.assign(io, { env: { VITALWIRE_DATASETS: path.join(data, 'cache'), VITALWIRE_DATASETS_MIRROR: 'none', ...io.env } });
  const argv = ['datasets', ...args, '--data', data];
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

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
