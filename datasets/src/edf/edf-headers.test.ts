import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DatasetError } from '../dataset-error.ts';
import { openSource } from '../open-source.ts';
import { validateSource } from '../validate-source.ts';
import { samplesOf } from '../wanted-channels.ts';
import { at, bytesOf, eeg, files, notes, opened, plain, type Signal, work } from './test-edf.ts';

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
