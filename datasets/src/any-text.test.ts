import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { AnnotationFile } from './annotations/annotation-file.ts';
import { parseChbMitSummary } from './annotations/chb-mit-summary.ts';
import { parseMitAnnotations } from './annotations/mit-annotations.ts';
import { parseSienaList } from './annotations/siena-list.ts';
import { parseEventsTsv } from './annotations/szcore-tsv.ts';
import { DatasetError } from './dataset-error.ts';
import { openSource } from './open-source.ts';
import { validateSource } from './validate-source.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-any-'));
afterAll(() => rmSync(work, { recursive: true }));

const recording = { file: 'a.edf', startedAtUs: 0, durationUs: 0, rateHz: 256, labels: ['Fp1'] };
const clock = fc.constantFrom('19.39.33', '00:00:01', '23:59:59', '99:99:99', '1 2', '', 'soon', '18.28.29');
const words = fc.constantFrom(
  'seizure',
  '5 seconds',
  '-3',
  '1e9',
  '0',
  'a.edf',
  'b.edf',
  'n/a',
  '999999999999999999999',
  '2.5',
  'sz',
  'bckg',
);
const lineOf = (keys: readonly string[]) =>
  fc.tuple(fc.constantFrom(...keys), fc.oneof(clock, words)).map(([key, value]) => `${key}: ${value}`);
const summary = fc.array(lineOf(['File Name', 'Number of Seizures in File', 'Seizure Start Time', 'Seizure 2 End Time', 'x']), {
  maxLength: 30,
});
const list = fc.array(
  fc.oneof(
    lineOf(['File name', 'Registration start time', 'Registration end time', 'Seizure start time', 'Seizure end time', 'Channel 1']),
    fc.constant('Seizure n 1'),
  ),
  { maxLength: 30 },
);

/** What every annotation says, whatever it was read from. */
function expectSound(file: AnnotationFile | null): void {
  for (const { onsetUs, durationUs } of file?.annotations ?? []) {
    expect(Number.isFinite(onsetUs)).toBe(true);
    expect(durationUs === null || durationUs >= 0).toBe(true);
  }
  for (const { at, unit } of file?.problems ?? []) expect((at === null) === (unit === null)).toBe(true);
}

test('any summary, list, table and any bytes give sound annotations and problems with their places', () => {
  fc.assert(fc.property(summary, (lines) => expectSound(parseChbMitSummary(lines.join('\n'), 'a.edf'))));
  fc.assert(fc.property(list, (lines) => expectSound(parseSienaList(lines.join('\r\n'), recording))));
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.oneof(words, fc.constantFrom('onset', 'duration', 'eventType', 'channels')), { maxLength: 5 })),
      (rows) => expectSound(parseEventsTsv(rows.map((row) => row.join('\t')).join('\n'))),
    ),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectSound(parseMitAnnotations(bytes, recording))));
});

test('any rows are read whole or refused with a named error', async () => {
  const cell = fc.constantFrom(
    '1',
    '-2.5',
    '1e-3',
    '0.000001',
    '99999999',
    '',
    'NaN',
    'x',
    '"3"',
    '"',
    '1,5',
    '2026-01-01 00:00:01',
    '123456789012345678',
    '-',
  );
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
  const options = fc.record(
    {
      rateHz: fc.constantFrom('1', '173.61', '0', 'x'),
      unit: fc.constant('uV'),
      timeColumn: fc.constantFrom('1', 'x'),
      header: fc.boolean(),
    },
    { requiredKeys: ['unit'] },
  );
  const path = join(work, 'any.csv');
  let opened = 0;
  await fc.assert(
    fc.asyncProperty(rows, fc.constantFrom(',', ';', '\t'), options, async (cells, delimiter, csv) => {
      writeFileSync(path, cells.map((row) => row.join(delimiter)).join('\n'));
      try {
        const source = await openSource(path, { format: 'csv', csv });
        await validateSource(source);
        await source.close();
        opened += 1;
      } catch (error) {
        if (!(error instanceof DatasetError)) throw error;
      }
    }),
    { numRuns: 400 },
  );
  expect(opened).toBeGreaterThan(10); // about one in eight is readable: 400 draws give 50, never as few as ten
});
