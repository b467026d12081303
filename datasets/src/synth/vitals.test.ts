import { createHash } from 'node:crypto';
import { numericStreams } from '@vitalwire/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SourceReading } from '../signal-source.ts';
import { openSyntheticPatient } from './synthetic-patient.ts';

const withSeizure = openSyntheticPatient({
  seed: 9,
  channels: 1,
  durationS: 600,
  artefacts: 'none',
  seizures: [{ onsetS: 300, durationS: 40 }],
});

test('the heart beats with the breath, and faster in a seizure', async () => {
  const readings = await withSeizure.numeric('heart-rate', 0, 600e6);
  expect(readings.length).toBe(600);
  const mean = (fromS: number, toS: number) => meanOf(readings, fromS, toS);
  expect(mean(0, 290)).toBeGreaterThan(55);
  expect(mean(0, 290)).toBeLessThan(85);
  expect(mean(325, 340)).toBeGreaterThan(mean(0, 290) + 30);
  expect(mean(580, 600)).toBeLessThan(mean(0, 290) + 12);
  expect(new Set(readings.slice(0, 60).map(({ value }) => value)).size).toBeGreaterThan(3);
});

test('oxygen falls a little in a seizure and comes back, breath is faster after it', async () => {
  const oxygen = await withSeizure.numeric('spo2', 0, 600e6);
  const breath = await withSeizure.numeric('respiratory-rate', 0, 600e6);
  expect(meanOf(oxygen, 330, 340)).toBeLessThan(meanOf(oxygen, 0, 290) - 1.5);
  expect(meanOf(oxygen, 500, 600)).toBeGreaterThan(meanOf(oxygen, 330, 340) + 1);
  expect(meanOf(breath, 330, 345)).toBeGreaterThan(meanOf(breath, 0, 290) + 2);
});

test('the numbers of every seed stay those of a person who needs no help, second for second, and change slowly', async () => {
  const bounds = { spo2: [95, 99], 'respiratory-rate': [12, 20] } as const;
  await fc.assert(
    fc.asyncProperty(fc.nat(2 ** 31 - 1), fc.constantFrom('spo2' as const, 'respiratory-rate' as const), async (seed, stream) => {
      const calm = openSyntheticPatient({ seed, channels: 1, durationS: 1_200, seizures: 0, artefacts: 'none' });
      const seizing = openSyntheticPatient({ seed, channels: 1, durationS: 1_200, seizures: 20, artefacts: 'none' });
      const [least, most] = bounds[stream];
      for (const patient of [calm, seizing]) {
        const readings = await patient.numeric(stream, 0, 1_200e6);
        expect(readings.map(({ atUs }) => atUs)).toEqual(Array.from({ length: 1_200 }, (_, second) => second * 1e6));
        const values = readings.map(({ value }) => value);
        expect(values.every(Number.isInteger)).toBe(true);
        expect(Math.min(...values)).toBeGreaterThanOrEqual(patient === seizing && stream === 'spo2' ? 92 : least);
        expect(Math.max(...values)).toBeLessThanOrEqual(most);
        expect(values.every((value, second) => Math.abs(value - (values[second - 1] ?? value)) <= 1)).toBe(true);
      }
    }),
    { numRuns: 40 },
  );
});

test('any pieces of time give each reading once, of every vital it names and of no other', async () => {
  expect(withSeizure.vitals.map(({ stream }) => stream)).toEqual(['heart-rate', 'spo2', 'respiratory-rate']);
  for (const stream of numericStreams) {
    const readings = await withSeizure.numeric(stream, 0, 600e6);
    expect(readings.length).toBe(withSeizure.vitals.some((vital) => vital.stream === stream) ? 600 : 0);
    const cut = [];
    for (let at = 0; at < 600e6; at += 7_300_001) cut.push(...(await withSeizure.numeric(stream, at, at + 7_300_001)));
    expect(cut).toEqual(readings);
  }
});

test('the numbers of a seed are pinned: what was replayed once is replayed again, whatever vitals are added', async () => {
  const patient = openSyntheticPatient({ seed: 1, channels: 1, durationS: 1_800 });
  const digests: Record<string, string> = {};
  for (const { stream } of patient.vitals) {
    const lines = (await patient.numeric(stream, 0, 1_800e6)).map(({ atUs, value }) => `${atUs} ${value}\n`);
    digests[stream] = createHash('sha256').update(lines.join('')).digest('hex');
  }
  expect(digests).toMatchInlineSnapshot(`
    {
      "heart-rate": "735891c71a1646f7a68f2776644c402c0ab94cf917987d615a5699fea6cb7779",
      "respiratory-rate": "7560831dbcd80c62c454d8112cce711fa9422acaeb82755109473d605af65911",
      "spo2": "4279a69b8f0156141a58991d7d6b923803ccb1fa70ee4b83eb11d567658a5c6f",
    }
  `);
});

function meanOf(readings: readonly SourceReading[], fromS: number, toS: number): number {
  const part = readings.filter(({ atUs }) => atUs >= fromS * 1e6 && atUs < toS * 1e6);
  return part.reduce((sum, { value }) => sum + value, 0) / part.length;
}
