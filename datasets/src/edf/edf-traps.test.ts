import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { DatasetError } from '../dataset-error.ts';
import { parseDecimal, rateOf, toMicros } from '../decimal.ts';
import { openSource } from '../open-source.ts';
import type { SignalSource } from '../signal-source.ts';
import { validateSource } from '../validate-source.ts';
import { samplesOf } from '../wanted-channels.ts';
import { fixedFields, signalFieldStarts, signalFields } from './layout.ts';
import { parseTals } from './tal.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-traps-'));
afterAll(() => rmSync(work, { recursive: true }));

type Signal = { label: string; samples: number } & Partial<
  Record<Exclude<keyof typeof signalFields, 'label' | 'samplesPerRecord'>, string>
>;
type Made = Partial<Record<Exclude<keyof typeof fixedFields, 'signals'>, string>> & {
  signals: readonly Signal[];
  /** Bytes of each record, or its samples, signal after signal. */
  data: readonly (readonly (readonly number[] | string)[])[];
};

/** A file byte by byte, with whatever a header should not say. */
function bytesOf(made: Made): Buffer {
  const count = made.signals.length;
  const header = Buffer.alloc(256 * (count + 1), ' ');
  const fixed: Record<string, unknown> = {
    version: '0',
    patient: 'X X X X',
    recording: 'Startdate 02-MAR-2026 X X X',
    startDate: '02.03.26',
    startTime: '01.02.03',
    headerBytes: String(header.length),
    reserved: 'EDF+C',
    records: String(made.data.length),
    recordDuration: '1',
    ...made,
  };
  for (const [field, [offset, length]] of Object.entries(fixedFields)) {
    const text = field === 'signals' ? String(count) : fixed[field];
    if (typeof text === 'string') header.write(text.slice(0, length), offset, 'latin1');
  }
  const starts = signalFieldStarts(count);
  for (const [index, signal] of made.signals.entries()) {
    const texts = {
      digitalMin: '-2048',
      digitalMax: '2047',
      physicalMin: '-200',
      physicalMax: '200',
      unit: 'uV',
      ...signal,
      samplesPerRecord: String(signal.samples),
    };
    for (const [field, width] of Object.entries(signalFields)) {
      const text = (texts as Record<string, string | number>)[field];
      if (text !== undefined) header.write(String(text), starts[field as keyof typeof starts] + index * width, 'latin1');
    }
  }
  const body = made.data.flatMap((record) =>
    made.signals.map(({ samples }, index) => {
      const part = Buffer.alloc(samples * 2);
      const given = record[index] ?? [];
      if (typeof given === 'string') part.write(given, 'latin1');
      else for (const [at, value] of given.entries()) part.writeInt16LE(value, at * 2);
      return part;
    }),
  );
  return Buffer.concat([header, ...body]);
}

let files = 0;
async function opened<T>(made: Made | Uint8Array, look: (source: SignalSource) => T | Promise<T>): Promise<T> {
  files += 1;
  const path = join(work, `trap-${files}.edf`);
  writeFileSync(path, made instanceof Uint8Array ? made : bytesOf(made));
  const source = await openSource(path, { sideCars: false });
  try {
    return await look(source);
  } finally {
    await source.close();
  }
}

const eeg: Signal = { label: 'EEG', samples: 2 };
const notes: Signal = {
  label: 'EDF Annotations',
  samples: 30,
  unit: '',
  digitalMin: '-32768',
  digitalMax: '32767',
  physicalMin: '-1',
  physicalMax: '1',
};
const at = (onset: string, ...texts: string[]) => `${onset}\x14\x14\0${texts.join('')}`;
const plain = { reserved: '', signals: [eeg], data: [[[1, 2]], [[3, 4]]] } satisfies Made;

describe('rates and times', () => {
  test.each([
    ['0.5', 2, '4/1'],
    ['.5', 2, '4/1'],
    ['1.5', 2, '4/3'],
    ['0.3', 2, '20/3'],
    ['100', 17361, '17361/100'],
    ['0.004', 1, '250/1'],
    ['1e-1', 2, '20/1'],
    ['7.8125', 1000, '128/1'],
  ])('records of %s s with %i samples are %s Hz', async (recordDuration, samples, expected) => {
    await opened({ ...plain, recordDuration, signals: [{ ...eeg, samples }], data: [[[]]] }, (source) => {
      expect(`${source.groups[0]?.rate.num}/${source.groups[0]?.rate.den}`).toBe(expected);
      expect(source.problems).toEqual([]);
    });
  });

  test('signals in records that last no time have no rate: left out and told, their annotations kept', async () => {
    await opened({ recordDuration: '0', signals: [eeg, notes], data: [[[1, 2], at('+0', '+3\x14hello\x14\0')]] }, async (source) => {
      expect(source.groups).toEqual([]);
      expect(source.problems[0]?.found).toBe('samples in records that last 0 seconds; the signal is left out');
      expect((await source.annotations()).map(({ text }) => text)).toEqual(['hello']);
    });
  });

  test('a rate whose parts are too large for the wire is the closest that fits, and told', async () => {
    await opened({ ...plain, recordDuration: '1.234567', signals: [{ ...eeg, samples: 1009 }], data: [[[]]] }, (source) => {
      const { num, den } = source.groups[0]?.rate ?? { num: 0, den: 1 };
      expect(num / den).toBeCloseTo(1009 / 1.234567, 9);
      expect(source.problems[0]?.field).toBe('signal 1 of 1, rate');
    });
  });

  test('a decimal is read exactly: any count in any duration is one fraction', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 9_999 }), fc.nat(3), (samples, units, scale) => {
        const decimal = parseDecimal((units / 10 ** scale).toFixed(scale));
        if (decimal === null) throw new Error('no decimal');
        const { rate, exact } = rateOf(BigInt(samples) * 10n ** BigInt(decimal.scale), decimal.units);
        expect(exact).toBe(true);
        expect(BigInt(rate.num) * decimal.units).toBe(BigInt(rate.den) * BigInt(samples) * 10n ** BigInt(decimal.scale));
      }),
    );
    expect(toMicros(parseDecimal('0.3945312') ?? { units: 0n, scale: 0 })).toBe(394_531);
  });

  test('an EDF+C whose records tell of a gap is read as interrupted, and told once', async () => {
    const data = ['+0', '+1', '+10', '+11', '+30'].map((onset, index) => [[index, index], at(onset)]);
    await opened({ signals: [eeg, notes], data }, (source) => {
      expect(source.groups[0]?.stretches).toEqual([
        { onsetUs: 0, firstSample: 0, samples: 4 },
        { onsetUs: 10_000_000, firstSample: 4, samples: 4 },
        { onsetUs: 30_000_000, firstSample: 8, samples: 2 },
      ]);
      expect(source.problems.map(({ field, found }) => [field, found])).toEqual([
        ['time of a data record', '10 s, although the header says continuous; read as interrupted'],
      ]);
    });
  });

  test('small differences of times are no gaps, but they do not add up', async () => {
    const data = Array.from({ length: 40 }, (_, index) => [[0, 0], at(`+${(index * 1.02).toFixed(2)}`)]);
    await opened({ reserved: 'EDF+D', signals: [eeg, notes], data }, (source) => {
      const { stretches } = source.groups[0] ?? { stretches: [] };
      expect(stretches.length).toBeGreaterThan(1);
      for (const { onsetUs, firstSample } of stretches) expect(Math.abs(onsetUs - firstSample * 510_000)).toBeLessThan(1);
      expect(samplesOf({ stretches })).toBe(80);
    });
  });

  test('a record without a time, or going back in time, follows the one before; both are told with their byte', async () => {
    const data = [
      [[0, 1], at('+5')],
      [[2, 3], ''],
      [[4, 5], at('+2')],
    ];
    await opened({ reserved: 'EDF+D', signals: [eeg, notes], data }, (source) => {
      expect(source.groups[0]?.stretches).toEqual([{ onsetUs: 5_000_000, firstSample: 0, samples: 6 }]);
      expect(source.problems.map(({ at: byte, found }) => [byte, found])).toEqual([
        [768 + 64, 'no time'],
        [768 + 128, '2 s'],
      ]);
    });
  });

  test.each([
    ['01.01.85', 'Startdate X X X X', null],
    ['02.03.84', 'Startdate 02-MAR-2084 X X X', '2084-03-02'],
    ['02.03.85', 'Startdate 02-MAR-1985 X X X', '1985-03-02'],
    ['02.03.26', 'Startdate X X X X', '2026-03-02'],
    ['2.3.26', '', '2026-03-02'],
    ['02/03/26', '', '2026-03-02'],
    ['31.02.26', '', null],
    ['02.03.26', 'Startdate 02-MAR-2126 X X X', '2126-03-02'],
  ])('a start date of %s with %s', async (startDate, recording, expected) => {
    await opened({ ...plain, reserved: 'EDF+C', startDate, recording, signals: [eeg, notes], data: [[[1, 2], at('+0')]] }, (source) => {
      const day = source.startedAtUs === null ? null : new Date(source.startedAtUs / 1000).toISOString().slice(0, 10);
      expect(day).toBe(expected);
      expect(source.problems.length).toBe(/^\d\d\.\d\d\.\d\d$/.test(startDate) && startDate !== '31.02.26' ? 0 : 1);
    });
  });
});

describe('annotations', () => {
  test('of several signals are all read, in order of onset, and lists in one signal after another', async () => {
    const data = [
      [[1, 2], at('+0', '+4\x14late\x14\0'), '+1\x152.5\x14early\x14both\x14\0+2\x14middle@@EEG\x14\0'],
      [[3, 4], at('+1'), '+0.25\x14Grüße 脑\x14\0'],
    ];
    const latin = bytesOf({ signals: [eeg, notes, notes], data });
    const text = Buffer.from('Grüße 脑');
    const place = latin.lastIndexOf('+0.25');
    Buffer.concat([Buffer.from('+0.25\x14'), text, Buffer.from('\x14\0')]).copy(latin, place);
    await opened(latin, async (source) => {
      expect(
        (await source.annotations()).map(({ onsetUs, durationUs, text: words, channels }) => [onsetUs, durationUs, words, channels]),
      ).toEqual([
        [250_000, null, 'Grüße 脑', []],
        [1_000_000, 2_500_000, 'early', []],
        [1_000_000, 2_500_000, 'both', []],
        [2_000_000, null, 'middle', ['EEG']],
        [4_000_000, null, 'late', []],
      ]);
      expect(source.problems).toEqual([]);
    });
  });

  test('what is no list is told with its byte and skipped; Latin-1 is read, and told', async () => {
    const data = [[[1, 2], at('+0', 'junk\0', '+1\x14caf\xe9\x14\0', '2\x14no sign\x14\0')]];
    await opened({ signals: [eeg, notes], data }, async (source) => {
      expect((await source.annotations()).map(({ text }) => text)).toEqual(['café', 'no sign']);
      expect(source.problems.map(({ at: byte, found }) => [byte, found])).toEqual([
        [768 + 4 + 5, 'a list without the byte 20'],
        [768 + 4 + 10 + 3, 'bytes that are no UTF-8, read as Latin-1'],
        [768 + 4 + 19, '"2"'],
      ]);
    });
  });

  test('any bytes are read without an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const { onsetUs, durationUs, texts } of parseTals(bytes).tals) {
          expect(Number.isSafeInteger(onsetUs)).toBe(true);
          expect(durationUs === null || durationUs >= 0).toBe(true);
          expect(texts.every((text) => typeof text === 'string')).toBe(true);
        }
      }),
    );
  });
});

describe('headers', () => {
  test('spaces, zero bytes, commas, µ and limits the wrong way round are read, the unusual told with its byte', async () => {
    const signal = {
      ...eeg,
      label: '  EEG C3 ',
      unit: '\xb5V',
      digitalMin: '2047',
      digitalMax: '-2048',
      physicalMin: '-200,5',
      physicalMax: '200\0',
    };
    await opened({ ...plain, signals: [signal] }, (source) => {
      const expected = {
        label: 'EEG C3',
        unit: 'uV',
        digitalMin: -2048,
        digitalMax: 2047,
        physicalMin: 200,
        physicalMax: -200.5,
        reference: '',
      };
      expect(source.groups[0]?.channels).toEqual([expected]);
      expect(source.problems.map(({ field }) => field)).toEqual([
        'header',
        'signal 1 of 1, physical minimum',
        'signal 1 of 1, digital minimum',
      ]);
      expect(source.problems[1]).toMatchObject({ at: 256 + 104, unit: 'byte', found: "'-200,5'", expected: 'a number' });
    });
  });

  test.each([
    ['equal digital limits', { digitalMin: '5', digitalMax: '5' }],
    ['equal physical limits', { physicalMin: '0', physicalMax: '0' }],
    ['a physical limit that is a word', { physicalMax: 'high' }],
  ])('%s: counts are shown as they are, without a unit', async (_, parts) => {
    await opened({ ...plain, signals: [{ ...eeg, ...parts }] }, async (source) => {
      expect(source.groups[0]?.channels[0]).toMatchObject({ unit: '', digitalMin: -32768, physicalMin: -32768, physicalMax: 32767 });
      expect(source.problems.length).toBe(1);
      expect((await source.read(0, 0, 4)).map((values) => [...values])).toEqual([[1, 2, 3, 4]]);
    });
  });

  test.each([
    ['more records than there are', { records: '5' }, 4, /3 are missing/],
    ['fewer records than there are', { records: '1' }, 2, /the end of the file/],
    ['a record count that is a word', { records: 'many' }, 4, /a whole number/],
    ['another header length', { headerBytes: '999' }, 4, /512 for 1 signals/],
    ['EDF+ without C or D', { reserved: 'EDF+' }, 4, /'EDF\+C' or 'EDF\+D'/],
    ['no annotation signal in EDF+C', { reserved: 'EDF+C' }, 4, /at least one/],
    ['a negative record duration', { recordDuration: '-1' }, 0, /a positive number or 0/],
  ])('%s: %o', async (_, parts, samples, says) => {
    await opened({ ...plain, ...parts }, (source) => {
      expect(samplesOf(source.groups[0] ?? { stretches: [] })).toBe(samples);
      expect(source.problems.map(({ expected }) => expected).join()).toMatch(says);
    });
  });

  test.each([
    ['no signal count', (bytes: Buffer) => bytes.fill(' ', 252, 256), { field: 'number of signals', at: 252, found: "''" }],
    [
      'a signal count that is a word',
      (bytes: Buffer) => bytes.fill('x', 252, 256),
      { field: 'number of signals', at: 252, found: "'xxxx'" },
    ],
    [
      'samples that are a word',
      (bytes: Buffer) => bytes.fill('x', 472, 480),
      { field: 'signal 1 of 1, samples per record', at: 472, found: "'xxxxxxxx'" },
    ],
    [
      'a header that is cut',
      (bytes: Buffer) => bytes.subarray(0, 400),
      { field: 'header', at: 400, found: 'the end of the file after 400 bytes' },
    ],
    ['a header that is cut at once', (bytes: Buffer) => bytes.subarray(0, 100), { field: 'header', at: 100, found: '100 bytes' }],
  ])('%s is refused with file, byte, field, found and expected', async (_, damage, place) => {
    const refused = await opened(damage(bytesOf(plain)), () => null).catch((error: unknown) => error);
    if (!(refused instanceof DatasetError)) throw refused;
    expect(refused.code).toBe('DATA_FILE_MALFORMED');
    expect(refused.place).toMatchObject({ ...place, unit: 'byte', file: `trap-${files}.edf` });
    expect(refused.message).toContain(`trap-${files}.edf, byte ${place.at}, ${place.field}: found ${place.found}, expected `);
  });

  test('9,999 signals are read; a group holds all of one rate', async () => {
    const signals = Array.from({ length: 9_999 }, (_, index) => ({ label: `c${index}`, samples: 1 }));
    await opened({ ...plain, signals, data: [signals.map((_, index) => [index])] }, async (source) => {
      expect(source.groups[0]?.channels.length).toBe(9_999);
      expect((await source.read(0, 0, 1, [9_998])).map((values) => [...values])).toEqual([[9_998]]);
    });
  });

  test('a thousand faults are a short list that says how many there were', async () => {
    const data = Array.from({ length: 1_000 }, (_, index) => [[0, 0], `${at(`+${index}`)}junk\0`]);
    await opened({ signals: [eeg, notes], data }, (source) => {
      expect(source.problems.length).toBe(11);
      expect(source.problems.at(-1)?.found).toBe('990 more of these');
    });
  });
});

describe('reading', () => {
  test('any piece of any channels is that piece of the whole', async () => {
    const signals: Signal[] = [eeg, { label: 'fast', samples: 5 }, { label: 'EEG 2', samples: 2 }];
    const data = Array.from({ length: 30 }, (_, record) =>
      signals.map(({ samples }, signal) => Array.from({ length: samples }, (__, index) => record * 100 + signal * 10 + index)),
    );
    await opened({ ...plain, signals, data }, async (source) => {
      const whole = [await source.read(0, 0, 60), await source.read(1, 0, 150)];
      await fc.assert(
        fc.asyncProperty(fc.nat(1), fc.nat(59), fc.nat(60), fc.boolean(), async (group, from, count, second) => {
          const wanted = Math.min(count, 60 - from);
          const channels = second && group === 0 ? [1, 0] : undefined;
          const expected = (channels ?? whole[group]?.map((_, channel) => channel) ?? []).map((channel) => [
            ...(whole[group]?.[channel]?.subarray(from, from + wanted) ?? []),
          ]);
          expect((await source.read(group, from, wanted, channels)).map((values) => [...values])).toEqual(expected);
        }),
      );
      await expect(source.read(0, 59, 2)).rejects.toThrow(/samples 59 to 61; there are 60/);
      await expect(source.read(2, 0, 1)).rejects.toThrow(/group 2; there are 2/);
      await expect(source.read(0, 0, 1, [2])).rejects.toThrow(/channel 2; there are 2/);
      await expect(source.read(0, -1, 1)).rejects.toThrow(/there are 60/);
    });
  });

  test('one record larger than a block is read in pieces', async () => {
    const samples = 300_000;
    await opened(
      {
        ...plain,
        recordDuration: '1000',
        signals: [
          { ...eeg, samples },
          { ...eeg, samples },
        ],
        data: [[Array.from({ length: samples }, (_, index) => index % 30_000), []]],
      },
      async (source) => {
        expect([...((await source.read(0, 299_990, 10, [0]))[0] ?? [])]).toEqual(
          Array.from({ length: 10 }, (_, index) => (299_990 + index) % 30_000),
        );
        expect(await validateSource(source)).toHaveLength(1);
      },
    );
  });

  test('a file that becomes shorter while it is read is told', async () => {
    const path = join(work, 'shrinks.edf');
    writeFileSync(path, bytesOf({ ...plain, recordDuration: '1000', signals: [{ ...eeg, samples: 200_000 }], data: [[[]], [[]]] }));
    const source = await openSource(path);
    truncateSync(path, 1000);
    await expect(source.read(0, 0, 400_000)).rejects.toThrow(/data record: found the end of the file: it became shorter/);
    await source.close();
  });
});
