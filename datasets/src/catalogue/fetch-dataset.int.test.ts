import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MirrorServer, TestPki, tempDir, until, WebProxy } from '@vitalwire/testkit';
import { zipSync } from 'fflate';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bonnDigest, unpackBonn } from '../bonn/archive.ts';
import { builtInDatasets } from './built-in.ts';
import type { Dataset } from './entry.ts';
import { type FetchOptions, type FetchProgress, fetchDataset } from './fetch-dataset.ts';
import { verifyDirectory } from './verify-dataset.ts';

let mirror: MirrorServer;
let directory: string;
const root = tempDir('vw-fetch-');
const quick = { attempts: 4, baseMs: 1, maxMs: 5 };

const big = randomBytes(300_000);
const files: Readonly<Record<string, Buffer>> = {
  'chb01/chb01_01.edf': big,
  'chb01/chb01_02+.edf': randomBytes(50_000),
  'chb01/chb01-summary.txt': Buffer.from('File Name: chb01_01.edf\n'),
  RECORDS: Buffer.from('chb01/chb01_01.edf\n'),
};

beforeEach(async () => {
  mirror = await MirrorServer.start();
  directory = mkdtempSync(join(root, 'set-'));
  publish(mirror);
});

afterEach(async () => {
  await mirror.stop();
});

test('everything listed is fetched, right to the last byte, and a second fetch asks for the listing alone', async () => {
  const progress: FetchProgress[] = [];
  const result = await fetchAll({ onProgress: (one) => progress.push(one) });
  expect(result.failed).toEqual([]);
  expect([...result.fetched].sort()).toEqual(Object.keys(files).sort());
  for (const [path, bytes] of Object.entries(files)) expect(readFileSync(join(directory, path))).toEqual(bytes);
  expect(leftovers()).toEqual([]);
  expect(progress.at(-1)).toMatchObject({ filesDone: 4, filesWanted: 4 });
  expect(
    progress.some(({ path, state, totalBytes }) => path === 'chb01/chb01_01.edf' && state === 'reading' && totalBytes === 300_000),
  ).toBe(true);
  mirror.requests.length = 0;
  expect((await fetchAll()).alreadyThere.length).toBe(4);
  expect(mirror.requests.map(({ path }) => path)).toEqual(['SHA256SUMS.txt']);
});

test('patterns choose files', async () => {
  expect((await fetchAll({ files: ['*.txt'] })).fetched).toEqual(['chb01/chb01-summary.txt']);
  expect((await fetchAll({ files: ['chb01/*.edf'] })).fetched.length).toBe(2);
  await expect(fetchAll({ files: ['chb99/*'] })).rejects.toThrow(/no file of chb-mit fits chb99\/\*; there are 4 files, such as/);
});

test('a connection cut three times in the middle is continued where it broke', async () => {
  const path = 'chb01/chb01_01.edf';
  mirror.fault(path, cutAt(path, 70_000, 70_000), cutAt(path, 80_000, 150_000), cutAt(path, 50_000, 200_000));
  expect((await fetchAll({ files: [path] })).fetched).toEqual([path]);
  expect(readFileSync(join(directory, path))).toEqual(big);
  expect(mirror.asked(path).map(({ range }) => range)).toEqual([undefined, 'bytes=70000-', 'bytes=150000-', 'bytes=200000-']);
  for (const { ifRange } of mirror.asked(path).slice(1)) expect(ifRange).toMatch(/^"/);
});

test('a fetch that was stopped goes on where it stopped, in another call', async () => {
  const path = 'chb01/chb01_01.edf';
  mirror.fault(path, { kind: 'drip', pieceBytes: 10_000, everyMs: 5 });
  const stop = new AbortController();
  const stopped = fetchAll({ files: [path], signal: stop.signal, onProgress: ({ bytes }) => bytes >= 100_000 && stop.abort() });
  await expect(stopped).rejects.toThrow(/stopped: .*run it again to go on/);
  expect(existsSync(join(directory, path))).toBe(false);
  const kept = readFileSync(join(directory, `${path}.part`)).length;
  expect(kept).toBeGreaterThanOrEqual(100_000);
  expect((await fetchAll({ files: [path] })).fetched).toEqual([path]);
  expect(mirror.asked(path).at(-1)?.range).toBe(`bytes=${kept}-`);
  expect(readFileSync(join(directory, path))).toEqual(big);
});

test('a server that ignores ranges gives the file from its start', async () => {
  const path = 'chb01/chb01_01.edf';
  mirror.fault(path, cutAt(path, 70_000, 70_000), { kind: 'ignore-range' });
  await fetchAll({ files: [path] });
  expect(mirror.asked(path)[1]?.range).toMatch(/^bytes=/);
  expect(readFileSync(join(directory, path))).toEqual(big);
});

test('a file that is replaced in mid-download is never joined to the part of the old one', async () => {
  const path = 'chb01/chb01_01.edf';
  mirror.files.set(path, randomBytes(300_000));
  const arrived = cutAt(path, 100_000, 100_000);
  const replaceAndCut = () => arrived.when() && mirror.files.set(path, big) === mirror.files; // the listing speaks of this one
  mirror.fault(path, { ...arrived, when: replaceAndCut });
  expect((await fetchAll({ files: [path] })).fetched).toEqual([path]);
  expect(mirror.asked(path).length).toBe(2); // the tag is another: the second answer is the whole new file
  expect(readFileSync(join(directory, path))).toEqual(big);
});

test('a part of the old file that a server without tags continues is noticed by its checksum, and fetched anew', async () => {
  const path = 'chb01/chb01_01.edf';
  mkdirSync(join(directory, 'chb01'));
  writeFileSync(join(directory, `${path}.part`), randomBytes(100_000));
  writeFileSync(join(directory, `${path}.part.json`), JSON.stringify({ sha256: sha256(big), validator: null }));
  expect((await fetchAll({ files: [path] })).fetched).toEqual([path]);
  expect(mirror.asked(path).map(({ range }) => range)).toEqual(['bytes=100000-', undefined]);
  expect(readFileSync(join(directory, path))).toEqual(big);
});

test('a part that is whole already is only compared, one that is too long is thrown away', async () => {
  const path = 'chb01/chb01_01.edf';
  mkdirSync(join(directory, 'chb01'));
  for (const part of [big, Buffer.concat([big, big])]) {
    writeFileSync(join(directory, `${path}.part`), part);
    writeFileSync(join(directory, `${path}.part.json`), JSON.stringify({ sha256: sha256(big), validator: null }));
    expect((await fetchAll({ files: [path] })).fetched).toEqual([path]);
    expect(readFileSync(join(directory, path))).toEqual(big);
    renameSync(join(directory, path), join(directory, 'away'));
  }
  expect(leftovers()).toEqual([]);
});

test('wrong bytes never get the final name, and nothing of them is kept; the other files arrive', async () => {
  const path = 'chb01/chb01_01.edf';
  mirror.fault(path, ...Array.from({ length: 20 }, () => ({ kind: 'wrong-byte' as const })));
  const result = await fetchAll();
  expect(result.failed).toMatchObject([
    { path, code: 'WRONG_BYTES', reason: expect.stringMatching(/SHA-256 [0-9a-f]{64} .* expected [0-9a-f]{64}; nothing of it was kept/) },
  ]);
  expect(result.fetched.length).toBe(3);
  expect(existsSync(join(directory, path))).toBe(false);
  expect(leftovers()).toEqual([]);
});

test('a bit that turned once on its way is fetched again', async () => {
  mirror.fault('RECORDS', { kind: 'wrong-byte' });
  expect((await fetchAll({ files: ['RECORDS'] })).fetched).toEqual(['RECORDS']);
});

test('answers 500 and 503 are tried again after the time they ask for, 404 and 403 are not', async () => {
  mirror.fault('RECORDS', { kind: 'status', status: 500 }, { kind: 'status', status: 503, headers: { 'retry-after': '1' } });
  const started = performance.now();
  expect((await fetchAll({ files: ['RECORDS'] })).fetched).toEqual(['RECORDS']);
  expect(performance.now() - started).toBeGreaterThan(990);
  mirror.files.delete('chb01/chb01_01.edf');
  mirror.fault('chb01/chb01-summary.txt', { kind: 'status', status: 403 });
  const result = await fetchAll();
  expect(result.failed).toMatchObject([
    { path: 'chb01/chb01-summary.txt', code: 'SOURCE_REFUSED', reason: expect.stringContaining('403: it wants a permission') },
    { path: 'chb01/chb01_01.edf', code: 'SOURCE_REFUSED', reason: expect.stringContaining('404: the file is not there') },
  ]);
  expect(mirror.asked('chb01/chb01_01.edf').length).toBe(1);
});

test('a server that stays in trouble is given up, with what to do', async () => {
  mirror.fault('RECORDS', ...Array.from({ length: 9 }, () => ({ kind: 'status' as const, status: 502 })));
  await expect(fetchAll({ files: ['RECORDS'] })).rejects.toThrow(
    /RECORDS: .* answered 502; tried 4 times\. Is this machine online\? Behind a proxy set HTTPS_PROXY/,
  );
});

test('a redirect is followed, also to another server, which does not get the password', async () => {
  const other = await MirrorServer.start();
  publish(other);
  mirror.fault('RECORDS', { kind: 'status', status: 302, headers: { location: `${other.url}RECORDS` } });
  mirror.fault('chb01/chb01-summary.txt', { kind: 'status', status: 301, headers: { location: '/RECORDS' } });
  const from = mirror.url.replace('//', '//user:secret@');
  const result = await fetchAll({ from, files: ['RECORDS'] });
  expect(result.fetched).toEqual(['RECORDS']);
  expect(JSON.stringify(result)).not.toContain('secret');
  expect(readFileSync(join(directory, 'vitalwire-lock.json'), 'utf8')).not.toContain('secret');
  expect(mirror.asked('RECORDS')[0]?.authorization).toBe(`Basic ${Buffer.from('user:secret').toString('base64')}`);
  expect(other.asked('RECORDS')[0]?.authorization).toBeUndefined();
  // A redirect to another file is a redirect to wrong bytes.
  mirror.fault('chb01/chb01-summary.txt', { kind: 'status', status: 301, headers: { location: '/RECORDS' } });
  expect((await fetchAll({ files: ['*.txt'] })).failed[0]?.code).toBe('WRONG_BYTES');
  await other.stop();
});

test('a redirect in a circle, to nowhere or to another kind of address ends', async () => {
  for (const location of ['/RECORDS', 'file:///etc/passwd', 'http://']) {
    mirror.fault('RECORDS', ...Array.from({ length: 7 }, () => ({ kind: 'status' as const, status: 307, headers: { location } })));
    const { failed } = await fetchAll({ files: ['RECORDS'] });
    expect(failed[0]?.reason).toMatch(/more than 5 redirects|a redirect to "/);
    while (mirror.asked('RECORDS').length % 7 !== 0) await fetch(`${mirror.url}RECORDS`, { redirect: 'manual' });
  }
});

test('a server that is slow but never silent is waited for; one that falls silent is asked again', async () => {
  const path = 'chb01/chb01_02+.edf';
  mirror.fault(path, { kind: 'drip', pieceBytes: 10_000, everyMs: 500 });
  expect((await fetchAll({ files: [path], silenceMs: 2_000 })).fetched).toEqual([path]);
  expect(mirror.asked(path).length).toBe(1);
  mirror.fault('RECORDS', { kind: 'silent' });
  expect((await fetchAll({ files: ['RECORDS'], silenceMs: 2_000 })).fetched).toEqual(['RECORDS']);
  expect(mirror.asked('RECORDS').length).toBe(2);
});

test('nobody there: one sentence that says what to try', async () => {
  const { port } = mirror;
  await mirror.stop();
  await expect(fetchAll({ from: `http://127.0.0.1:${port}/` })).rejects.toThrow(
    /^the source does not answer: http:\/\/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)\. Is this machine online\? Behind a proxy set HTTPS_PROXY; a copy elsewhere is named with --mirror DIR/,
  );
  await expect(fetchAll({ from: 'http://nowhere.invalid/', retry: { ...quick, attempts: 1 } })).rejects.toThrow(
    /nowhere\.invalid cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/,
  );
  mirror = await MirrorServer.start();
});

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

test('never more downloads at once than allowed', async () => {
  let [open, most] = [0, 0];
  for (const path of Object.keys(files)) mirror.fault(path, { kind: 'drip', pieceBytes: 100_000, everyMs: 60 });
  const reading = new Set<string>();
  await fetchAll({
    parallel: 2,
    onProgress: ({ path, state }) => {
      if (state === 'reading') reading.add(path);
      else reading.delete(path);
      open = reading.size;
      most = Math.max(most, open);
    },
  });
  expect(most).toBe(2);
});

test('a plain address goes through HTTP_PROXY, a secure one through a tunnel, and NO_PROXY past both', async () => {
  const proxy = await WebProxy.start();
  const pki = await TestPki.create();
  const { keyPath, certPath } = await pki.service('mirror');
  const secure = await MirrorServer.start({ key: readFileSync(keyPath, 'utf8'), cert: readFileSync(certPath, 'utf8') });
  publish(secure);
  const ca = readFileSync(pki.caPath, 'utf8');
  const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url };

  expect((await fetchAll({ env, files: ['RECORDS'] })).fetched).toEqual(['RECORDS']);
  expect([...proxy.forwarded, ...proxy.tunnels].length).toBeGreaterThan(0);
  const before = proxy.tunnels.length;
  const there = { directory: join(directory, 'secure'), from: secure.url, ca };
  expect((await fetchAll({ ...there, env, files: ['RECORDS'] })).fetched).toEqual(['RECORDS']);
  expect(proxy.tunnels.slice(before)).toContain(`127.0.0.1:${secure.port}`);

  const all = proxy.tunnels.length + proxy.forwarded.length;
  expect((await fetchAll({ ...there, env: { ...env, NO_PROXY: '127.0.0.1' }, files: ['*.txt'] })).fetched.length).toBe(1);
  expect(proxy.tunnels.length + proxy.forwarded.length).toBe(all);

  // Without its authority the certificate is not trusted, and nobody tries it again and again.
  await expect(fetchAll({ from: secure.url, env: {}, directory: join(directory, 'other') })).rejects.toThrow(
    /certificate of https:\/\/127.* is not trusted \(\w+\).*NODE_EXTRA_CA_CERTS/,
  );
  await proxy.stop();
  await expect(fetchAll({ env, directory: join(directory, 'third') })).rejects.toThrow(/the source does not answer: /);
  await secure.stop();
  pki.remove();
});

test('files with checksums of their own in a catalogue file need no listing, and a wrong size ends at once', async () => {
  const own: Dataset = {
    name: 'mine',
    title: 'Mine',
    licence: 'none',
    citation: 'nobody',
    about: '',
    url: mirror.url,
    files: [{ path: 'RECORDS', sha256: sha256(files['RECORDS'] ?? Buffer.of()), bytes: 19 }],
    origin: 'own',
    definedIn: '/mine.yaml',
  };
  expect(await fetchAll({ dataset: own })).toMatchObject({ fetched: ['RECORDS'], checksumsFrom: 'the catalogue file /mine.yaml' });
  const wrong = { ...own, files: [{ path: 'RECORDS', sha256: 'a'.repeat(64), bytes: 18 }] };
  expect((await fetchAll({ dataset: wrong, directory: join(directory, 'b') })).failed[0]?.reason).toMatch(/has 19 bytes, expected 18/);
});

function fetchAll(options: Partial<FetchOptions> = {}) {
  const dataset = builtInDatasets.find(({ name }) => name === 'chb-mit');
  if (dataset === undefined) throw new Error('chb-mit');
  return fetchDataset({
    dataset,
    directory,
    from: options.dataset === undefined ? mirror.url : undefined,
    env: {},
    signal: new AbortController().signal,
    retry: quick,
    silenceMs: 5_000,
    ...options,
  });
}

/** A cut after the bytes of this answer, when they have made the part so long. */
function cutAt(path: string, afterBytes: number, partBytes: number) {
  const part = join(directory, `${path}.part`);
  return { kind: 'cut' as const, afterBytes, when: () => existsSync(part) && statSync(part).size >= partBytes };
}

function publish(server: MirrorServer): void {
  for (const [path, bytes] of Object.entries(files)) server.files.set(path, bytes);
  publishListing(server);
}

function publishListing(server: MirrorServer): void {
  const lines = [...server.files].filter(([path]) => path !== 'SHA256SUMS.txt').map(([path, bytes]) => `${sha256(bytes)} ${path}\n`);
  server.files.set('SHA256SUMS.txt', Buffer.from(lines.join('')));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function leftovers(): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .filter((path) => /\.part|\.new|\.pid/.test(path));
}

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
