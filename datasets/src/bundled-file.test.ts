import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { type BundledFile, bundledFiles, readBundledFile } from './bundled-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'vitalwire-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('every bundled file has the bytes we ship', () => {
  for (const name of Object.keys(bundledFiles)) expect(readBundledFile(name as BundledFile).length).toBeGreaterThan(1000);
});

test('a changed file is refused, and a missing one named', () => {
  const url = pathToFileURL(`${folder}/`);
  expect(() => readBundledFile('bonn/S.zip', url)).toThrow(/S\.zip; restore/);
  mkdirSync(join(folder, 'bonn'));
  writeFileSync(join(folder, 'bonn/S.zip'), readBundledFile('bonn/S.zip').with(1000, 1));
  expect(() => readBundledFile('bonn/S.zip', url)).toThrow(/SHA-256/);
});
