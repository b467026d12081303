import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordings } from '@vitalwire/testkit';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { readBonnSegment } from '../bonn/segments.ts';
import { openSource } from '../open-source.ts';
import { physicalValue } from '../physical.ts';
import type { SignalSource } from '../signal-source.ts';
import { samplesOf } from '../wanted-channels.ts';
import type { CsvOptions } from './csv-layout.ts';
import { simplestRate } from './csv-time.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-csv-'));
afterAll(() => rmSync(work, { recursive: true }));

let files = 0;
function fileOf(text: string): string {
  files += 1;
  const path = join(work, `recording-${files}.csv`);
  writeFileSync(path, text);
  return path;
}

async function opened<T>(text: string, csv: CsvOptions, look: (source: SignalSource) => T | Promise<T>): Promise<T> {
  const source = await openSource(fileOf(text), { format: 'csv', csv });
  try {
    return await look(source);
  } finally {
    await source.close();
  }
}

describe('layout', () => {
  const uv = { unit: 'uV', rateHz: '256' };

  test.each([
    ['commas', 'Fp1,F3\n1,2\n-3,4\n', {}],
    ['semicolons and decimal commas', 'Fp1;F3\n1,0;2,0\n-3,0;4,0\n', {}],
    ['tabs and CRLF', 'Fp1\tF3\r\n1\t2\r\n-3\t4\r\n', {}],
    ['spaces', 'Fp1 F3\n  1   2\n -3   4\n', {}],
    ['quotes and a byte order mark', '\uFEFF"Fp1","F3"\n"1","2"\n"-3","4"\n', {}],
    ['no last line end', 'Fp1,F3\n1,2\n-3,4', {}],
    ['empty lines', 'Fp1,F3\n1,2\n\n-3,4\n\n', {}],
  ])('%s', async (_, text, options) => {
    await opened(text, { ...uv, ...options }, async (source) => {
      expect(source.groups[0]?.channels.map(({ label }) => label)).toEqual(['Fp1', 'F3']);
      expect((await source.read(0, 0, 2)).map((values) => [...values])).toEqual([
        [1, -3],
        [2, 4],
      ]);
      expect(source.problems).toEqual([]);
    });
  });

  test('without a header, columns are numbered; columns are chosen and renamed by name or number', async () => {
    await opened('1,2,3\n4,5,6\n', uv, (source) => {
      expect(source.groups[0]?.channels.map(({ label }) => label)).toEqual(['channel 1', 'channel 2', 'channel 3']);
    });
    await opened('a,b,c\n1,2,3\n4,5,6\n', { ...uv, columns: ['3=Cz', 'a'] }, async (source) => {
      expect(source.groups[0]?.channels.map(({ label }) => label)).toEqual(['Cz', 'a']);
      expect((await source.read(0, 0, 2)).map((values) => [...values])).toEqual([
        [3, 6],
        [1, 4],
      ]);
    });
  });

  test('a unit stands in the header, and µV is uV', async () => {
    await opened('Fp1 (µV),ECG [mV]\n1,2\n', { rateHz: '1' }, (source) => {
      expect(source.groups[0]?.channels.map(({ label, unit }) => [label, unit])).toEqual([
        ['Fp1', 'uV'],
        ['ECG', 'mV'],
      ]);
    });
  });

  test.each([
    ['no rate', { unit: 'uV' }, /give its rate .* or the column that has the time/],
    ['no unit', { rateHz: '256' }, /unit of column 'Fp1' is not told/],
    ['an unknown column', { ...uv, columns: ['Oz'] }, /found 'Oz', expected one of 'Fp1', 'F3', or its number/],
    ['an unknown time column', { unit: 'uV', timeColumn: '9' }, /found '9'/],
    ['a rate that is none', { unit: 'uV', rateHz: '0' }, /a rate of '0'; give samples per second/],
    ['a rate that is a word', { unit: 'uV', rateHz: 'fast' }, /a rate of 'fast'/],
  ])('%s is refused', async (_, options, says) => {
    await expect(opened('Fp1,F3\n1,2\n', options, () => {})).rejects.toThrow(says);
  });
});

describe('values', () => {
  test('decimals become integers with a decimal scale, each column with its own', async () => {
    await opened('a (uV),b (mV)\n0.5,-1.25\n-12.0,3.125\n', { rateHz: '173.61' }, async (source) => {
      expect(source.groups[0]?.rate).toEqual({ num: 17361, den: 100 });
      expect(source.groups[0]?.sampleBits).toBe(16);
      expect((await source.read(0, 0, 2)).map((values) => [...values])).toEqual([
        [5, -120],
        [-1250, 3125],
      ]);
      expect(source.groups[0]?.channels[0]).toMatchObject({
        digitalMin: -32768,
        digitalMax: 32767,
        physicalMin: -3276.8,
        physicalMax: 3276.7,
      });
    });
  });

  test('what needs 24 bits gets them, and what does not fit even there is rounded and told', async () => {
    await opened('a (uV)\n100.001\n', { rateHz: '1' }, (source) => {
      expect(source.groups[0]?.sampleBits).toBe(24);
      expect(source.problems).toEqual([]);
    });
    await opened('a (uV)\n123.4567891\n', { rateHz: '1' }, async (source) => {
      expect([...((await source.read(0, 0, 1))[0] ?? [])]).toEqual([1_234_568]);
      expect(source.problems[0]?.found).toBe('7 digits after the point in values up to 123.4567891; rounded to 4');
    });
  });

  test('a missing value is a gap, never zero, and told with its line', async () => {
    await opened('a (uV),b (uV)\n1,2\n,4\nNaN,n/a\n7,8\n9,x\n11,12\n', { rateHz: '2' }, async (source) => {
      expect(source.groups[0]?.stretches).toEqual([
        { onsetUs: 0, firstSample: 0, samples: 1 },
        { onsetUs: 1_500_000, firstSample: 1, samples: 1 },
        { onsetUs: 2_500_000, firstSample: 2, samples: 1 },
      ]);
      expect([...((await source.read(0, 0, 3))[0] ?? [])]).toEqual([1, 7, 11]);
      expect(source.problems.map(({ at, unit, field }) => [at, unit, field])).toEqual([
        [3, 'line', "column 'a'"],
        [4, 'line', "column 'a'"],
        [6, 'line', "column 'b'"],
      ]);
    });
  });

  test('any values with a few decimals come back exactly, read from anywhere', async () => {
    const row = fc.tuple(fc.integer({ min: -8_388_607, max: 8_388_607 }), fc.integer({ min: -32_767, max: 32_767 }));
    const rows = fc.array(row, { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(rows, fc.nat(3), fc.nat(1000), fc.nat(1000), async (values, places, a, b) => {
        const text = (count: number) => (count / 10 ** places).toFixed(places);
        const [from, to] = [a % values.length, b % values.length].sort((x, y) => x - y) as [number, number];
        await opened(
          `a,b\n${values.map(([x, y]) => `${text(x)},${text(y)}`).join('\n')}\n`,
          { unit: 'uV', rateHz: '1' },
          async (source) => {
            const read = await source.read(0, from, to - from + 1);
            for (const channel of [0, 1] as const) {
              const scale = source.groups[0]?.channels[channel];
              if (scale === undefined) throw new Error('no scale');
              const expected = values.slice(from, to + 1).map((pair) => Number(text(pair[channel])));
              const found = [...(read[channel] ?? [])].map((count) => physicalValue(scale, count));
              for (const [index, value] of found.entries()) expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 9 - places);
            }
          },
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('times', () => {
  test('the rate is the simplest that the times can mean, also where they are written coarsely', async () => {
    for (const [hz, decimals] of [
      [256, 6],
      [256, 3],
      [512, 4],
      [173.61, 6],
      [100, 2],
      [12.8, 4],
    ] as const) {
      const rows = Array.from({ length: 3000 }, (_, index) => `${(index / hz).toFixed(decimals)},${index % 7}`);
      await opened(`time,a (uV)\n${rows.join('\n')}\n`, {}, (source) => {
        const { num, den } = source.groups[0]?.rate ?? { num: 0, den: 1 };
        expect(num / den, `${hz} Hz with ${decimals} decimals`).toBeCloseTo(hz, 9);
        expect(source.groups[0]?.stretches.length).toBe(1);
      });
    }
  });

  test('a jump of the time is a gap, and date and time say when it began', async () => {
    const row = (ms: number) => `${new Date(Date.UTC(2026, 0, 31, 23, 59, 59) + ms).toISOString().replace('Z', '').replace('T', ' ')},1`;
    const rows = [0, 10, 20, 30, 2000, 2010, 2020].map(row);
    await opened(`timestamp,a (uV)\n${rows.join('\n')}\n`, {}, (source) => {
      expect(source.startedAtUs).toBe(Date.UTC(2026, 0, 31, 23, 59, 59) * 1000);
      expect(source.groups[0]?.rate).toEqual({ num: 100, den: 1 });
      expect(source.groups[0]?.stretches).toEqual([
        { onsetUs: 0, firstSample: 0, samples: 4 },
        { onsetUs: 2_000_000, firstSample: 4, samples: 3 },
      ]);
    });
  });

  test('a time that goes back is told and read as following; one that is none is a gap', async () => {
    await opened('time,a (uV)\n0,1\n0.01,2\n0.005,3\nsoon,4\n0.04,5\n', {}, (source) => {
      expect(source.problems.map(({ at, found }) => [at, found])).toEqual([
        [4, "'0.005'"],
        [5, "'soon'"],
      ]);
      expect(samplesOf(source.groups[0] ?? { stretches: [] })).toBe(4);
    });
  });

  test('any simple rate is found again from its own times', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4096 }), fc.constantFrom(1, 2, 5, 10), (num, den) => {
        const steps = 50_000;
        const { num: a, den: b } = simplestRate(steps, Math.round((steps * den * 1e6) / num), 1);
        expect(a / b).toBeCloseTo(num / den, 9);
      }),
    );
  });
});

describe('formats are told by content', () => {
  test('a Bonn text file is one whatever it is called', async () => {
    const samples = Int16Array.from({ length: 4097 }, (_, index) => ((index * 37) % 4001) - 2000);
    const path = fileOf(`${[...samples].join('\n')}\n`);
    const source = await openSource(path);
    expect(source.groups[0]?.rate).toEqual({ num: 17361, den: 100 });
    expect([...((await source.read(0, 0, 4097))[0] ?? [])]).toEqual([...samples]);
    expect(await source.annotations()).toEqual([]);
    await source.close();
  });

  test.skipIf(!recordings('bonn').here)(
    'a segment of the collection is opened by name, and all of a segment of set S is a seizure',
    async () => {
      const source = await openSource('bonn:S065');
      expect([...((await source.read(0, 0, 4097))[0] ?? [])]).toEqual([...readBonnSegment('S', 65)]);
      expect((await source.annotations()).map(({ type }) => type)).toEqual(['seizure']);
    },
  );

  test('a segment that the collection does not have is refused by name', async () => {
    await expect(openSource('bonn:X1')).rejects.toThrow(/give bonn: with a set/);
    await expect(openSource('bonn:S099')).rejects.toThrow(/S99/);
  });

  test('prose, binary, nothing and a directory are refused by name', async () => {
    await expect(openSource(fileOf('Once upon a time, there was\na file, of text\n'))).rejects.toThrow(/recording-\d+\.csv; we read EDF/);
    await expect(openSource(fileOf('\u0000\u0001\u0002'))).rejects.toThrow(/we read EDF/);
    await expect(openSource(fileOf(''))).rejects.toThrow(/we read EDF/);
    await expect(openSource(work)).rejects.toThrow(/is a directory; name one file/);
    await expect(openSource(join(work, 'nothing.edf'))).rejects.toThrow(/there is no such file/);
  });

  test('a long file is read from anywhere, and a file without line ends is refused', async () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => `${index % 30_000}`);
    await opened(`a (uV)\n${rows.join('\n')}\n`, { rateHz: '256' }, async (source) => {
      for (const from of [19_990, 0, 4_095, 4_096, 12_345, 12_355]) {
        expect([...((await source.read(0, from, 10))[0] ?? [])]).toEqual(Array.from({ length: 10 }, (_, index) => from + index));
      }
      await expect(source.read(0, 19_995, 10)).rejects.toThrow(/samples 19995 to 20005; there are 20000/);
    });
    await expect(opened('1,'.repeat(1_000_000), { rateHz: '1', unit: 'uV' }, () => {})).rejects.toThrow(/a longer line/);
  });
});

describe('vitals', () => {
  const minute = Array.from({ length: 60 }, (_, second) => second);

  test('a column named after a vital gives its readings at the times of its rows, in its own unit, and is no channel', async () => {
    const rows = minute.map((second) => `${second},${second % 7},${second % 2 === 0 ? 97 : ''},${98.6 + (second % 2)},72`);
    await opened(`time,Cz (uV),spo2 (%),body-temperature (°F),heart-rate\n${rows.join('\n')}\n`, {}, async (source) => {
      expect(source.groups[0]?.channels.map(({ label }) => label)).toEqual(['Cz']);
      expect(source.vitals).toEqual(
        ['heart-rate', 'spo2', 'body-temperature'].map((stream) => ({ stream, kind: 'sensor' })), // in the order of the table
      );
      expect(source.durationUs).toBe(60e6);
      expect(await source.numeric('spo2', 10e6, 15e6)).toEqual([10, 12, 14].map((second) => ({ atUs: second * 1e6, value: 97 })));
      expect((await source.numeric('body-temperature', 0, 2e6)).map(({ value }) => value.toFixed(6))).toEqual(['37.000000', '37.555556']);
      expect(await source.numeric('heart-rate', 0, 60e6)).toHaveLength(60);
      expect(await source.numeric('respiratory-rate', 0, 60e6)).toEqual([]);
      expect(source.problems).toEqual([]);
    });
  });

  test("what is no reading is told and left out; a unit that is not the vital's makes it a channel, as does a column that is asked for", async () => {
    await opened('time,Cz (uV),spo2\n0,1,97\n1,2,0\n2,3,140\n3,4,x\n', {}, async (source) => {
      expect(await source.numeric('spo2', 0, 9e6)).toEqual([{ atUs: 0, value: 97 }]);
      expect(source.problems).toMatchObject([
        { field: "column 'spo2'", at: 3, unit: 'line', found: "'0'", expected: expect.stringContaining('not-a-reading') },
        { at: 4, found: "'140'", expected: expect.stringContaining('out-of-range') },
        { at: 5, found: "'x'" },
      ]);
    });
    const labels = (source: SignalSource) => [source.groups[0]?.channels.map(({ label }) => label), source.vitals];
    expect(await opened('time,spo2 (mmol)\n0,97\n1,98\n', {}, labels)).toEqual([['spo2'], []]);
    expect(await opened('time,spo2 (%)\n0,97\n1,98\n', { columns: ['spo2'] }, labels)).toEqual([['spo2'], []]);
    expect(await opened('time,SPO2 (%)\n0,97\n1,98\n', {}, labels)).toEqual([['SPO2'], []]);
  });

  test('a file of vitals alone is a source without signals, whatever the steps of its times; dates count from its first reading', async () => {
    const text = 'time,spo2,respiratory-rate\n2026-01-01 00:00:10,97,\n2026-01-01 00:00:13,,14\n2026-01-01 00:01:10,95,15\n';
    await opened(text, {}, async (source) => {
      expect(source.groups).toEqual([]);
      expect(source.startedAtUs).toBe(Date.parse('2026-01-01T00:00:10Z') * 1000);
      expect(await source.numeric('respiratory-rate', 0, 1e9)).toEqual([
        { atUs: 3e6, value: 14 },
        { atUs: 60e6, value: 15 },
      ]);
      expect(source.durationUs).toBeGreaterThan(60e6);
    });
  });

  test('rows that hold vitals and no signal interrupt nothing and are no fault', async () => {
    await opened('time,Cz (uV),spo2\n0,1,\n0.5,,97\n1,2,\n1.5,,98\n2,3,\n', {}, async (source) => {
      expect(source.problems).toEqual([]);
      expect(source.groups[0]?.stretches).toEqual([{ onsetUs: 0, firstSample: 0, samples: 3 }]);
      expect(await source.numeric('spo2', 0, 2e6)).toEqual([
        { atUs: 500_000, value: 97 },
        { atUs: 1_500_000, value: 98 },
      ]);
    });
  });

  test('any pieces of time give each reading once, with times, with a rate, and where a clock went back', async () => {
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 1, max: 900 }) },
      { weight: 1, arbitrary: fc.integer({ min: -5_000, max: 0 }) },
    );
    const row = fc.record({ step, value: fc.option(fc.integer({ min: 1, max: 100 })) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 2, maxLength: 60 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 9_000 }),
        async (rows, byTime, cutMs) => {
          // Long enough that several places to begin reading are kept.
          const many = Array.from({ length: 9_000 }, (_, index) => rows[index % rows.length] ?? { step: 1, value: null });
          let clock = 0;
          const times = many.map(({ step: next }) => {
            clock += next;
            return clock;
          });
          const lines = many.map(({ value }, index) => `${((times[index] ?? 0) / 1_000).toFixed(3)},${value ?? ''}`);
          let latest = Number.NEGATIVE_INFINITY;
          const expected = many.flatMap(({ value }, index) => {
            latest = Math.max(latest, times[index] ?? 0);
            return value === null ? [] : [{ atUs: byTime ? latest * 1_000 : index * 250_000, value }];
          });
          const text = `time,spo2\n${lines.join('\n')}\n`;
          await opened(text, byTime ? {} : { rateHz: '4' }, async (source) => {
            const cut = [];
            const stepUs = Math.max(cutMs * 1_000, Math.ceil(source.durationUs / 40));
            for (let at = 0; at < source.durationUs; at += stepUs) cut.push(...(await source.numeric('spo2', at, at + stepUs)));
            expect(cut.map(({ value }) => value)).toEqual(expected.map(({ value }) => value));
            // Seconds count from zero, also from below it: then from the first row that has something.
            const beganMs = times[many.findIndex(({ value }) => value !== null)] ?? 0;
            const zero = byTime ? Math.min(0, beganMs) * 1_000 : 0;
            expect(cut.map(({ atUs }) => Math.round(atUs))).toEqual(expected.map(({ atUs }) => Math.round(atUs - zero)));
          });
        },
      ),
      { numRuns: 12 },
    );
  });
});
