import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MirrorServer, TestPki, WebProxy } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import type { Dataset } from './entry.ts';
import type { FetchProgress } from './fetch-dataset.ts';
import { big, directory, fetchAll, files, mirror, publish, quick, sha256 } from './test-mirror.ts';

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
  const gone = await MirrorServer.start();
  const { port } = gone;
  await gone.stop();
  await expect(fetchAll({ from: `http://127.0.0.1:${port}/` })).rejects.toThrow(
    /^the source does not answer: http:\/\/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)\. Is this machine online\? Behind a proxy set HTTPS_PROXY; a copy elsewhere is named with --mirror DIR/,
  );
  await expect(fetchAll({ from: 'http://nowhere.invalid/', retry: { ...quick, attempts: 1 } })).rejects.toThrow(
    /nowhere\.invalid cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/,
  );
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

/** A cut after the bytes of this answer, when they have made the part so long. */
function cutAt(path: string, afterBytes: number, partBytes: number) {
  const part = join(directory, `${path}.part`);
  return { kind: 'cut' as const, afterBytes, when: () => existsSync(part) && statSync(part).size >= partBytes };
}

function leftovers(): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .filter((path) => /\.part|\.new|\.pid/.test(path));
}
