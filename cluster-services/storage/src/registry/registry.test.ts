import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign, patientAt } from './registry.ts';

const put = fc.record({
  patient: fc.constantFrom('p1', 'p2', 'p3'),
  fromUs: fc.nat(50),
  length: fc.option(fc.integer({ min: 1, max: 30 })),
});

test('after any assignments a device is at each moment worn by whom the latest one about that moment says', () => {
  fc.assert(
    fc.property(fc.array(put, { maxLength: 8 }), (puts) => {
      let assignments: { device: string; patient: string; fromUs: number; toUs: number | null }[] = [];
      const worn: (string | null)[] = Array.from({ length: 100 }, () => null);
      for (const { patient, fromUs, length } of puts) {
        const toUs = length === null ? null : fromUs + length;
        // The same begin replaces what was there: until when the one before lasted no longer counts.
        const replaced = assignments.find((one) => one.fromUs === fromUs);
        if (replaced !== undefined) worn.fill(null, replaced.fromUs, replaced.toUs ?? 100);
        worn.fill(patient, fromUs, toUs ?? 100);
        assignments = assign(assignments, { device: 'd', patient, fromUs, toUs });
      }
      expect(Array.from({ length: 100 }, (_item, atUs) => patientAt(assignments, 'd', atUs))).toEqual(worn);
      for (const [index, one] of assignments.entries()) {
        const next = assignments[index + 1];
        if (next !== undefined) expect(one.toUs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(next.fromUs);
      }
    }),
  );
});

test('an assignment is ended by putting it again with its end', () => {
  const open = assign([], { device: 'd', patient: 'p', fromUs: 10, toUs: null });
  expect(assign(open, { device: 'd', patient: 'p', fromUs: 10, toUs: 20 })).toEqual([{ device: 'd', patient: 'p', fromUs: 10, toUs: 20 }]);
  expect(patientAt(open, 'other', 15)).toBeNull();
});
