import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChannelScale, hashMontage } from '@vitalwire/contract';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Montages } from './montages.ts';

let dir: string;
const warnings: string[] = [];
const log = { warn: (_: object, message: string) => void warnings.push(message) } as unknown as ConstructorParameters<typeof Montages>[1];
const montage = (label: string): ChannelScale[] => [
  { label, unit: 'uV', digitalMin: -2048, digitalMax: 2047, physicalMin: -0.1, physicalMax: 800.3, reference: '' },
];

beforeEach(() => {
  dir = tempDir('vw-montages-');
  warnings.length = 0;
});
afterEach(() => removeTempDir(dir));

test('a montage is found again by the hash its chunks carry, also in the next run', async () => {
  const first = new Montages(dir, log);
  await first.load();
  first.add(montage('Fz'));
  await first.saved();
  const second = new Montages(dir, log);
  await second.load();
  expect(second.get(hashMontage(montage('Fz')))).toEqual(montage('Fz'));
  expect(second.get(hashMontage(montage('Cz')))).toBeUndefined();
  expect(readdirSync(dir)).toEqual(['montages.json']);
  expect(warnings).toEqual([]);
});

test('the one unused for longest goes when there are too many', () => {
  const montages = new Montages('', log);
  for (let index = 0; index < 300; index++) {
    montages.add(montage(String(index)));
    montages.add(montage('kept'));
  }
  expect(montages.size).toBe(256);
  expect(montages.get(hashMontage(montage('kept')))).toBeDefined();
  expect(montages.get(hashMontage(montage('0')))).toBeUndefined();
});

test.each(['', '{', '[[{"label":1}]]'])('a damaged file (%j) costs a warning, not the start', async (text) => {
  writeFileSync(join(dir, 'montages.json'), text);
  const montages = new Montages(dir, log);
  await montages.load();
  expect(warnings).toHaveLength(1);
  montages.add(montage('Fz'));
  await montages.saved();
  expect(montages.size).toBe(1);
});

test('a disk that cannot be written costs a warning, not the scoring', async () => {
  writeFileSync(join(dir, 'file'), '');
  const montages = new Montages(join(dir, 'file'), log);
  montages.add(montage('Fz'));
  await montages.saved();
  expect(montages.size).toBe(1);
  expect(warnings).toHaveLength(1);
});
