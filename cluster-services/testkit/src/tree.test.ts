import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { madeByUs } from './made-by-us.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Formats of recordings, of what accompanies them, of archives, and of tables. */
const endings =
  /\.(edf|bdf|gdf|rec|cnt|eeg|vhdr|vmrk|set|fdt|fif|mat|dat|hea|atr|seizures|tse|lbl|csv(_bi)?|tsv|txt|npy|npz|h5|hdf5|parquet|wav|xdf|zip|gz|bz2|xz|zst|7z|rar|tar|tgz|bin|hex|jsonl|sqlite|db)$/i;
/** Documents of the repository itself. */
const documents = /(^|\/)(package-lock|package|tsconfig[^/]*|biome|\.oxlintrc)\.json$/;
const LARGE_JSON_BYTES = 4_096;

/** Why a file looks as if somebody else may have recorded or made it; null if it does not. */
function suspicion(name: string, bytes: Buffer): string | null {
  if (endings.test(name)) return 'its ending is that of a recording, an archive or a table';
  const start = bytes.subarray(0, 262);
  if (start.toString('latin1', 0, 8) === '0       ' || (start[0] === 0xff && start.toString('latin1', 1, 8) === 'BIOSEMI'))
    return 'it begins like EDF or BDF';
  if (
    ['504b0304', '1f8b08', '425a68', 'fd377a58', '28b52ffd', '377abcaf', '53514c69'].some((magic) =>
      start.toString('hex').startsWith(magic),
    )
  )
    return 'it begins like an archive or a database';
  if (start.toString('latin1', 257, 262) === 'ustar') return 'it begins like an archive';
  if (name.endsWith('.json') && !documents.test(name)) {
    if (bytes.length > LARGE_JSON_BYTES) return 'it is a large file of JSON';
    if (/"metrics"\s*:/.test(bytes.toString('utf8'))) return 'it is the payload of a phone';
  }
  if (/\.(ts|tsx|js|py)$/.test(name) && /(?:-?\d+\s*,\s*){400}/.test(bytes.toString('latin1')))
    return 'it holds hundreds of numbers in a row';
  return null;
}

const listed = Object.keys(madeByUs);
const isListed = (name: string, one: string): boolean => (one.endsWith('/') ? name.startsWith(one) : name === one);

const tracked = existsSync(path.join(root, '.git'))
  ? execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).split('\0')
  : [];
const files = tracked.filter((name) => name !== '' && existsSync(path.join(root, name)));

test.skipIf(files.length === 0)(
  'nothing in the tree was recorded or made by others: what looks like it is listed with how we made it',
  () => {
    const found = files.flatMap((name) => {
      const why = suspicion(name, readFileSync(path.join(root, name)));
      return why === null || listed.some((one) => isListed(name, one)) ? [] : [`${name}: ${why}`];
    });
    expect(found).toEqual([]);
    expect(listed.filter((one) => !files.some((name) => isListed(name, one)))).toEqual([]); // nothing is listed that is gone
    expect(files.filter((name) => name.startsWith('datasets/data/'))).toEqual([]);
  },
);

test('a recording is recognised by what it holds, whatever it is called', () => {
  expect(suspicion('a/night.edf', Buffer.from('x'))).toMatch(/ending/);
  expect(suspicion('a/night', Buffer.from(`0       ${' '.repeat(300)}`))).toMatch(/EDF/);
  expect(suspicion('a/night', Buffer.concat([Buffer.from([0xff]), Buffer.from('BIOSEMI')]))).toMatch(/BDF/);
  expect(suspicion('a/notes.md', Buffer.from('504b030414', 'hex'))).toMatch(/archive/);
  expect(suspicion('a/body.json', Buffer.from('{"data":{"metrics":[]}}'))).toMatch(/phone/);
  expect(suspicion('a/samples.ts', Buffer.from(`export const s = [${'12, '.repeat(500)}]`))).toMatch(/numbers/);
  expect(suspicion('a/code.ts', Buffer.from('export const one = 1;'))).toBeNull();
});
