import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inReads } from './catch-up.ts';
import { splitMessages } from './storage-queries.ts';

test('reads cover every wanted window once, in bounded pieces', () => {
  const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 1500 })), { maxLength: 8 });
  fc.assert(
    fc.property(gaps, (steps) => {
      let at = 0;
      const ranges = steps.map(([gap, length]) => {
        const fromWindow = at + gap;
        at = fromWindow + length;
        return { fromWindow, toWindow: at - 1 };
      });
      const reads = inReads(ranges);
      for (const { fromWindow, toWindow } of reads) expect(toWindow - fromWindow).toBeLessThan(500);
      for (const { fromWindow, toWindow } of ranges) {
        for (let window = fromWindow; window <= toWindow; window += 7) {
          expect(reads.filter((read) => window >= read.fromWindow && window <= read.toWindow)).toHaveLength(1);
        }
      }
    }),
  );
});

test('ranges that lie close are read as one', () => {
  expect(
    inReads([
      { fromWindow: 1, toWindow: 2 },
      { fromWindow: 20, toWindow: 30 },
      { fromWindow: 100, toWindow: 101 },
    ]),
  ).toEqual([
    { fromWindow: 1, toWindow: 30 },
    { fromWindow: 100, toWindow: 101 },
  ]);
});

test('a page of messages comes apart, and a cut tail is left out', () => {
  const page = Uint8Array.of(0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2);
  expect(splitMessages(page)).toEqual([Uint8Array.of(7, 8), new Uint8Array(0)]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => splitMessages(bytes).every((message) => message.length <= bytes.length)),
  );
});
