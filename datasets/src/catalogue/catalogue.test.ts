import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { recordings } from '@vitalwire/testkit';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { builtInDatasets } from './built-in.ts';
import { lockName, readLock, writeLock } from './dataset-lock.ts';
import { CatalogueEntry } from './entry.ts';
import { parseListing } from './listing.ts';
import { datasetNamed, readCatalogue, readCatalogueFile } from './own-catalogue.ts';
import { pathPattern } from './path-pattern.ts';
import { isSafePath } from './safe-path.ts';
import { verifyDataset } from './verify-dataset.ts';

const folder = mkdtempSync(join(tmpdir(), 'vitalwire-catalogue-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sum = 'a'.repeat(64);
const example = `
datasets:
  - name: ward-7
    title: Recordings of ward 7
    licence: internal, not to be passed on
    citation: none
    url: https://files.example.org/ward-7/
    files:
      - { path: night/one.edf, sha256: ${sum}, bytes: 1234 }
`;

test('our own entries have all that a user must know, and no checksum of a collection that we have never had in our hands', () => {
  expect(builtInDatasets.map(({ name }) => name)).toEqual(['bonn', 'chb-mit', 'siena', 'sleep-edf', 'mitdb']);
  for (const { origin, definedIn, ...entry } of builtInDatasets) {
    expect(CatalogueEntry.safeParse(entry).error).toBeUndefined();
    expect(entry.licenceUrl).toMatch(/^https:/);
    expect(entry.doi).toMatch(/^10\./);
    expect(definedIn).toBeNull();
    expect(origin).toBe('built-in');
    expect(entry.url).toMatch(/^https:/);
    expect(entry.files === undefined).toBe(entry.name !== 'bonn');
  }
});

const bonn = recordings('bonn');

test.skipIf(!bonn.here)('the Bonn archives of a mirror or the cache hold what the catalogue says', async () => {
  const result = await verifyDataset(datasetNamed(builtInDatasets, 'bonn'), dirname(bonn.file('S.zip')), new AbortController().signal);
  expect(result).toMatchObject({ wrong: [], absent: [] });
  expect(result.right).toEqual(['F.zip', 'N.zip', 'O.zip', 'S.zip', 'Z.zip']);
});

test('files of a user, YAML or JSON, stand beside our own entries; a directory that is not there holds none', async () => {
  const directory = mkdtempSync(join(folder, 'own-'));
  writeFileSync(join(directory, 'a.yaml'), example);
  writeFileSync(
    join(directory, 'b.json'),
    JSON.stringify({ datasets: [{ name: 'b', title: 'B', licence: 'x', citation: 'y', listing: 'SHA256SUMS.txt' }] }),
  );
  writeFileSync(join(directory, 'notes.txt'), 'not a catalogue');
  const catalogue = await readCatalogue(directory);
  expect(catalogue.map(({ name }) => name)).toEqual(['bonn', 'chb-mit', 'siena', 'sleep-edf', 'mitdb', 'ward-7', 'b']);
  expect(catalogue[5]).toMatchObject({
    origin: 'own',
    definedIn: join(directory, 'a.yaml'),
    files: [{ path: 'night/one.edf', bytes: 1234 }],
  });
  expect(await readCatalogue(join(directory, 'nowhere'))).toEqual(builtInDatasets);
  expect(() => datasetNamed(catalogue, 'ward-8')).toThrow(/"ward-8"; known are bonn, chb-mit, siena, sleep-edf, mitdb, ward-7, b/);
  writeFileSync(join(directory, 'c.yml'), example);
  await expect(readCatalogue(directory)).rejects.toThrow(/c\.yml: the name ward-7 is taken by .*a\.yaml; choose another/);
});

test.each<[string, string | RegExp, RegExp]>([
  ['the name of ours', example.replace('ward-7', 'bonn'), /the name bonn is taken by our own catalogue/],
  ['a name with a space', example.replace('name: ward-7', 'name: Ward 7'), /datasets\.0\.name: expected small letters.*found "Ward 7"/],
  ['no licence', example.replace(/ +licence.*\n/, ''), /datasets\.0\.licence: .*expected string/],
  ['a short checksum', example.replace(sum, 'abc'), /datasets\.0\.files\.0\.sha256: expected 64 small hexadecimal digits, found "abc"/],
  [
    'a way out',
    example.replace('night/one.edf', '../../etc/passwd'),
    /files\.0\.path: expected a relative path.*found "\.\.\/\.\.\/etc\/passwd"/,
  ],
  ['an address that is none', example.replace('https://files.example.org/ward-7/', 'ftp://x/'), /datasets\.0\.url: .*found "ftp:\/\/x\/"/],
  ['a word nobody knows', example.replace('title:', 'titel:'), /titel/],
  ['neither files nor listing', example.slice(0, example.indexOf('    files:')), /expected either files .* or listing/],
  ['a file twice', example.replace(/( +- \{ path.*\n)/, '$1$1'), /datasets\.0\.files: expected every path once/],
  ['an empty file', '', /the file: .*expected object/],
  ['no YAML', 'datasets: [', /broken\.yaml: .*line 1/],
])('a catalogue file with %s is refused, with the place', async (_what, text, words) => {
  const directory = mkdtempSync(join(folder, 'bad-'));
  const file = join(directory, 'broken.yaml');
  writeFileSync(file, String(text));
  await expect(readCatalogue(directory)).rejects.toThrow(words);
  await expect(readCatalogue(directory)).rejects.toThrow(file);
});

test('every problem of a file is named at once', async () => {
  const file = join(folder, 'many.json');
  writeFileSync(file, JSON.stringify({ datasets: [{ name: 'X', title: '', listing: '/etc' }] }));
  await expect(readCatalogueFile(file)).rejects.toThrow(/name: .*title: .*licence: .*citation: .*listing: /);
});

test('listings are read as sha256sum and PhysioNet write them', () => {
  const text = `${sum} RECORDS\r\n${sum}  chb01/chb01_03.edf\n${sum.toUpperCase()} *./chb01/a b.edf\n\n`;
  expect([...parseListing(text, 'x').keys()]).toEqual(['RECORDS', 'chb01/chb01_03.edf', 'chb01/a b.edf']);
});

test('whatever a listing holds, it is read or refused in words, and never gives a path that leaves the directory', () => {
  const line = fc.oneof(
    fc.string(),
    fc.tuple(fc.stringMatching(/^[0-9a-f]{63,65}$/), fc.string()).map(([hash, path]) => `${hash} ${path}`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      try {
        for (const path of parseListing(lines.join('\n'), 'x').keys()) expect(isSafePath(path)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ name: 'DatasetError', code: 'LISTING_MALFORMED' });
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a lock file with any byte changed is read or refused in words', async () => {
  const directory = mkdtempSync(join(folder, 'lock-'));
  const lock = {
    version: 1 as const,
    dataset: 'mine',
    checksumsFrom: 'x',
    pinnedAt: '2026',
    files: { 'a.edf': { sha256: sum, verified: null } },
  };
  await writeLock(directory, lock);
  expect(await readLock(directory)).toEqual(lock);
  const bytes = readFileSync(join(directory, lockName));
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      writeFileSync(join(directory, lockName), bytes.with(at, (bytes[at] ?? 0) ^ flip));
      await readLock(directory).catch((error: unknown) => expect(error).toMatchObject({ code: 'LOCK_UNREADABLE' }));
    }),
    { numRuns: 200 },
  );
});

test('a safe path never leaves its directory', () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'b.edf', '...', '..a');
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const path = parts.join('/');
      const inside = join('/data/set', path).startsWith('/data/set/') && !path.startsWith('/');
      if (isSafePath(path)) expect(inside).toBe(true);
    }),
  );
  expect(['a/b.edf', 'chb02_16+.edf', 'ä b'].every(isSafePath)).toBe(true);
  expect(['', '/a', 'a//b', 'a/../b', 'C:x', 'a\\b', 'a\nb', 'a.part', '__proto__', 'x'.repeat(501)].some(isSafePath)).toBe(false);
});

test.each([
  ['*.edf', 'chb01/chb01_03.edf', true],
  ['*.edf', 'chb01/chb01_03.edf.seizures', false],
  ['chb01/*', 'chb01/chb01_03.edf', true],
  ['chb01/*', 'chb02/chb02_03.edf', false],
  ['chb0?/*_03.edf', 'chb02/chb02_03.edf', true],
  ['*', 'a/b', true],
  ['a/*', 'a/b/c', false],
  ['a/**', 'a/b/c', true],
  ['**/c', 'a/b/c', true],
  ['**/c', 'c', true],
  ['PN00.edf', 'PN00xedf', false],
  ['(a)+[b].edf', '(a)+[b].edf', true],
])('the pattern %s against %s: %s', (pattern, path, fits) => {
  expect(pathPattern(pattern)(path)).toBe(fits);
});
