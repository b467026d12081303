import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRecordings, recordings } from '@vitalwire/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { szcoreTsv } from '../annotations/szcore-tsv.ts';
import { openSource } from '../open-source.ts';
import { physicalValue } from '../physical.ts';
import type { SourceAnnotation } from '../signal-source.ts';
import { samplesOf } from '../wanted-channels.ts';
import { writeCsv, writeSzcoreTsv } from './csv-writer.ts';

const work = mkdtempSync(join(tmpdir(), 'vitalwire-csv-write-'));
afterAll(() => rmSync(work, { recursive: true }));
const collection = recordings('edf');
const made = (name: string) => join(work, 'made', name);
beforeAll(() => makeRecordings(join(work, 'made')));

test.each(['same-label.edf', 'interrupted.edf', 'whole.edf'])(
  '%s as CSV reads back with its rate, its gaps and its values to half a count',
  (name) => throughCsv(made(name)),
);

test
  .skipIf(!collection.here || !recordings('bonn').here)
  .each(['duplicate-labels-edfplusc.edf', 'chbmit-chb01_01-excerpt-edfplusd.edf', 'bonn:S065', 'siena-layout/PN00/PN00-1.edf'])(
  '%s of the collections, likewise',
  (name) => throughCsv(name.startsWith('bonn:') ? name : collection.file(name)),
);

async function throughCsv(name: string): Promise<void> {
  const source = await openSource(name, { sideCars: false });
  const path = join(work, 'out.csv');
  await writeCsv(path, source);
  const back = await openSource(path);
  const [was, is] = [source.groups[0], back.groups[0]];
  if (was === undefined || is === undefined) throw new Error('no group');
  expect(is.rate).toEqual(was.rate);
  expect(is.stretches).toEqual(was.stretches);
  expect(is.channels.map(({ label }) => label)).toEqual(was.channels.map(({ label }) => label));
  const [before, after] = [await source.read(0, 0, samplesOf(was)), await back.read(0, 0, samplesOf(is))];
  for (const [channel, scale] of was.channels.entries()) {
    const count = Math.abs((scale.physicalMax - scale.physicalMin) / (scale.digitalMax - scale.digitalMin));
    const other = is.channels[channel] ?? scale;
    const apart = (before[channel] ?? []).map((value, at) =>
      Math.round(Math.abs(physicalValue(scale, value) - physicalValue(other, after[channel]?.[at] ?? 0)) / count),
    );
    expect(Math.max(...apart), scale.label).toBe(0);
  }
  await source.close();
  await back.close();
}

test('several rates need a choice, and a wrong one is refused without a file', async () => {
  const source = await openSource(made('two-rates.edf'));
  const path = join(work, 'mixed.csv');
  await expect(writeCsv(path, source)).rejects.toThrow(/choose one group of 0 \(1 channels at 100 Hz\), 1 \(1 channels at 12.8 Hz\)/);
  await expect(writeCsv(path, source, { group: 2 })).rejects.toThrow(/group 2; there are 2/);
  expect((await writeCsv(path, source, { group: 1 })).rows).toBe(1_408);
  await expect(writeCsv(path, source, { group: 0, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  expect(readdirSync(work).filter((name) => name.endsWith('.part'))).toEqual([]);
  await source.close();
});

const began = { startedAtUs: Date.UTC(2016, 10, 6, 13, 43, 4, 500) * 1000, durationUs: 3_600_000_000 };
const at = (onsetUs: number, durationUs: number | null, channels: string[] = []): SourceAnnotation => ({
  onsetUs,
  durationUs,
  type: 'seizure',
  text: 'sz',
  channels,
});

test('a SzCORE table has its columns in order, two decimals, and seizures only', () => {
  const note: SourceAnnotation = { onsetUs: 5, durationUs: null, type: 'annotation', text: 'eyes open', channels: [] };
  expect(szcoreTsv([note, at(2_996_000_000, 40_004_000, ['F3', 'C3']), at(10_126_000, null)], began)).toBe(
    [
      'onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration',
      '10.13\tn/a\tsz\tn/a\tn/a\t2016-11-06 13:43:04\t3600.00',
      '2996.00\t40.00\tsz\tn/a\tF3,C3\t2016-11-06 13:43:04\t3600.00',
      '',
    ].join('\n'),
  );
});

test('seconds exactly between two hundredths go to the even one, as in the reference implementation', () => {
  const onsets = [125_000, 375_000, 625_000, 875_000, 5_000, 1_250_000].map((us) => szcoreTsv([at(us, null)], began).split(/[\t\n]/)[7]);
  expect(onsets).toEqual(['0.12', '0.38', '0.62', '0.88', '0.01', '1.25']); // Python: '%.2f' % 0.125 and so on
});

test('without a seizure there is one background row over the whole recording', () => {
  expect(szcoreTsv([], { ...began, startedAtUs: null }).split('\n')[1]).toBe('0.00\t3600.00\tbckg\tn/a\tn/a\tn/a\t3600.00');
});

test('seizures written as a table beside a recording read back', async () => {
  const source = await openSource(made('chb90/chb90_06.edf'));
  const path = join(work, 'events.tsv');
  await writeSzcoreTsv(path, source);
  expect(readFileSync(path, 'utf8')).toContain('417.00\t115.00\tsz\t');
  await source.close();
});
