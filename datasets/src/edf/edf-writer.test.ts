import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { madeWhole, makeRecordings, recordings } from '@vitalwire/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memorySource } from '../memory-source.ts';
import { openSource } from '../open-source.ts';
import type { SignalSource, SourceAnnotation, Stretch } from '../signal-source.ts';
import { openSyntheticPatient } from '../synth/synthetic-patient.ts';
import { samplesOf } from '../wanted-channels.ts';
import { writeEdf } from './edf-writer.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-write-'));
afterAll(() => rmSync(work, { recursive: true }));

let files = 0;
async function writtenAndRead<T>(
  source: SignalSource,
  look: (back: SignalSource, format: string, path: string) => Promise<T>,
  format?: 'edf' | 'bdf',
) {
  files += 1;
  const path = join(work, `${files}.edf`);
  const written = await writeEdf(path, source, format === undefined ? {} : { format });
  const back = await openSource(path, { sideCars: false });
  try {
    return await look(back, written.format, path);
  } finally {
    await back.close();
    rmSync(path);
  }
}

/** Everything a source tells but its name. */
async function contentOf(source: SignalSource) {
  const samples = [];
  for (const [group, one] of source.groups.entries()) samples.push((await source.read(group, 0, samplesOf(one))).map(sha256Of));
  return {
    startedAtUs: source.startedAtUs,
    durationUs: source.durationUs,
    groups: source.groups.map(({ rate, sampleBits, channels, stretches }) => ({ rate, sampleBits, channels, stretches })),
    annotations: await source.annotations(),
    problems: source.problems,
    samples,
  };
}

function sha256Of(values: Int32Array): string {
  return createHash('sha256').update(values).digest('hex');
}

const writtenAgain = async (file: string) => {
  const source = await openSource(file, { sideCars: false });
  const format = file.endsWith('.bdf') ? 'bdf' : 'edf';
  await writtenAndRead(source, async (back) => expect(await contentOf(back)).toEqual(await contentOf(source)), format);
  await source.close();
};

describe('every whole file we made, read and written again, reads back identically', () => {
  const folder = join(work, 'made');
  beforeAll(() => makeRecordings(folder));
  test.each(madeWhole)('%s', (name) => writtenAgain(join(folder, name)));
});

const collection = recordings('edf');
describe.skipIf(!collection.here)('every whole file of the collection, written by us, reads back identically', () => {
  const names = collection.here
    ? readdirSync(collection.file('.'), { recursive: true, encoding: 'utf8' }).filter(
        (name) => /\.[eb]df$/.test(name) && !name.startsWith('damaged'),
      )
    : ['the collection'];
  test.each(names)('%s', (name) => writtenAgain(collection.file(name)));
});

test('a signal of 173.61 Hz, a rate that fits no short record, reads back to the sample', async () => {
  const source = openSyntheticPatient({ seed: 3, channels: 1, rate: { num: 17361, den: 100 }, durationS: 23.6, seizures: 0 });
  await writtenAndRead(source, async (back, format) => {
    expect(format).toBe('EDF+C');
    const { durationUs, groups, samples } = await contentOf(back);
    expect({ durationUs, groups }).toMatchObject({
      durationUs: source.durationUs,
      groups: source.groups.map(({ rate, stretches }) => ({ rate, stretches })),
    });
    expect(samples).toEqual((await contentOf(source)).samples);
  });
});

const rate = fc.constantFrom(
  { num: 256, den: 1 },
  { num: 200, den: 1 },
  { num: 17361, den: 100 },
  { num: 64, den: 5 },
  { num: 1, den: 1 },
  { num: 1000, den: 3 },
);
const channel = fc.record({
  label: fc.constantFrom('Fp1', 'EEG F3-Ref', 'T8-P8', 'Status'),
  unit: fc.constantFrom('uV', 'mV', ''),
  digitalMin: fc.constantFrom(-32768, -2048, 0),
  digitalMax: fc.constantFrom(100, 2047, 32767),
  physicalMin: fc.constantFrom(-3276.8, 0, 187.5),
  physicalMax: fc.constantFrom(-10, 200, 3276.7),
  reference: fc.constant(''),
});
const words = fc
  .string({ unit: fc.constantFrom('a', 'Z', '7', ' ', 'é', '中', '@', '-'), minLength: 1, maxLength: 20 })
  .filter((text) => !text.includes('@@') && text.at(-1) !== '@' && text[0] !== '@');
const annotation = fc.record({
  onsetUs: fc.integer({ min: -5_000_000, max: 20_000_000 }),
  durationUs: fc.option(fc.integer({ min: 0, max: 60_000_000 })),
  text: words,
  channels: fc.subarray(['Fp1', 'T8-P8']),
});

/** Random stretches of whole or broken seconds with gaps of at least what a record lasts. */
const recording = fc.record({
  rates: fc.uniqueArray(rate, { minLength: 1, maxLength: 2, selector: ({ num, den }) => num / den }),
  wide: fc.boolean(),
  channels: fc.array(channel, { minLength: 1, maxLength: 3 }),
  startedAtUs: fc.option(fc.integer({ min: 946_684_800, max: 3_600_000_000 }).map((second) => second * 1e6)),
  firstOnsetUs: fc.integer({ min: 0, max: 999_999 }),
  seconds: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
  extra: fc.nat(40), // samples beyond whole seconds, when there is one group
  annotations: fc.array(annotation, { maxLength: 12 }),
  seed: fc.nat(),
});

test('any source reads back identically: samples, scales, gaps, times and annotations', async () => {
  await fc.assert(
    fc.asyncProperty(recording, async (made) => {
      const source = sourceOf(made);
      await writtenAndRead(source, async (back, format) => {
        expect(format.endsWith(made.seconds.length > 1 ? 'D' : 'C')).toBe(true);
        expect(await contentOf(back)).toEqual(await contentOf(source));
      });
    }),
    { numRuns: 120 },
  );
}, 60_000);

function sourceOf(made: typeof recording extends fc.Arbitrary<infer T> ? T : never): SignalSource {
  const base = 15; // seconds in which every rate has whole samples, 100 for 173.61 Hz
  const unit = made.rates.some(({ den }) => den === 100) ? 300 : base;
  const extra = made.rates.length === 1 ? made.extra : 0;
  const groups = made.rates.map(({ num, den }, index) => {
    const stretches: Stretch[] = [];
    let [onsetUs, firstSample] = [made.firstOnsetUs, 0];
    for (const seconds of made.seconds) {
      const whole = ((unit === 300 ? unit : base * seconds) * num) / den;
      const samples = made.rates.length === 1 && unit !== 300 ? Math.floor((seconds * num) / den) + extra + 1 : whole;
      stretches.push({ onsetUs, firstSample, samples });
      firstSample += samples;
      onsetUs += 2_000_000_000;
    }
    const limit = made.wide ? 8_388_607 : 32_767;
    const samples = made.channels.map((_, channel) => numbers(firstSample, limit, channel * 104_729 + index + made.seed));
    return { rate: { num, den }, sampleBits: made.wide ? (24 as const) : (16 as const), channels: made.channels, samples, stretches };
  });
  const annotations = made.annotations
    .map((one): SourceAnnotation => ({ ...one, type: 'annotation', durationUs: one.durationUs }))
    .sort((a, b) => a.onsetUs - b.onsetUs);
  const ends = groups.map(({ stretches, rate: { num, den } }) => {
    const last = stretches.at(-1);
    return last === undefined ? 0 : last.onsetUs + Math.round((last.samples * den * 1e6) / num);
  });
  const plain = memorySource({ name: 'made', startedAtUs: made.startedAtUs, groups, annotations });
  return { ...plain, durationUs: Math.max(...ends), groups };
}

describe('what cannot be written is refused, and leaves no file', () => {
  const scale = { label: 'a', unit: 'uV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' };
  const one = (values: readonly number[], parts: Partial<typeof scale> = {}, rateOf = { num: 256, den: 1 }) =>
    memorySource({ name: 'made', groups: [{ rate: rateOf, channels: [{ ...scale, ...parts }], samples: [Int32Array.from(values)] }] });

  test.each([
    ['a sample that needs 24 bits in EDF', one([1, 40_000]), /sample 1 of 'a' is 40000, which needs 24 bits; write it as BDF/],
    ['a range that no eight characters hold', one([1], { physicalMax: 1e12, physicalMin: -1e12 }), /physical range of 'a' does not fit/],
    ['a rate that no record holds', one([1], {}, { num: 999_999_937, den: 999_999_929 }), /UNWRITABLE|whole samples|bytes/],
    ['no samples', one([]), /it has no samples/],
    ['a start before 1985', { ...one([1]), startedAtUs: 0 }, /it began in 1970, expected 1985 to 2084/],
  ])('%s', async (_, source, says) => {
    await expect(writeEdf(join(work, 'refused.edf'), source, { format: 'edf' })).rejects.toThrow(says);
    expect(readdirSync(work).filter((name) => name.startsWith('refused'))).toEqual([]);
  });

  test('what is not exactly as it was is told', async () => {
    const path = join(work, 'notes.edf');
    const { notes } = await writeEdf(
      path,
      one([1, 2], { label: 'a very long name of a channel', unit: 'µV', physicalMin: -1234.56789, physicalMax: 1234.56789 }),
    );
    expect(notes).toEqual([
      "label 'a very long name of a channel' is written as 'a very long name'",
      "unit 'µV' of a very long name is written as 'uV'",
      'physical range of a very long name, -1234.56789 to 1234.56789, is rounded to -1234.57 to 1234.568',
    ]);
    rmSync(path);
  });

  test('a decimal scale of 24 bits whose ends have nine characters keeps its line', async () => {
    const fine = { digitalMin: -8388608, digitalMax: 8388607, physicalMin: -8388.608, physicalMax: 8388.607 };
    const source = memorySource({
      name: 'made',
      groups: [{ rate: { num: 1, den: 1 }, sampleBits: 24, channels: [{ ...scale, ...fine }], samples: [Int32Array.of(1234)] }],
    });
    await writtenAndRead(source, async (back) => {
      const [found] = back.groups[0]?.channels ?? [];
      expect(found).toMatchObject({ digitalMin: -8388600, physicalMin: -8388.6, digitalMax: 8388600, physicalMax: 8388.6 });
    });
  });

  test('an aborted write leaves nothing behind', async () => {
    const path = join(work, 'aborted.edf');
    await expect(writeEdf(path, one([1]), { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(readdirSync(work).filter((name) => name.startsWith('aborted'))).toEqual([]);
  });
});

test('a start at a fraction of a second, and a first stretch seconds later, keep every moment; the first record begins within a second', async () => {
  const scale = { label: 'a', unit: 'uV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' };
  const startedAtUs = Date.UTC(2026, 10, 28, 10, 0, 0, 750) * 1000;
  const annotations: SourceAnnotation[] = [{ onsetUs: 1_000_000, durationUs: null, type: 'annotation', text: 'early', channels: [] }];
  const plain = memorySource({
    name: 'made',
    startedAtUs,
    groups: [{ rate: { num: 4, den: 1 }, channels: [scale], samples: [Int32Array.of(1, 2, 3, 4)] }],
    annotations,
  });
  const source = {
    ...plain,
    groups: plain.groups.map((group) => ({ ...group, stretches: [{ onsetUs: 2_500_000, firstSample: 0, samples: 4 }] })),
  };
  await writtenAndRead(source, async (back) => {
    expect(back.startedAtUs).toBe(Date.UTC(2026, 10, 28, 10, 0, 3) * 1000);
    const firstUs = back.groups[0]?.stretches[0]?.onsetUs ?? Number.NaN;
    expect((back.startedAtUs ?? 0) + firstUs).toBe(startedAtUs + 2_500_000);
    expect(firstUs).toBeLessThan(1_000_000);
    const [early] = await back.annotations();
    expect((back.startedAtUs ?? 0) + (early?.onsetUs ?? 0)).toBe(startedAtUs + 1_000_000);
  });
});

test('a seizure reads back as one whatever its text says, and nobody is named in the header', async () => {
  const annotations: SourceAnnotation[] = [
    { onsetUs: 0, durationUs: 1_000_000, type: 'seizure', text: 'event 7', channels: [] },
    { onsetUs: 500_000, durationUs: null, type: 'seizure', text: '', channels: ['a', 'b'] },
    { onsetUs: 600_000, durationUs: null, type: 'annotation', text: 'a\u0014b', channels: [] },
  ];
  const scale = { label: 'a', unit: 'uV', digitalMin: -32768, digitalMax: 32767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' };
  const source = memorySource({
    name: 'Jane Doe.edf',
    groups: [{ rate: { num: 1, den: 1 }, channels: [scale], samples: [Int32Array.of(1, 2)] }],
    annotations,
  });
  await writtenAndRead(source, async (back, _, path) => {
    expect((await back.annotations()).map(({ type, text, channels }) => [type, text, channels])).toEqual([
      ['seizure', 'Seizure: event 7', []],
      ['seizure', 'Seizure', ['a', 'b']],
      ['annotation', 'a b', []],
    ]);
    expect(readFileSync(path).toString('latin1')).not.toContain('Jane');
  });
});

function numbers(length: number, limit: number, seed: number): Int32Array {
  const values = new Int32Array(length);
  for (let at = 0; at < length; at += 1) values[at] = ((at * 7919 + seed) % (2 * limit)) - limit;
  return values;
}
