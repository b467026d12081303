import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { removeTempDir, tempDir } from '@vitalwire/testkit';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { eventsTable, readEventsTable } from './events-table.ts';
import { readFileRecordings, subjectOf } from './file-recordings.ts';
import { scoreReport } from './report.ts';
import { writeTables } from './write-tables.ts';

const HEADER = 'onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration';
const dirs: string[] = [];

afterEach(() => {
  for (const dir of dirs.splice(0)) removeTempDir(dir);
});

function directory(files: Readonly<Record<string, string>>): string {
  const dir = tempDir();
  dirs.push(dir);
  for (const [place, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, place)), { recursive: true });
    writeFileSync(path.join(dir, place), text);
  }
  return dir;
}

test('a table is written as the reference implementation writes it, never empty', () => {
  const recording = { durationS: 3600, startedAtUs: Date.UTC(2026, 10, 28, 9, 5, 7) * 1000 };
  expect(eventsTable([{ startS: 10.126, endS: 20 }], recording)).toBe(
    `${HEADER}\n10.13\t9.87\tsz\tn/a\tn/a\t2026-11-28 09:05:07\t3600.00\n`,
  );
  expect(eventsTable([], { ...recording, startedAtUs: null })).toBe(`${HEADER}\n0.00\t3600.00\tbckg\tn/a\tn/a\tn/a\t3600.00\n`);
});

test('a written table reads back to the hundredth of a second', () => {
  const hundredths = fc.tuple(fc.nat(300_000), fc.nat(60_000)).map(([from, lasts]) => ({ startS: from / 100, endS: (from + lasts) / 100 }));
  fc.assert(
    fc.property(fc.array(hundredths, { maxLength: 8 }), (events) => {
      const { seizures, recordingS } = readEventsTable(eventsTable(events, { durationS: 3600, startedAtUs: null }), 'x.tsv');
      expect(recordingS).toBe(3600);
      const inOrder = events.toSorted((a, b) => a.startS - b.startS);
      expect(seizures).toHaveLength(events.length);
      for (const [index, { startS, endS }] of seizures.entries()) {
        expect(startS).toBeCloseTo(inOrder[index]?.startS ?? Number.NaN, 6);
        expect(endS).toBeCloseTo(inOrder[index]?.endS ?? Number.NaN, 6);
      }
    }),
  );
});

test('columns may come in any order, types of seizures and Windows line ends are understood', () => {
  const text = '\uFEFFeventType\tonset\tduration\r\nbckg\t0\t10\r\nsz_foc_ia\t10.5\t20\r\n\r\n';
  expect(readEventsTable(text, 'x.tsv')).toEqual({ seizures: [{ startS: 10.5, endS: 30.5 }], recordingS: null });
});

test.each([
  ['', /x\.tsv, line 1: columns is '', expected a column onset/],
  ['onset,duration,eventType\n1,2,sz\n', /line 1: columns is 'onset,duration,eventType', expected a column onset/],
  [`${HEADER}\n`, /line 2: the table has no row/],
  [`${HEADER}\nten\t5\tsz\tn/a\tn/a\tn/a\t60\n`, /line 2: onset is 'ten', expected seconds/],
  [`${HEADER}\n10\t-5\tsz\tn/a\tn/a\tn/a\t60\n`, /line 2: duration is '-5'/],
  [`${HEADER}\n10\t\tsz\tn/a\tn/a\tn/a\t60\n`, /the seizure at 10 s has no duration/],
  [`${HEADER}\n10\t5\tblink\tn/a\tn/a\tn/a\t60\n`, /eventType 'blink' at 10 s is neither bckg nor a seizure/],
  [`${HEADER}\n10\t5\tsz\tn/a\tn/a\tn/a\tlong\n`, /line 2: recordingDuration is 'long'/],
  [`${HEADER}\n10\t5\tsz\tn/a\tn/a\tn/a\t60\n20\t5\tsz\tn/a\tn/a\tn/a\t61\n`, /line 3: recordingDuration is 61, the rows before say 60/],
  [`${HEADER}\n-10\t5\tsz\tn/a\tn/a\tn/a\t60\n`, /the seizure at -10 s begins before the recording/],
  [`${HEADER}\n0x10\t5\tsz\tn/a\tn/a\tn/a\t60\n`, /line 2: onset is '0x10'/],
])('a bad table is refused by file, line and column: %j', (text, message) => {
  expect(() => readEventsTable(text, 'x.tsv')).toThrow(message);
});

test('whatever stands in a table, it is read or refused, never half read', () => {
  const cell = fc.oneof(
    fc.constantFrom('onset', 'duration', 'eventType', 'sz', 'bckg', '1', '2.5', '-1', '1e999', 'n/a', ''),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(fc.array(cell, { maxLength: 8 }), { maxLength: 6 }), (rows) => {
      const text = rows.map((row) => row.join('\t')).join('\n');
      try {
        for (const { startS, endS } of readEventsTable(text, 'x.tsv').seizures)
          expect(Number.isFinite(startS) && endS >= startS).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'TABLE_REFUSED' });
      }
    }),
  );
});

test('folders are paired by place; a missing hypothesis counts as nothing detected, and says so', async () => {
  const table = (row: string): string => `${HEADER}\n${row}\tn/a\tn/a\tn/a\t3600\n`;
  const reference = directory({
    'sub-01/ses-1/sub-01_a_events.tsv': table('100\t100\tsz'),
    'sub-01/ses-1/sub-01_b_events.tsv': table('0\t3600\tbckg'),
    'sub-02/x.tsv': table('100\t100\tsz'),
  });
  const hypothesis = directory({
    'sub-01/ses-1/sub-01_a_events.tsv': table('150\t10\tsz'),
    'sub-01/ses-1/sub-01_b_events.tsv': table('7\t9\tsz'),
  });
  const recordings = readFileRecordings({ reference, hypothesis });
  expect(recordings.map(({ subject, notes }) => ({ subject, notes }))).toEqual([
    { subject: 'sub-01', notes: [] },
    { subject: 'sub-01', notes: [] },
    { subject: 'sub-02', notes: ['has no hypothesis: it counts as nothing detected'] },
  ]);
  const report = scoreReport(recordings);
  expect(report.hypotheses[0]).toMatchObject({ name: 'file', events: { refs: 2, tp: 1, fp: 1, sensitivity: 0.5, fpPerDay: 8 } });
  expect(report.hypotheses[0]?.averages.events.sensitivity).toEqual({ mean: 0.5, sd: 0.5, subjects: 2, nanSubjects: 0 });

  // What is written is scored the same when it is read again.
  const out = directory({});
  expect(await writeTables(report, out)).toBe(6);
  const again = scoreReport(readFileRecordings({ reference: path.join(out, 'reference'), hypothesis: path.join(out, 'hypothesis-file') }));
  expect(again.hypotheses[0]?.events).toEqual(report.hypotheses[0]?.events);
  expect(again.hypotheses[0]?.averages).toEqual(report.hypotheses[0]?.averages);
});

test('pairs that do not fit are refused: lengths, places, a file beside a folder, what is not there, no length at all', () => {
  const short = 'onset\tduration\teventType\n10\t5\tsz\n';
  const table = (seconds: number): string => `${HEADER}\n10\t5\tsz\tn/a\tn/a\tn/a\t${seconds}\n`;
  const dir = directory({
    'a.tsv': table(60),
    'b.tsv': table(61),
    'c.tsv': short,
    'folder/a.tsv': table(60),
    'other/z.tsv': table(60),
    'empty/x.txt': '',
  });
  const read = (reference: string, hypothesis: string, durationS?: number) =>
    readFileRecordings({ reference: path.join(dir, reference), hypothesis: path.join(dir, hypothesis), durationS });
  expect(() => read('a.tsv', 'b.tsv')).toThrow(/b\.tsv speaks of a recording of 61 s, .*a\.tsv of one of 60 s/);
  expect(() => read('folder', 'other')).toThrow(/z\.tsv has no table at the same place/);
  expect(() => read('a.tsv', 'folder')).toThrow(/both be files or both be folders/);
  expect(() => read('none.tsv', 'a.tsv')).toThrow(/none\.tsv cannot be read/);
  expect(() => read('empty', 'folder')).toThrow(/holds no table/);
  expect(() => read('c.tsv', 'c.tsv')).toThrow(/does not say how long its recording is .*--duration/);
  expect(read('c.tsv', 'c.tsv', 60)[0]).toMatchObject({ durationS: 60, reference: [{ startS: 10, endS: 15 }] });
  expect(read('a.tsv', 'c.tsv')[0]).toMatchObject({ durationS: 60 });
});

test('a subject is sub-… anywhere in the path, else the folder, else the file', () => {
  expect(['sub-07/ses-1/x.tsv', 'site/sub-07_run-1.tsv', 'chb01/chb01_03.tsv', 'one.tsv'].map(subjectOf)).toEqual([
    'sub-07',
    'sub-07',
    'chb01',
    'one',
  ]);
});
