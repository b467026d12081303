import { createHash } from 'node:crypto';
import { recordings } from '@vitalwire/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assembleBonnPatients, bonnEvents, samplesAt, seams, truthIntervals } from './patient.ts';
import { readBonnSegment } from './segments.ts';

const patients = assembleBonnPatients({ patients: 8, seed: 7 });
const rateHz = 173.61;
const bonn = recordings('bonn');

test.skipIf(!bonn.here)('the same seed gives the same bytes, another seed others', () => {
  const digest = (seed: number) => {
    const hash = createHash('sha256');
    for (const patient of assembleBonnPatients({ patients: 4, seed })) hash.update(new Uint8Array(samplesAt(patient, 0, 20_000).buffer));
    return hash.digest('hex');
  };
  expect(digest(7)).toBe(digest(7));
  expect(digest(7)).not.toBe(digest(8));
  // Pinned: replay and verify must agree across releases.
  expect(digest(7)).toMatchInlineSnapshot(`"97e16fb72061473b843595e601561d903c373fe92b7c0ae3c3968793e620d9b4"`);
});

test('whoever has ictal segments has a whole one that starts in the first 20 s, for any seed', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      for (const patient of assembleBonnPatients({ patients: 8, seed })) {
        const [first] = truthIntervals(patient, Math.floor(20 * rateHz));
        if (patient.electrodes === 'scalp') expect(first).toBeUndefined();
        else expect((first?.toSample ?? 0) - (first?.fromSample ?? 0)).toBe(4097);
      }
    }),
  );
});

test('most patients are of the kind that has seizures, and no patient mixes electrode kinds', () => {
  expect(patients.filter((patient) => patient.electrodes === 'intracranial').length).toBe(6);
  for (const patient of patients) expect(new Set(patient.pieces.map((piece) => piece.electrodes))).toEqual(new Set([patient.electrodes]));
});

test('only held-out segments are used, each at most once per loop, and patients differ in their first seizure', () => {
  for (const patient of patients) {
    for (const piece of patient.pieces) expect(piece.number).toBeGreaterThanOrEqual(65);
    expect(new Set(patient.pieces.map((piece) => piece.name)).size).toBe(patient.pieces.length);
  }
  const firsts = patients.flatMap((patient) => patient.pieces.find((piece) => piece.ictal)?.name ?? []);
  expect(new Set(firsts).size).toBe(firsts.length);
});

test('no two ictal segments touch, not even where the loop starts again', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      for (const patient of assembleBonnPatients({ patients: 3, seed })) {
        const truth = truthIntervals(patient, 3 * patient.loopSamples);
        for (const [index, interval] of truth.entries()) {
          const next = truth[index + 1];
          if (next !== undefined) expect(next.fromSample).toBeGreaterThan(interval.toSample);
        }
      }
    }),
  );
});

test.skipIf(!bonn.here)('samples read in any pieces are the samples read at once, also across the end of the loop', () => {
  fc.assert(
    fc.property(fc.nat(7), fc.nat(200_000), fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 8 }), (which, from, counts) => {
      const patient = patients[which];
      if (patient === undefined) throw new Error('eight patients');
      let at = from;
      const parts = counts.flatMap((count) => {
        at += count;
        return [...samplesAt(patient, at - count, count)];
      });
      expect(parts).toEqual([...samplesAt(patient, from, at - from)]);
    }),
  );
});

test.skipIf(!bonn.here)('samples inside a seizure are those of the published ictal segment', () => {
  for (const patient of patients) {
    for (const { fromSample, toSample, segment } of truthIntervals(patient, 2 * patient.loopSamples)) {
      expect(segment[0]).toBe('S');
      expect(samplesAt(patient, fromSample, toSample - fromSample)).toEqual(readBonnSegment('S', Number(segment.slice(1))));
    }
  }
});

test('events come once each however time is cut, and every loop is announced', () => {
  for (const patient of patients) {
    const until = 2 * patient.loopSamples + 10;
    const whole = bonnEvents(patient, 0, until);
    const cut = [];
    for (let at = 0; at < until; at += 1009) cut.push(...bonnEvents(patient, at, Math.min(at + 1009, until)));
    expect(cut).toEqual(whole);
    expect(whole.filter((event) => event.type === 'replay-loop').map((event) => event.atSample)).toEqual([
      patient.loopSamples,
      2 * patient.loopSamples,
    ]);
    expect(whole.filter((event) => event.type === 'segment').map((event) => event.atSample)).toEqual([0, ...seams(patient, until)]);
  }
});
