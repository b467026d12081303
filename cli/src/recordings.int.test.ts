import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { bonnSets } from '@vitalwire/datasets';
import { systemClock } from '@vitalwire/runtime';
import { MirrorServer, tempDir, until } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Io } from './io.ts';
import { ensureBonn } from './recordings.ts';

const root = tempDir('vw-ensure-');
let mirror: MirrorServer; // it has nothing: what it is asked for is what counts

beforeAll(async () => {
  mirror = await MirrorServer.start();
});
afterAll(() => mirror.stop());

test('without a terminal nothing is fetched unasked; the error says how', async () => {
  await expect(ensureBonn(ioFor({}))).rejects.toThrow(/bonn is not on this machine .*'vitalwire datasets fetch bonn' fetches it/);
  expect(mirror.requests).toEqual([]);
});

test('an option that asks for Bonn is a yes, also without a terminal', async () => {
  await expect(ensureBonn(ioFor({}), { isAskedFor: true })).rejects.toThrow(/[ZONFS]\.zip answered 404.* \(and 4 more files/);
  expect(mirror.requests.map(({ path }) => path).sort()).toEqual(['F', 'N', 'O', 'S', 'Z'].map((set) => `bonn/${set}.zip`));
});

test.each([
  ['f', /answered 404/, 5],
  ['x', /bonn is not on this machine/, 0],
  ['\u0003', /bonn is not on this machine/, 0],
])('on a terminal one key decides: %j', async (key, says, requests) => {
  const before = mirror.requests.length;
  const keyboard = Object.assign(new PassThrough(), { setRawMode: () => keyboard }) as unknown as NodeJS.ReadStream & PassThrough;
  const asked = ensureBonn(ioFor({ isTerminal: true, keyboard }));
  const answered = expect(asked).rejects.toThrow(says);
  await until(() => keyboard.listenerCount('data') > 0);
  keyboard.write(key);
  await answered;
  expect(mirror.requests.length - before).toBe(requests);
});

test('a page in place of the archives is said to be one, with the way by hand', async () => {
  const page = await MirrorServer.start();
  try {
    for (const set of bonnSets) page.files.set(`bonn/${set}.zip`, Buffer.from('<html>one moment</html>'));
    const env = { VITALWIRE_DATASETS: path.join(root, 'cache'), VITALWIRE_DATASETS_MIRROR: page.url };
    await expect(ensureBonn(ioFor({ env }), { isAskedFor: true })).rejects.toThrow(
      /is no archive of the collection \(23 bytes\), perhaps a page for a browser: save the archives by hand into a folder bonn/,
    );
  } finally {
    await page.stop();
  }
});

test('an archive that is wrong is told before anything begins, with how to get it again', async () => {
  const folder = path.join(root, 'wrong');
  mkdirSync(path.join(folder, 'bonn'), { recursive: true });
  for (const set of bonnSets) writeFileSync(path.join(folder, 'bonn', `${set}.zip`), 'cut short');
  const env = { VITALWIRE_DATASETS: path.join(root, 'cache'), VITALWIRE_DATASETS_MIRROR: folder };
  await expect(ensureBonn(ioFor({ env }))).rejects.toThrow(
    /Z\.zip is no zip archive; .*'VITALWIRE_DATASETS_MIRROR=none vitalwire datasets fetch bonn' fetches it again/,
  );
});

function ioFor(special: Partial<Io>): Io {
  return {
    env: { VITALWIRE_DATASETS: path.join(root, 'cache'), VITALWIRE_DATASETS_MIRROR: mirror.url },
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    isTerminal: false,
    clock: systemClock,
    signal: new AbortController().signal,
    exitCode: () => {},
    ...special,
  };
}
