import { expect, test } from 'vitest';
import { ChunksQuery, LatestQuery, LedgerQuery, RecordingsQuery, SamplesQuery, UnscoredQuery } from './recordings.ts';
import { AssignmentPut, DevicePut, PatientPut, Registry } from './registry.ts';

// Query strings bring text: what is left out gets its default, what is wrong is refused, nothing is ignored.

test('numbers of a query are read, defaulted and bounded', () => {
  expect(ChunksQuery.parse({})).toEqual({ fromSeq: 0, limit: 100 });
  expect(ChunksQuery.parse({ fromSeq: '12', limit: '500' })).toEqual({ fromSeq: 12, limit: 500 });
  expect(SamplesQuery.parse({ fromUs: '1763800000250000', points: '10000' })).toEqual({ fromUs: 1_763_800_000_250_000, points: 10_000 });
  for (const query of [{ limit: '501' }, { limit: '0' }, { fromSeq: '-1' }, { fromSeq: '1.5' }, { fromSeq: 'x' }, { from: '1' }])
    expect(ChunksQuery.safeParse(query).success).toBe(false);
  expect(SamplesQuery.safeParse({ fromUs: '9007199254740993' }).success).toBe(false); // would be rounded
});

test('a query names what it is about, once', () => {
  const recording = '019aaaac-2600-7102-8304-0506e11eea07';
  expect(LedgerQuery.safeParse({ recording }).success).toBe(true);
  expect(LedgerQuery.safeParse({ recording, device: 'd' }).success).toBe(false);
  expect(LedgerQuery.safeParse({}).success).toBe(false);
  expect(LatestQuery.safeParse({}).success).toBe(true);
  expect(LatestQuery.safeParse({ patient: 'p', device: 'd' }).success).toBe(false);
  expect(RecordingsQuery.safeParse({ stream: 'gap' }).success).toBe(false);
  expect(UnscoredQuery.safeParse({ model: 'ab', window: '178', hop: '0' }).success).toBe(false);
});

test('the registry refuses what it could not keep', () => {
  expect(PatientPut.safeParse({ label: 'x'.repeat(41) }).success).toBe(false);
  expect(PatientPut.safeParse({ name: 'x' }).success).toBe(false);
  expect(DevicePut.safeParse({ kind: 'toaster' }).success).toBe(false);
  expect(AssignmentPut.safeParse({ device: 'd', patient: 'p', fromUs: 5, toUs: 5 }).success).toBe(false);
  expect(AssignmentPut.safeParse({ device: 'd', patient: 'p', fromUs: 5, toUs: null }).success).toBe(true);
  expect(Registry.safeParse({ revision: 1, patients: [], devices: [], assignments: [], later: true }).success).toBe(true); // answers may grow
});
