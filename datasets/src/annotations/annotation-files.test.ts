import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRecordings, recordings } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSource } from '../open-source.ts';
import { parseChbMitSummary } from './chb-mit-summary.ts';
import { parseMitAnnotations } from './mit-annotations.ts';
import { parseSienaList } from './siena-list.ts';

const collection = recordings('edf');
const work = mkdtempSync(join(tmpdir(), 'vitalwire-side-cars-'));
const made = join(work, 'made');
beforeAll(() => makeRecordings(made));
afterAll(() => rmSync(work, { recursive: true }));

async function truthOf(path: string) {
  const source = await openSource(path);
  const annotations = await source.annotations();
  await source.close();
  return {
    seizures: annotations
      .filter(({ type }) => type === 'seizure')
      .map(({ onsetUs, durationUs }) => [onsetUs / 1e6, (durationUs ?? 0) / 1e6]),
    problems: source.problems,
  };
}

describe('a CHB-MIT summary beside the recording', () => {
  test.skipIf(!collection.here).each([
    ['chb05_06.edf', 417, 532],
    ['chb05_13.edf', 1086, 1196],
    ['chb05_16.edf', 2317, 2413],
    ['chb05_17.edf', 2451, 2571],
    ['chb05_22.edf', 2348, 2465],
  ])('%s has a seizure from %i s to %i s', async (file, start, end) => {
    expect(await truthOf(collection.file(`chbmit-layout/chb05/${file}`))).toEqual({ seizures: [[start, end - start]], problems: [] });
  });

  test('a recording has the seizures its summary names, and without one none', async () => {
    expect(await truthOf(join(made, 'chb90/chb90_06.edf'))).toEqual({ seizures: [[417, 115]], problems: [] });
    expect(await truthOf(join(made, 'chb90/chb90_01.edf'))).toEqual({ seizures: [], problems: [] });
  });

  test('numbered seizures of one recording are all read, and a wrong count is told with its line', () => {
    const text = [
      'File Name: chb01_15.edf',
      'Number of Seizures in File: 3',
      'Seizure 1 Start Time: 100 seconds',
      'Seizure 1 End Time: 140 seconds',
      'Seizure 2 Start Time:  1732 seconds',
      'Seizure 2 End Time:  1772 seconds',
      '',
      'File Name: chb01_16.edf',
    ].join('\n');
    const read = parseChbMitSummary(text, 'chb01_15.edf');
    expect(read?.annotations.map(({ onsetUs }) => onsetUs)).toEqual([100_000_000, 1_732_000_000]);
    expect(read?.problems).toEqual([{ field: 'number of seizures', at: 2, unit: 'line', found: "'3'", expected: '2, as many as follow' }]);
    expect(parseChbMitSummary(text, 'chb01_17.edf')).toBeNull();
  });

  test('a start without an end and an end before its start are told with their lines', () => {
    const text =
      'File Name: a.edf\nSeizure Start Time: 5 seconds\nSeizure Start Time: 9 seconds\nSeizure End Time: 7 seconds\nSeizure End Time: soon\n';
    expect(parseChbMitSummary(text, 'a.edf')?.problems.map(({ at, found }) => [at, found])).toEqual([
      [2, "'a start without an end'"],
      [4, "'7'".replace('7', '7 seconds')],
      [5, "'soon'"],
    ]);
  });
});

describe('a Siena list beside the recording', () => {
  test.skipIf(!collection.here).each([
    ['PN00-1.edf', 19 * 60 + 3, 70],
    ['PN00-2.edf', 20 * 60 + 20, 54],
    ['PN00-4.edf', 16 * 60 + 46, 74],
    ['PN00-5.edf', 15 * 60 + 4, 67],
  ])('%s has a seizure %i s after the registration began, of %i s', async (file, start, length) => {
    const { seizures, problems } = await truthOf(collection.file(`siena-layout/PN00/${file}`));
    expect(seizures).toEqual([[start, length]]);
    expect(problems.map(({ field, at }) => [field, at])).toEqual([
      ['Seizures-list-PN00.txt, channel 5', 10],
      ['Seizures-list-PN00.txt, times', 41],
    ]);
  });

  test.skipIf(!collection.here)('the end of seizure 3, an hour late, is told and read an hour earlier', async () => {
    const { seizures, problems } = await truthOf(collection.file('siena-layout/PN00/PN00-3.edf'));
    expect(seizures).toEqual([[765, 60]]);
    expect(problems).toContainEqual({
      field: 'Seizures-list-PN00.txt, seizure end',
      at: 58,
      unit: 'line',
      found: "'19.29.29'",
      expected: "an end after the start 18.28.29 and not after the registration's end 18.57.13; read as one hour earlier",
    });
  });

  const night = { file: 'PN09-1.edf', startedAtUs: Date.UTC(2016, 0, 1, 23, 50) * 1000, durationUs: 0, rateHz: 512, labels: [] };

  test('a seizure across midnight counts on, and what cannot be repaired is not known', () => {
    const text = (end: string) =>
      `Seizure n 1\nFile name: PN09-1.edf\nRegistration start time: 23:50:00\nRegistration end time: 00:30:00\nSeizure start time: 23:59:30\nSeizure end time: ${end}\n`;
    expect(parseSienaList(text('00:00:40'), night)?.annotations[0]).toMatchObject({ onsetUs: 570_000_000, durationUs: 70_000_000 });
    expect(parseSienaList(text('00:00:40'), night)?.problems).toEqual([]);
    const broken = parseSienaList(text('12:00:00'), night);
    expect(broken?.annotations[0]).toMatchObject({ onsetUs: 570_000_000, durationUs: null });
    expect(broken?.problems[0]).toMatchObject({ field: 'seizure end', at: 6 });
  });

  test('a second seizure of the same registration needs not repeat it; another clock than the header is told', () => {
    const text =
      'Seizure n 1\nFile name: PN09-1.edf\nRegistration start time: 23:00:00\nRegistration end time: 01:00:00\nStart time: 23:10:00\nEnd time: 23:11:00\nSeizure n 2\nStart time: 23:20:00\nEnd time: 23:21:30\n';
    const read = parseSienaList(text, night);
    expect(read?.annotations.map(({ onsetUs, durationUs }) => [onsetUs, durationUs])).toEqual([
      [600_000_000, 60_000_000],
      [1_200_000_000, 90_000_000],
    ]);
    expect(read?.problems.map(({ expected }) => expected)).toEqual(['23:50:00, as the header of PN09-1.edf says']);
  });
});

describe('a CHB-MIT .seizures file', () => {
  // Built by the format (annot(5) of WFDB), with the offsets that published readers of these files rely on: onset in bytes 38-41.
  const bytes = seizuresFile([
    { start: 2996 * 256, length: 40 * 256 },
    { start: 3100 * 256 + 3, length: 7 },
  ]);

  test('has its first onset where published readers look for it', () => {
    expect([bytes[38], bytes[41], bytes[49]]).toEqual([2996 >> 8, 2996 & 255, 40]);
  });

  test('gives seizures to the sample', () => {
    const read = parseMitAnnotations(bytes, { rateHz: 512 });
    expect(read.problems).toEqual([]);
    expect(read.annotations.map(({ onsetUs, durationUs, type }) => [onsetUs, durationUs, type])).toEqual([
      [2_996_000_000, 40_000_000, 'seizure'],
      [Math.round(((3100 * 256 + 3) / 256) * 1e6), Math.round((7 / 256) * 1e6), 'seizure'],
    ]);
  });

  test('cut anywhere, it gives what is whole and says that it is cut', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      const read = parseMitAnnotations(bytes.subarray(0, length), { rateHz: 256 });
      expect(read.problems.length, `${length} bytes`).toBeGreaterThan(0);
      expect(read.annotations.length).toBe(length < 52 ? 0 : length < 68 ? 1 : 2);
    }
  });

  test('beside a recording whose summary tells the same seizure, it is one seizure', async () => {
    const inside = join(work, 'chb90');
    mkdirSync(inside);
    for (const name of ['chb90_06.edf', 'chb90-summary.txt']) copyFileSync(join(made, 'chb90', name), join(inside, name));
    writeFileSync(join(inside, 'chb90_06.edf.seizures'), seizuresFile([{ start: 417 * 256, length: 115 * 256 }]));
    expect(await truthOf(join(inside, 'chb90_06.edf'))).toEqual({ seizures: [[417, 115]], problems: [] });
  });
});

describe('an events file of BIDS or SzCORE beside the recording', () => {
  test('is found by its name; background rows say nothing, and what is wrong is told with its line', async () => {
    const recording = join(work, 'sub-01_task-szMonitoring_run-00_eeg.edf');
    copyFileSync(join(made, 'whole.edf'), recording);
    writeFileSync(
      recording.replace('_eeg.edf', '_events.tsv'),
      [
        'onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration',
        '12.50\t30.00\tsz_foc_ia_nm\tn/a\tFp1,T7\t2011-04-04 12:57:02\t600.00',
        '100.00\tn/a\tsz\tn/a\tall\t2011-04-04 12:57:02\t600.00',
        '0.00\t600.00\tbckg\tn/a\tn/a\t2011-04-04 12:57:02\t600.00',
        'later\t1.00\tsz\tn/a\tn/a\t2011-04-04 12:57:02\t600.00',
        '7.00\t-1.00\tartefact\tn/a',
      ].join('\n'),
    );
    const source = await openSource(recording);
    const annotations = await source.annotations();
    await source.close();
    expect(annotations.filter(({ text }) => !text.startsWith('synthetic'))).toEqual([
      { onsetUs: 7_000_000, durationUs: null, type: 'annotation', text: 'artefact', channels: [] },
      { onsetUs: 12_500_000, durationUs: 30_000_000, type: 'seizure', text: 'sz_foc_ia_nm', channels: ['Fp1', 'T7'] },
      { onsetUs: 100_000_000, durationUs: null, type: 'seizure', text: 'sz', channels: [] },
    ]);
    expect(source.problems.map(({ field, at }) => [field.split(', ')[1], at])).toEqual([
      ['onset', 5],
      ['cells', 6],
      ['duration', 6],
    ]);
  });
});

test.skipIf(!collection.here)('every summary and list of the collection parses for every name without a fault of ours', () => {
  const list = readFileSync(collection.file('siena-layout/PN00/Seizures-list-PN00.txt'), 'utf8');
  expect(parseSienaList(list, { file: 'PN01-1.edf', startedAtUs: null, durationUs: 0, rateHz: null, labels: [] })).toBeNull();
});

/** The layout of the published files: a note with the time resolution, then [ and ] with the time since the annotation before. */
function seizuresFile(seizures: readonly { start: number; length: number }[]): Uint8Array {
  const out: number[] = [];
  const word = (code: number, value: number) => out.push(((code << 10) | value) & 255, ((code << 10) | value) >> 8);
  const skip = (interval: number) => {
    word(59, 0);
    out.push((interval >> 16) & 255, (interval >> 24) & 255, interval & 255, (interval >> 8) & 255);
  };
  const text = '## time resolution: 256';
  word(22, 0);
  word(63, text.length);
  out.push(...Buffer.from(text), 0);
  skip(-1);
  word(0, 1);
  let last = 0;
  for (const { start, length } of seizures) {
    skip(start - last);
    word(32, 0);
    skip(length);
    word(33, 0);
    last = start + length;
  }
  word(0, 0);
  return Uint8Array.from(out);
}
