import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeenSeqs } from './seen-seqs.ts';

test('within its bounds every seq is first exactly once, in whatever order and however often it comes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(80), { maxLength: 300 }), (seqs) => {
      const seen = new SeenSeqs();
      const known = new Set<number>();
      for (const seq of seqs) {
        expect(seen.has('r', seq)).toBe(known.has(seq));
        expect(seen.isFirst('r', seq)).toBe(!known.has(seq));
        known.add(seq);
      }
    }),
  );
});

test('it stays small: the oldest recording and the oldest ranges are forgotten', () => {
  const seen = new SeenSeqs({ maxRecordings: 2, maxRangesPerRecording: 3 });
  for (const recording of ['a', 'b', 'c']) seen.isFirst(recording, 0);
  expect(['a', 'b', 'c'].map((recording) => seen.has(recording, 0))).toEqual([false, true, true]);
  for (const seq of [10, 20, 30, 40]) seen.isFirst('c', seq);
  expect([0, 10, 20, 30, 40].map((seq) => seen.has('c', seq))).toEqual([false, false, true, true, true]);
});
