import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalize } from './seq-ranges.ts';
import { wholeWindows } from './unscored.ts';

test('a window is scorable exactly when every one of its samples is in one stored range', () => {
  const samples = fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 80 })), { maxLength: 6 });
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (raw, window, hop) => {
      const ranges = normalize(raw.map(([from, length]) => ({ from, to: from + length - 1 })));
      const windows = wholeWindows(ranges, window, hop);
      for (let index = 0; index * hop < 420; index += 1) {
        const [first, last] = [index * hop, index * hop + window - 1];
        const isWhole = ranges.some(({ from, to }) => from <= first && last <= to);
        expect(windows.some(({ from, to }) => from <= index && index <= to)).toBe(isWhole);
      }
    }),
  );
});
