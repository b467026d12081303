import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, expect, test } from 'vitest';
import { bonnDigest, unpackBonn } from './archive.ts';
import { readBonnSegment } from './segments.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-archive-'));
afterAll(() => rmSync(work, { recursive: true }));

const text = (number: number) => new TextEncoder().encode(`${number}\r\n`.repeat(4097));
const numbered = (count: number, nameOf: (number: number) => string) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [nameOf(index + 1), text(index + 1)]));
const three = (number: number) => String(number).padStart(3, '0');

test('it is what is inside that counts: all 100 or 80, in a folder or not, whatever the ending is called', () => {
  const plain = bonnDigest(unpackBonn(zipSync(numbered(80, (number) => `S${three(number)}.txt`)), 'S.zip'));
  const published = zipSync({ ...numbered(100, (number) => `S/S${three(number)}.TXT`), 'S/readme.md': text(1) }, { level: 0 });
  expect(bonnDigest(unpackBonn(published, 'S.zip'))).toBe(plain);
  expect(bonnDigest(unpackBonn(zipSync(numbered(79, (number) => `S${three(number)}.txt`)), 'S.zip'))).not.toBe(plain);
});

test('an archive with other segments, and one that is none, are refused by their place and never used', () => {
  const places = { cache: work, mirror: null };
  mkdirSync(join(work, 'bonn'));
  writeFileSync(join(work, 'bonn', 'S.zip'), zipSync(numbered(80, (number) => `S${three(number)}.txt`)));
  expect(() => readBonnSegment('S', 1, places)).toThrow(
    /bonn\/S\.zip holds other segments than the collection; 'vitalwire datasets verify bonn'/,
  );
  writeFileSync(join(work, 'bonn', 'S.zip'), '<html>please use a browser</html>');
  expect(() => readBonnSegment('S', 1, places)).toThrow(/bonn\/S\.zip is no zip archive/);
});
