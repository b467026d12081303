import { LOOKBACK_HOPS } from '@vitalwire/detector';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inRuns } from './catch-up.ts';
import { splitMessages } from './storage-queries.ts';

test('runs cover every wanted window once, in order', () => {
  const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 1500 })), { maxLength: 8 });
  fc.assert(
    fc.property(gaps, (steps) => {
      let at = 0;
      const ranges = steps.map(([gap, length]) => {
        const fromWindow = at + gap;
        at = fromWindow + length;
        return { fromWindow, toWindow: at - 1 };
      });
      const runs = inRuns(ranges);
      for (const { fromWindow, toWindow } of ranges) {
        for (let window = fromWindow; window <= toWindow; window += 97) {
          expect(runs.filter((run) => window >= run.fromWindow && window <= run.toWindow)).toHaveLength(1);
        }
      }
      for (const [index, run] of runs.entries())
        if (index > 0) expect(run.fromWindow).toBeGreaterThan((runs[index - 1]?.toWindow ?? 0) + LOOKBACK_HOPS);
    }),
  );
});

test('ranges are read as one where looking back for the second would read the first again', () => {
  expect(
    inRuns([
      { fromWindow: 1, toWindow: 2 },
      { fromWindow: 300, toWindow: 301 },
      { fromWindow: 900, toWindow: 901 },
    ]),
  ).toEqual([
    { fromWindow: 1, toWindow: 301 },
    { fromWindow: 900, toWindow: 901 },
  ]);
});

test('a page of messages comes apart, and a cut tail is left out', () => {
  const page = Uint8Array.of(0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2);
  expect(splitMessages(page)).toEqual([Uint8Array.of(7, 8), new Uint8Array(0)]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => splitMessages(bytes).every((message) => message.length <= bytes.length)),
  );
});
