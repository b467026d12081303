import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findRecording, mirrorFolder, recordingPlaces } from './places.ts';
import { readPublishedFile } from './published-file.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-places-'));
afterAll(() => rmSync(work, { recursive: true }));

test.each<[NodeJS.Platform, Record<string, string>, string]>([
  ['linux', { HOME: '/home/ada' }, '/home/ada/.local/share/vitalwire/datasets'],
  ['linux', { HOME: '/home/ada', XDG_DATA_HOME: '/data' }, '/data/vitalwire/datasets'],
  ['linux', { HOME: '/home/ada', XDG_DATA_HOME: 'relative' }, '/home/ada/.local/share/vitalwire/datasets'],
  ['darwin', { HOME: '/Users/ada' }, '/Users/ada/Library/Application Support/vitalwire/datasets'],
  ['linux', { HOME: '/home/ada', VITALWIRE_DATASETS: '/srv/recordings' }, '/srv/recordings'],
  ['linux', { HOME: '', XDG_DATA_HOME: '/data' }, '/data/vitalwire/datasets'],
  ['linux', { HOME: '/home/ada', VITALWIRE_DATASETS: ' ' }, '/home/ada/.local/share/vitalwire/datasets'],
])('on %s with %j the cache is %s', (platform, env, cache) => {
  expect(recordingPlaces(env, platform).cache).toBe(cache);
});

test.each([{}, { HOME: '' }, { HOME: 'ada' }])('with %j the cache is the same in every directory', (env) => {
  expect(isAbsolute(recordingPlaces(env, 'linux').cache)).toBe(true);
});

test('a mirror is a folder, an address that nothing is read from, or none', () => {
  expect(recordingPlaces({ VITALWIRE_DATASETS_MIRROR: 'none' }).mirror).toBeNull();
  expect(recordingPlaces({ VITALWIRE_DATASETS_MIRROR: '/srv/mirror' })).toMatchObject({ mirror: '/srv/mirror' });
  const address = recordingPlaces({ VITALWIRE_DATASETS_MIRROR: 'https://mirror.example.org/eeg' });
  expect(address.mirror).toBe('https://mirror.example.org/eeg');
  expect(mirrorFolder(address)).toEqual([]);
});

test('what was fetched comes before the mirror; what is in neither is refused with how to get it', () => {
  const places = { cache: join(work, 'cache'), mirror: join(work, 'mirror') };
  for (const [folder, text] of [
    [places.cache, 'fetched'],
    [places.mirror, 'mirrored'],
  ] as const) {
    mkdirSync(join(folder, 'bonn'), { recursive: true });
    writeFileSync(join(folder, 'bonn', 'S.zip'), text);
  }
  writeFileSync(join(places.mirror, 'bonn', 'Z.zip'), 'mirrored');
  expect(findRecording('bonn/S.zip', places)).toBe(join(places.cache, 'bonn', 'S.zip'));
  expect(findRecording('bonn/Z.zip', places)).toBe(join(places.mirror, 'bonn', 'Z.zip'));
  expect(findRecording('bonn', places)).toBeNull(); // a folder is no recording
  expect(new TextDecoder().decode(readPublishedFile('bonn/Z.zip', places).bytes)).toBe('mirrored');
  expect(() => readPublishedFile('bonn/N.zip', places)).toThrow(
    `these recordings are not on this machine: bonn is neither part of this software nor in ${places.cache} and ${places.mirror}; 'vitalwire datasets fetch bonn' fetches it`,
  );
});
