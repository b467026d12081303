import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accountFor, type Lost, type Stretch, spansOf } from './ledger.ts';
import { countOf, type SeqRange, toRanges } from './seq-ranges.ts';

const seqs = fc.uniqueArray(fc.nat(60), { maxLength: 40 });
const losses = fc.array(
  fc.record({
    fromSeq: fc.nat(60),
    length: fc.nat(10),
    reason: fc.constantFrom('evicted' as const, 'outbox-damaged' as const, 'unknown' as const),
  }),
  { maxLength: 5 },
);

test('every expected seq is in exactly one of stored, quarantined, declared lost and missing', () => {
  fc.assert(
    fc.property(seqs, seqs, losses, fc.option(fc.integer({ min: -1, max: 70 })), (stored, quarantined, lost, lastSeq) => {
      const account = accountFor({
        stored: rangesOf(stored),
        quarantined: rangesOf(quarantined),
        declared: lost.map(({ fromSeq, length, reason }) => ({ fromSeq, toSeq: fromSeq + length, reason })),
        lastSeq,
      });
      const parts = [account.stored, account.quarantined, account.declaredLost.map(({ range }) => range), account.missing];
      const all = parts.flatMap(expand);
      expect(new Set(all).size).toBe(all.length);
      expect(expand(account.stored)).toEqual([...stored].sort((a, b) => a - b));
      const highest = Math.max(-1, ...all);
      expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: highest + 1 }, (_item, index) => index));
      if (lastSeq !== null) expect(highest).toBeGreaterThanOrEqual(lastSeq);
      for (const { range } of account.declaredLost) for (const seq of expand([range])) expect(stored).not.toContain(seq);
    }),
  );
});

test('a recording without an end is open, never complete; with one it is complete exactly when all of it is stored', () => {
  fc.assert(
    fc.property(seqs, fc.integer({ min: -1, max: 60 }), (stored, lastSeq) => {
      const facts = { stored: rangesOf(stored), quarantined: [], declared: [] };
      expect(accountFor({ ...facts, lastSeq: null }).state).toBe('open');
      const isWhole = Array.from({ length: Math.max(lastSeq, ...stored, -1) + 1 }, (_item, seq) => seq).every((seq) =>
        stored.includes(seq),
      );
      expect(accountFor({ ...facts, lastSeq }).state).toBe(isWhole ? 'complete' : 'incomplete');
    }),
  );
});

test('what arrived after all beats a declared loss, and a loss of unknown end goes up to the last seq', () => {
  const account = accountFor({
    stored: [{ from: 0, to: 4 }],
    quarantined: [],
    declared: [{ fromSeq: 3, toSeq: null, reason: 'evicted' }],
    lastSeq: 9,
  });
  expect(account.declaredLost).toEqual([{ range: { from: 5, to: 9 }, reason: 'evicted' }]);
  expect(account.missing).toEqual([]);
});

const stretches = fc.array(
  fc
    .tuple(fc.integer({ min: -20, max: 220 }), fc.integer({ min: 1, max: 60 }))
    .map(([fromUs, length]): Stretch => ({ fromUs, toUs: fromUs + length })),
  { maxLength: 8 },
);
const reasons = fc.constantFrom('agent-down' as const, 'device-off' as const, 'stopped' as const, null);

test('spans cover the time asked for without a hole or an overlap, and each moment is what the facts say', () => {
  fc.assert(
    fc.property(
      stretches,
      fc.array(fc.tuple(stretches, reasons), { maxLength: 3 }),
      fc.nat(200),
      fc.nat(200),
      (recorded, lostGroups, a, b) => {
        const [fromUs, toUs] = [Math.min(a, b), Math.max(a, b)];
        const lost: Lost[] = lostGroups.flatMap(([group, reason]) => group.map((stretch) => ({ ...stretch, reason })));
        const spans = spansOf({ recorded, lost }, fromUs, toUs);
        let at = fromUs;
        for (const [index, span] of spans.entries()) {
          expect(span.fromUs).toBe(at);
          expect(span.toUs).toBeGreaterThan(span.fromUs);
          at = span.toUs;
          const before = spans[index - 1];
          if (before !== undefined) expect([before.state, before.reason]).not.toEqual([span.state, span.reason]);
        }
        expect(at).toBe(toUs);
        for (let moment = fromUs; moment < toUs; moment += 1) {
          const span = spans.find((one) => one.fromUs <= moment && moment < one.toUs);
          const isRecorded = recorded.some((one) => one.fromUs <= moment && moment < one.toUs);
          const why = lost.find((one) => one.reason !== null && one.fromUs <= moment && moment < one.toUs)?.reason ?? null;
          expect(span).toMatchObject(isRecorded ? { state: 'recorded', reason: null } : { state: 'not-recorded', reason: why });
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('an empty time has no spans', () => {
  expect(spansOf({ recorded: [], lost: [] }, 5, 5)).toEqual([]);
});

function rangesOf(numbers: readonly number[]): SeqRange[] {
  const ranges = toRanges([...numbers].sort((a, b) => a - b));
  expect(countOf(ranges)).toBe(numbers.length);
  return ranges;
}

function expand(ranges: readonly SeqRange[]): number[] {
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_item, index) => from + index));
}
