import { expect, test } from 'vitest';
import { chooseSources } from './choose-sources.ts';
import { demoPatient } from './demo-patients.ts';
import { openSpec, SynthSettings } from './source-spec.ts';

const choose = (words: readonly string[], patients?: number) => chooseSources({ words, patients, seed: 3, synth: {}, endS: undefined });

test('of eight patients two have 19 channels, one of them focal seizures; one has none; all seize in the first 20 s but that one', () => {
  const patients = Array.from({ length: 8 }, (_, index) => demoPatient(1, index));
  expect(patients.map(({ channels }) => (typeof channels === 'number' ? channels : channels?.length))).toEqual([19, 19, 1, 1, 1, 1, 1, 1]);
  const seizures = patients.map((patient) => (Array.isArray(patient.seizures) ? patient.seizures : []));
  expect(seizures.map((list) => list.some(({ focus }) => focus !== undefined))).toEqual([false, true, ...Array(6).fill(false)]);
  for (const [index, list] of seizures.entries()) {
    if (index === 3) expect(list).toEqual([]);
    else {
      expect(list[0]?.onsetS).toBeGreaterThanOrEqual(8);
      expect(list[0]?.onsetS).toBeLessThanOrEqual(15);
      expect(list.length).toBeGreaterThan(5);
    }
  }
  expect(demoPatient(1, 2)).toEqual(demoPatient(1, 2));
  expect(demoPatient(2, 2)).not.toEqual(demoPatient(1, 2));
});

test('every patient of any seed can be opened, and is nobody', async () => {
  for (let seed = 0; seed < 20; seed++) {
    for (let index = 0; index < 8; index++) {
      const source = await openSpec({ kind: 'synth', settings: SynthSettings.parse(demoPatient(seed, index)) });
      expect(source.synthetic).toBe(true);
      await source.close();
    }
  }
});

test('built-in sources beside each other share the patients; alone each has its usual number', async () => {
  expect((await choose(['demo', 'bonn'], 8)).map(({ kind }) => kind)).toEqual([...Array(4).fill('synth'), ...Array(4).fill('bonn')]);
  expect((await choose(['demo', 'bonn'], 5)).map(({ kind }) => kind)).toEqual([...Array(3).fill('synth'), ...Array(2).fill('bonn')]);
  expect(await choose(['demo'])).toHaveLength(8);
  expect(await choose(['synth'])).toHaveLength(1);
  await expect(choose(['bonn', './bonn'])).rejects.toThrow(/'bonn' does not go with '\.\/bonn'/);
});
