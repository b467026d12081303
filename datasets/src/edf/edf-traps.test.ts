import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDecimal, rateOf, toMicros } from '../decimal.ts';
import { samplesOf } from '../wanted-channels.ts';
import { parseTals } from './tal.ts';
import { at, bytesOf, eeg, notes, opened, plain } from './test-edf.ts';

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
