import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coveredByReadings, readingValidityUs } from './reading-times.ts';

const s = 1_000_000;
const phone = (...seconds: number[]) => coveredByReadings(seconds.map((at) => ({ atUs: at * s, kind: 'phone' as const })));

test('a reading covers the time to the next one, or as much as the one before did, and never more than its validity', () => {
  expect(phone(100)).toEqual([{ fromUs: 100 * s, toUs: 160 * s }]);
  expect(phone(100, 130)).toEqual([{ fromUs: 100 * s, toUs: 160 * s }]);
  expect(phone(0, 1, 2, 3)).toEqual([{ fromUs: 0, toUs: 4 * s }]);
  expect(phone(0, 300, 600)).toEqual([0, 300, 600].map((at) => ({ fromUs: at * s, toUs: (at + 60) * s })));
  expect(phone(5, 5)).toEqual([{ fromUs: 5 * s, toUs: 65 * s }]); // two sources at one instant
  expect(coveredByReadings([])).toEqual([]);
});

test('what readings cover is never more than their number times their validity, and each lies in it', () => {
  const times = fc.array(fc.tuple(fc.nat(2_000_000_000), fc.constantFrom('ecg' as const, 'optical' as const, 'phone' as const)), {
    maxLength: 50,
  });
  fc.assert(
    fc.property(times, (made) => {
      const readings = made.map(([atUs, kind]) => ({ atUs, kind })).sort((a, b) => a.atUs - b.atUs);
      const covered = coveredByReadings(readings);
      const most = readings.reduce((sum, { kind }) => sum + readingValidityUs[kind], 0);
      expect(covered.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0)).toBeLessThanOrEqual(most);
      for (const { atUs } of readings) expect(covered.some(({ fromUs, toUs }) => fromUs <= atUs && atUs < toUs)).toBe(true);
      for (const [index, { fromUs }] of covered.entries()) expect(fromUs).toBeGreaterThanOrEqual(covered[index - 1]?.toUs ?? fromUs);
    }),
  );
});
