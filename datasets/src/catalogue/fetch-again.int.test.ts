import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '@vitalwire/testkit';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { bonnDigest, unpackBonn } from '../bonn/archive.ts';
import { builtInDatasets } from './built-in.ts';
import type { Dataset } from './entry.ts';
import { fetchDataset } from './fetch-dataset.ts';
import { big, directory, fetchAll, files, mirror, publishListing, quick, root, sha256 } from './test-mirror.ts';
import { verifyDirectory } from './verify-dataset.ts';

test('checksums are pinned when first met: a source that lists others later is refused', async () => {
  await fetchAll({ files: ['RECORDS'] });
  mirror.files.set('RECORDS', Buffer.from('forged'));
  publishListing(mirror);
  await expect(fetchAll()).rejects.toThrow(/RECORDS: http.* says [0-9a-f]{64}, pinned on .* was [0-9a-f]{64}/);
  expect(readFileSync(join(directory, 'RECORDS'))).toEqual(files['RECORDS']);
});

test('a copy without a listing serves once the checksums are pinned, and not before', async () => {
  mirror.files.delete('SHA256SUMS.txt');
  await expect(fetchAll()).rejects.toThrow(/SHA256SUMS\.txt answered 404/);
  publishListing(mirror);
  await fetchAll({ files: ['RECORDS'] });
  mirror.files.delete('SHA256SUMS.txt');
  expect((await fetchAll()).fetched.length).toBe(3);
});

test.each([
  ['<html>sign in</html>', /line 1: found "<html>sign in<\/html>", expected 64 hexadecimal digits/],
  [`${'a'.repeat(64)} ../../etc/passwd\n`, /line 1: .* expected a path inside the data set/],
  [`${'a'.repeat(64)} /etc/passwd\n`, /expected a path inside the data set/],
  [`${'a'.repeat(64)} x\n${'b'.repeat(64)} x\n`, /line 2: .* expected one checksum for x/],
  ['\n', /names no file/],
])('a listing %j is refused whole', async (text, words) => {
  mirror.files.set('SHA256SUMS.txt', Buffer.from(text));
  await expect(fetchAll()).rejects.toThrow(words);
  expect(readdirSync(directory)).toEqual([]);
});

test('a directory with a copy is a source like a server, and a damaged file in it is refused', async () => {
  const copy = mkdtempSync(join(root, 'copy-'));
  for (const [path, bytes] of mirror.files) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), bytes);
  }
  writeFileSync(join(copy, 'RECORDS'), 'damaged');
  const result = await fetchAll({ from: copy });
  expect(result.fetched.length).toBe(3);
  expect(result.failed).toMatchObject([{ path: 'RECORDS', code: 'WRONG_BYTES' }]);
  expect(mirror.requests).toEqual([]);
  await expect(fetchAll({ from: join(copy, 'nowhere'), directory: join(directory, 'new') })).rejects.toThrow(
    /nowhere\/SHA256SUMS\.txt cannot be read \(ENOENT\); is the copy complete/,
  );
});

test('a file that was damaged after its fetch is found by verify, set aside and fetched again', async () => {
  await fetchAll();
  const signal = new AbortController().signal;
  expect(await verifyDirectory(directory, signal)).toMatchObject({ wrong: [], absent: [] });
  const damaged = Buffer.from(big);
  damaged[1234] = (damaged[1234] ?? 0) ^ 4;
  const file = join(directory, 'chb01/chb01_01.edf');
  writeFileSync(file, damaged);
  const found = await verifyDirectory(directory, signal);
  expect(found.wrong).toEqual([{ path: 'chb01/chb01_01.edf', found: sha256(damaged), expected: sha256(big) }]);
  const result = await fetchAll();
  expect(result).toMatchObject({ fetched: ['chb01/chb01_01.edf'], setAside: ['chb01/chb01_01.edf'] });
  expect(readFileSync(file)).toEqual(big);
  expect(readFileSync(`${file}.damaged`)).toEqual(damaged);
});

test('verify reads every byte even when size and time say that nothing changed', async () => {
  await fetchAll();
  const file = join(directory, 'chb01/chb01_01.edf');
  const { verified } = JSON.parse(readFileSync(join(directory, 'vitalwire-lock.json'), 'utf8')).files['chb01/chb01_01.edf'];
  writeFileSync(file, Buffer.alloc(big.length));
  utimesSync(file, verified.modifiedMs / 1000, verified.modifiedMs / 1000);
  expect((await verifyDirectory(directory, new AbortController().signal)).wrong.length).toBe(1);
});

test('two fetches in one directory do not mix: the second is told', async () => {
  mirror.fault('RECORDS', { kind: 'silent' });
  const stop = new AbortController();
  const first = fetchAll({ files: ['RECORDS'], signal: stop.signal, silenceMs: 60_000 });
  await until(() => mirror.asked('RECORDS').length === 1);
  await expect(fetchAll()).rejects.toThrow(/another fetch is at work in this directory: .*process \d+/);
  stop.abort();
  await expect(first).rejects.toThrow(/stopped/);
  expect((await fetchAll()).fetched.length).toBe(4);
  // What a killed one left behind does not count.
  writeFileSync(join(directory, '.vitalwire-fetch.pid'), '2147483646');
  expect((await fetchAll()).alreadyThere.length).toBe(4);
});

test('an archive of the Bonn collection is known by the segments in it, not by how it is packed', async () => {
  const texts = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`S/S${String(index + 1).padStart(3, '0')}.txt`, randomBytes(500)]),
  );
  const sha256 = bonnDigest(unpackBonn(zipSync(texts), 'S.zip'));
  const bonn: Dataset = {
    name: 'collection',
    title: 'Segments',
    licence: 'CC BY 4.0',
    citation: 'none',
    about: '',
    origin: 'built-in',
    definedIn: null,
    url: new URL('documents/', mirror.url).href,
    files: [{ path: 'S.zip', sha256, contents: 'bonn-segments', url: new URL('documents/17/S.zip/7647d3f7', mirror.url).href }],
  };
  mirror.files.set('documents/17/S.zip/7647d3f7', Buffer.from(zipSync(texts, { level: 9 })));
  const fetched = await fetchDataset({ dataset: bonn, directory, env: {}, signal: new AbortController().signal, retry: quick });
  expect(fetched).toMatchObject({ fetched: ['S.zip'], failed: [] });
  expect(await verifyDirectory(directory, new AbortController().signal)).toMatchObject({ right: ['S.zip'], wrong: [] });

  // The same segments, packed otherwise, are right; one text changed, or a page instead of an archive, is not.
  writeFileSync(join(directory, 'S.zip'), zipSync(texts, { level: 1 }));
  expect(await verifyDirectory(directory, new AbortController().signal)).toMatchObject({ right: ['S.zip'], wrong: [] });
  writeFileSync(join(directory, 'S.zip'), zipSync({ ...texts, 'S/S007.txt': randomBytes(500) }));
  expect((await verifyDirectory(directory, new AbortController().signal)).wrong).toMatchObject([{ path: 'S.zip' }]);
  mirror.files.set('documents/17/S.zip/7647d3f7', Buffer.from('<html>are you a person?</html>'));
  const page = await fetchDataset({ dataset: bonn, directory, env: {}, signal: new AbortController().signal, retry: quick });
  expect(page.failed).toMatchObject([{ path: 'S.zip', code: 'WRONG_BYTES' }]);
  expect(existsSync(join(directory, 'S.zip'))).toBe(false);
});

test('a mirror has a folder for each set; a slow one is waited for, a cut one is continued', async () => {
  for (const [path, bytes] of Object.entries(files)) mirror.files.set(`chb-mit/${path}`, bytes);
  const listing = mirror.files.get('SHA256SUMS.txt');
  if (listing === undefined) throw new Error('nothing is published');
  mirror.files.set('chb-mit/SHA256SUMS.txt', listing);
  const path = 'chb-mit/chb01/chb01_02+.edf';
  mirror.fault(path, { kind: 'drip', pieceBytes: 10_000, everyMs: 5 });
  mirror.fault('chb-mit/chb01/chb01_01.edf', { kind: 'wrong-byte' });
  const dataset = builtInDatasets.find(({ name }) => name === 'chb-mit');
  if (dataset === undefined) throw new Error('chb-mit is known by name');
  const result = await fetchDataset({
    dataset,
    directory,
    env: {},
    mirror: mirror.url,
    signal: new AbortController().signal,
    retry: quick,
  });
  expect(result.failed).toEqual([]);
  expect(result.fetched.length).toBe(Object.keys(files).length);
});
