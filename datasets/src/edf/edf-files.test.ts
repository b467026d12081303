import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { recordings } from '@vitalwire/testkit';
import { describe, expect, test } from 'vitest';
import { openSource } from '../open-source.ts';
import { physicalValue } from '../physical.ts';
import type { SignalSource } from '../signal-source.ts';
import { samplesOf } from '../wanted-channels.ts';

/** What an independent decoder found in each file: golden/make-digests.py. */
type Digest = {
  readonly signals: readonly { readonly label: string; readonly samples: number; readonly sha256: string }[];
  readonly recordTimesUs: readonly number[];
  readonly annotations: number;
  readonly annotationsSha256: string;
};

const collection = recordings('edf');
const digests: Record<string, Digest> = JSON.parse(readFileSync(new URL('golden/digests.json', import.meta.url), 'utf8'));
const opened = (name: string) => openSource(collection.file(name), { sideCars: false });

test.skipIf(!collection.here)('every file of the collection has the bytes its README says', () => {
  const table = readFileSync(collection.file('README.md'), 'utf8').matchAll(/^\| (\S+) \| (\d+) \|.*`([0-9a-f]{64})` \|$/gm);
  const rows = [...table].map(([, name = '', bytes, sha256]) => ({ name, bytes: Number(bytes), sha256 }));
  const files = readdirSync(collection.file('.'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== 'README.md',
  );
  expect(rows.length).toBe(files.length);
  expect(Object.keys(digests).length).toBe(files.filter(({ name }) => /\.[eb]df$/.test(name)).length);
  for (const { name, bytes, sha256 } of rows) {
    const found = readFileSync(collection.file(name));
    expect({ name, bytes: found.length, sha256: sha256Of(found) }).toEqual({ name, bytes, sha256 });
  }
});

describe.skipIf(!collection.here)('every sample and annotation is what an independent decoder found', () => {
  test.each(Object.entries(digests))('%s', async (name, expected) => {
    const source = await opened(name);
    const signals = source.groups.flatMap((group, index) => group.channels.map(({ label }, channel) => ({ group: index, channel, label })));
    const found = [];
    for (const { group, channel, label } of signals) {
      const samples = samplesOf(source.groups[group] ?? { stretches: [] });
      const [values = new Int32Array(0)] = await source.read(group, 0, samples, [channel]);
      found.push({ label, samples: values.length, sha256: sha256Of(values) });
    }
    expect(sorted(found)).toEqual(sorted(expected.signals));
    const annotations = await source.annotations();
    expect(annotations.length).toBe(expected.annotations);
    const texts = annotations.map((one) => [one.onsetUs, one.durationUs, one.text]);
    expect(sha256Of(Buffer.from(JSON.stringify(texts)))).toBe(expected.annotationsSha256);
    if (source.groups.length > 0 && expected.recordTimesUs.length > 0) {
      expect(source.groups[0]?.stretches[0]?.onsetUs).toBe(expected.recordTimesUs[0]);
    }
    await source.close();
  });
});

describe.skipIf(!collection.here)('physical values are those of EDFlib to the last bit', () => {
  test.each(['bdf-24bit.bdf', 'edf-negative-gain.edf', 'edf-symmetric.edf'])('%s', async (name) => {
    type Golden = { signals: { digital: number[]; physicalBits: string[]; sampleCount: number }[] };
    const golden: Golden = JSON.parse(readFileSync(collection.file(`golden/${name.replace(/\.[eb]df$/, '.json')}`), 'utf8'));
    const source = await opened(`golden/${name}`);
    const [expected] = golden.signals;
    const [values = new Int32Array(0)] = await source.read(0, 0, expected?.sampleCount ?? 0);
    expect([...values]).toEqual(expected?.digital);
    const [scale] = source.groups[0]?.channels ?? [];
    if (scale === undefined) throw new Error('no channel');
    expect([...values].map((value) => bitsOf(physicalValue(scale, value)))).toEqual(expected?.physicalBits);
    await source.close();
  });
});

describe.skipIf(!collection.here)('each file shows what its README says', () => {
  test('139 channels and a status channel, annotations with durations, samples outside the declared range kept', async () => {
    const source = await opened('eeg139-edfplusc.edf');
    expect(shape(source)).toEqual([{ rate: '512/1', bits: 16, channels: 139, samples: 3072 }]);
    expect(source.groups[0]?.channels[0]).toMatchObject({ digitalMin: 0, digitalMax: 100 });
    const [values = new Int32Array(0)] = await source.read(0, 0, 3072, [0]);
    expect(Math.min(...values)).toBeLessThan(0);
    expect((await source.annotations()).map(({ onsetUs, durationUs, text }) => [onsetUs, durationUs, text]).slice(0, 4)).toEqual([
      [0, null, 'start'],
      [134_400, 256_000, 'type A'],
      [390_400, 1_000_000, 'type A'],
      [2_000_000, null, 'type B'],
    ]);
    await source.close();
  });

  test('two channels of one label stay two channels', async () => {
    const source = await opened('duplicate-labels-edfplusc.edf');
    expect(source.groups[0]?.channels.map(({ label }) => label)).toEqual(['EEG F1-Ref', 'EEG F2-Ref', 'EEG F1-Ref']);
    await source.close();
  });

  test('rates are exact: 128 samples in 10 s are 64/5 Hz, and channels of one rate are a group', async () => {
    const source = await opened('uneven-rates-plain.edf');
    expect(shape(source)).toEqual([
      { rate: '100/1', bits: 16, channels: 1, samples: 11_000 },
      { rate: '64/5', bits: 16, channels: 1, samples: 1_408 },
    ]);
    await source.close();
    const mixed = await opened('generator-mixed-rates-bdfplusc.bdf');
    expect(shape(mixed).map(({ rate, bits }) => `${rate} ${bits}`)).toEqual(['1000/1 24', '800/1 24', '500/1 24', '975/1 24', '999/1 24']);
    await mixed.close();
  });

  test('a first record at a fraction of a second, negative gain, Chinese annotations', async () => {
    const source = await opened('utf8-annotations-edfplusc.edf');
    expect(source.groups[0]?.stretches).toEqual([{ onsetUs: 394_531, firstSample: 0, samples: 89_344 }]);
    expect(source.groups[0]?.channels[0]).toMatchObject({ physicalMin: 8711, physicalMax: -8711 });
    expect((await source.annotations()).map(({ text }) => text)).toContain('中文测试八个字');
    expect(source.durationUs).toBe(698_394_531);
    await source.close();
  });

  test('annotations alone, in a record that lasts no time', async () => {
    const source = await opened('sleep-edf-SC4001EC-hypnogram.edf');
    expect(source.groups).toEqual([]);
    expect(source.problems).toEqual([]);
    const annotations = await source.annotations();
    expect(annotations.length).toBe(154);
    expect(annotations[0]).toEqual({ onsetUs: 0, durationUs: 30_630_000_000, type: 'annotation', text: 'Sleep stage W', channels: [] });
    await source.close();
  });

  test('gaps of EDF+D are gaps: three stretches, and a read across them gives their samples one after the other', async () => {
    const source = await opened('chbmit-chb01_01-excerpt-edfplusd.edf');
    expect(source.groups[0]?.stretches).toEqual([
      { onsetUs: 0, firstSample: 0, samples: 256 },
      { onsetUs: 1_799_500_000, firstSample: 256, samples: 256 },
      { onsetUs: 3_599_000_000, firstSample: 512, samples: 256 },
    ]);
    expect(source.durationUs).toBe(3_600_000_000);
    expect(new Date((source.startedAtUs ?? 0) / 1000).toISOString()).toBe('2076-11-06T11:42:54.000Z');
    const [whole = new Int32Array(0)] = await source.read(0, 0, 768, [3]);
    const [across = new Int32Array(0)] = await source.read(0, 200, 400, [3]);
    expect([...across]).toEqual([...whole.subarray(200, 600)]);
    await source.close();
  });

  test('24-bit samples of a plain BDF with a blank reserved field', async () => {
    const source = await opened('stim-channel-bdf.bdf');
    expect(shape(source)).toEqual([{ rate: '500/1', bits: 24, channels: 4, samples: 5_000 }]);
    expect(source.problems).toEqual([]);
    await source.close();
  });

  test('cut inside record 5: four records are read, and what is missing is said', async () => {
    const source = await opened('damaged/truncated-mid-record.edf');
    expect(shape(source).map(({ samples }) => samples)).toEqual([12_000, 120]);
    expect(source.problems).toEqual([
      {
        field: 'data records',
        at: 75_008,
        unit: 'byte',
        found: 'the end of the file after 4 whole records and 5001 bytes of one of 18240 bytes',
        expected: '10 records; 6 are missing (180 s)',
      },
    ]);
    await source.close();
  });

  test('a header without data, and a record count that is not known', async () => {
    const empty = await opened('damaged/header-only.edf');
    expect(shape(empty).map(({ samples }) => samples)).toEqual([0]);
    expect(empty.problems[0]?.expected).toBe('698 records; 698 are missing (698 s)');
    await empty.close();
    const unknown = await opened('damaged/record-count-minus-one.edf');
    expect(shape(unknown).map(({ samples }) => samples)).toEqual([512]);
    expect(unknown.problems[0]).toMatchObject({ at: 236, unit: 'byte', found: '-1 (unknown)' });
    await unknown.close();
  });
});

function shape(source: SignalSource) {
  return source.groups.map((group) => ({
    rate: `${group.rate.num}/${group.rate.den}`,
    bits: group.sampleBits,
    channels: group.channels.length,
    samples: samplesOf(group),
  }));
}

function sha256Of(bytes: Uint8Array | Int32Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}

/** Groups put channels of one rate together; the independent decoder goes signal by signal. */
function sorted<T extends { readonly label: string; readonly sha256: string }>(rows: readonly T[]): T[] {
  return rows.toSorted((a, b) => (a.label + a.sha256 < b.label + b.sha256 ? -1 : 1));
}
