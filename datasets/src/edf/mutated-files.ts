import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatasetError } from '../dataset-error.ts';
import { openSource } from '../open-source.ts';
import { integerBetween, type Random, seededRandom } from '../seeded-random.ts';
import { validateSource } from '../validate-source.ts';
import { samplesOf } from '../wanted-channels.ts';

// For tests: damaged copies of whole files, made from a seed, and what became of reading them.

/** Files that differ in what they are made of: of ours, by `makeRecordings`, and of the collection in a mirror's edf/. */
export const originals = {
  made: ['two-rates.edf', 'interrupted.edf', 'same-label.edf', 'annotations.edf', 'mixed-rates.bdf', 'damaged/count-unknown.edf'],
  found: [
    'duplicate-labels-edfplusc.edf',
    'golden/edf-symmetric.edf',
    'golden/bdf-24bit.bdf',
    'chbmit-chb01_01-excerpt-edfplusd.edf',
    'sleep-edf-SC4001EC-hypnogram.edf',
    'damaged/record-count-minus-one.edf',
    'uneven-rates-plain.edf',
    'stim-channel-bdf.bdf',
  ],
} as const;

export type MutationTally = {
  readonly opened: number;
  readonly refused: number;
  readonly withProblems: number;
  readonly slowestCpuMs: number;
};

/** Reads `count` damaged copies of the originals whole. Anything thrown but a DatasetError comes out, with the seed and number that make the file again. */
export async function readMutated(files: readonly string[], seed: number, count: number): Promise<MutationTally> {
  const folder = mkdtempSync(join(tmpdir(), 'vitalwire-mutated-'));
  const sources = files.map((file) => readFileSync(file));
  const tally = { opened: 0, refused: 0, withProblems: 0, slowestCpuMs: 0 };
  try {
    for (let number = 0; number < count; number += 1) {
      const random = seededRandom(seed, number);
      const original = sources[number % sources.length] ?? Buffer.alloc(0);
      const path = join(folder, 'mutated.edf');
      writeFileSync(path, mutated(original, random));
      const begun = process.cpuUsage();
      try {
        tally.withProblems += (await readWhole(path)) > 0 ? 1 : 0;
        tally.opened += 1;
      } catch (error) {
        if (!(error instanceof DatasetError))
          throw new Error(`mutation ${number} of seed ${seed} (${files[number % files.length]})`, { cause: error });
        tally.refused += 1;
      }
      const { user, system } = process.cpuUsage(begun); // not the clock: a busy machine is no hang
      tally.slowestCpuMs = Math.max(tally.slowestCpuMs, (user + system) / 1000);
    }
    return tally;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Every sample, annotation and problem; what it tells of itself must hold. Returns how many problems there are. */
async function readWhole(path: string): Promise<number> {
  const source = await openSource(path, { format: 'edf' });
  try {
    for (const [index, group] of source.groups.entries()) {
      const samples = samplesOf(group);
      const last = Math.max(0, samples - 1);
      const arrays = await source.read(index, last, samples - last);
      if (arrays.some((values) => values.length !== samples - last)) throw new Error('fewer samples than told');
      for (const { digitalMin, digitalMax, physicalMin, physicalMax } of group.channels) {
        if (!(digitalMin < digitalMax) || physicalMin === physicalMax || !Number.isFinite(physicalMin) || !Number.isFinite(physicalMax)) {
          throw new Error('a scale that is none');
        }
      }
      if (!(group.rate.num > 0 && group.rate.den > 0)) throw new Error('a rate that is none');
      for (const [at, stretch] of group.stretches.entries()) {
        const before = group.stretches[at - 1];
        if (before !== undefined && stretch.onsetUs <= before.onsetUs) throw new Error('stretches out of order');
        if (!Number.isSafeInteger(stretch.onsetUs) || stretch.samples < 0) throw new Error('a stretch that is none');
      }
    }
    const annotations = await source.annotations();
    if (annotations.some(({ onsetUs }) => !Number.isSafeInteger(onsetUs))) throw new Error('an onset that is none');
    return (await validateSource(source)).length;
  } finally {
    await source.close();
  }
}

function mutated(original: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(original);
  const kinds = integerBetween(1, 3, random);
  for (let kind = 0; kind < kinds && bytes.length > 8; kind += 1)
    bytes = Buffer.from(mutations[integerBetween(0, mutations.length - 1, random)]?.(bytes, random) ?? bytes);
  return bytes;
}

type Mutation = (bytes: Buffer, random: Random) => Uint8Array;

const place = (bytes: Buffer, random: Random) => integerBetween(0, Math.max(0, bytes.length - 1), random);
const headerOf = (bytes: Buffer) => Math.max(1, Math.min(bytes.length, 256 * (1 + (Number(bytes.toString('latin1', 252, 256)) || 1))));

/** Numbers that headers should not have, in the width of most fields. */
const evilNumbers = [
  '-1',
  '0',
  '99999999',
  '-9999999',
  '1e9',
  '1e-30',
  'NaN',
  '        ',
  '0,5',
  '1.5',
  '00000000',
  '2147483648'.slice(0, 8),
  '65536',
  '+3',
  '0x10',
  '.',
  '-',
];

const mutations: readonly Mutation[] = [
  // one byte of the header, or of anything
  (bytes, random) => bytes.with(integerBetween(0, headerOf(bytes) - 1, random), integerBetween(0, 255, random)),
  (bytes, random) => bytes.with(place(bytes, random), integerBetween(0, 255, random)),
  // a number field of the header replaced
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    const number = evilNumbers[integerBetween(0, evilNumbers.length - 1, random)] ?? '';
    const at =
      random() < 0.5
        ? ([184, 236, 244, 252][integerBetween(0, 3, random)] ?? 236)
        : 256 + 8 * integerBetween(0, Math.max(1, Math.floor(headerOf(bytes) / 8) - 33), random);
    copy.write(number.padEnd(at === 252 ? 4 : 8).slice(0, at === 252 ? 4 : 8), Math.min(at, Math.max(0, copy.length - 8)), 'latin1');
    return copy;
  },
  // cut, also inside the header
  (bytes, random) => bytes.subarray(0, place(bytes, random)),
  (bytes, random) => bytes.subarray(0, Math.min(bytes.length, integerBetween(0, headerOf(bytes), random))),
  // bytes put in, taken out, or set to one value
  (bytes, random) => {
    const at = place(bytes, random);
    const more = Buffer.alloc(integerBetween(1, 600, random), integerBetween(0, 255, random));
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  (bytes, random) => {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + integerBetween(1, 600, random))]);
  },
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    const at = place(bytes, random);
    copy.fill(integerBetween(0, 255, random), at, Math.min(copy.length, at + integerBetween(1, 300, random)));
    return copy;
  },
  // the bytes that lists of annotations are made of, anywhere in the data
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    for (let hit = 0; hit < 20; hit += 1) {
      const at = integerBetween(Math.min(headerOf(copy), copy.length - 1), Math.max(0, copy.length - 1), random);
      if (at >= 0 && copy.length > 0) copy[at] = [0, 0x14, 0x15, 0x2b, 0x2d, 0x39, 0xff][integerBetween(0, 6, random)] ?? 0;
    }
    return copy;
  },
];
