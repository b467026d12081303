import { expect, test } from 'vitest';
import { progressLine } from './fetch-view.ts';
import { bytesText } from './text.ts';

test('sizes are short and decimal', () => {
  expect([0, 999, 1_000, 42_400_000, 999_600_000, 43e9, 5e15].map(bytesText)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '42.4 MB',
    '1.0 GB',
    '43.0 GB',
    '5000 TB',
  ]);
});

test('the bar fills from nothing to all and never leaves its line', () => {
  const at = (filesDone: number, bytes: number, path = 'chb01/chb01_03.edf') =>
    progressLine({ path, state: 'reading', bytes, totalBytes: 1_000_000, filesDone, filesWanted: 4 }, 1_000_000, 3_100_000);
  expect(at(0, 0)).toBe('[................] 0/4 files · 3.1 MB/s · chb01/chb01_03.edf 0 % of 1.0 MB');
  expect(at(2, 500_000)).toContain('[##########......] 2/4');
  expect(at(3, 1_000_000)).toContain('[################]');
  for (const path of ['a', 'a/very/long/path/'.repeat(9)]) expect(at(3, 1_000_000, path).length).toBeLessThan(80);
});
