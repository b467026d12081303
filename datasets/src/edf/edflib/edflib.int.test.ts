import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRecordings, recordings } from '@vitalwire/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSource } from '../../open-source.ts';
import type { SignalSource, SourceAnnotation } from '../../signal-source.ts';
import { openSyntheticPatient } from '../../synth/synthetic-patient.ts';
import { samplesOf } from '../../wanted-channels.ts';
import { writeEdf } from '../edf-writer.ts';

// EDFlib is the library behind EDFbrowser and pyEDFlib: what it opens is by the rules. Debian has it as libedf1.
const installed = readdirSync('/usr/lib').some((folder) => existsSync(`/usr/lib/${folder}/libedf.so.1`));
const reader = fileURLToPath(new URL('read-with-edflib.py', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'vitalwire-edflib-'));
afterAll(() => rmSync(work, { recursive: true }));

const DISCONTINUOUS = '-10'; // told only after every other rule was checked
const EDF_PLUS = 1;
const BDF_PLUS = 3;

type Seen = {
  readonly filetype: number;
  readonly start: readonly number[];
  readonly signals: readonly Record<string, string | number>[];
  readonly annotations: readonly (readonly [number, string | null, string])[];
};

const collection = recordings('edf');
const made = join(work, 'made');
beforeAll(() => makeRecordings(made));

describe.skipIf(!installed)('EDFlib opens what we write', () => {
  test.skipIf(!collection.here).each([
    ['generator-edfplusc.edf', EDF_PLUS],
    ['utf8-annotations-edfplusc.edf', EDF_PLUS],
    ['duplicate-labels-edfplusc.edf', EDF_PLUS],
    ['eeg139-edfplusc.edf', EDF_PLUS],
    ['sleep-edf-SC4001E0-psg-300s.edf', EDF_PLUS],
    ['sleep-edf-SC4001EC-hypnogram.edf', EDF_PLUS],
    ['uneven-rates-plain.edf', EDF_PLUS],
    ['generator-mixed-rates-bdfplusc.bdf', BDF_PLUS],
    ['stim-channel-bdf.bdf', BDF_PLUS],
    ['golden/edf-negative-gain.edf', EDF_PLUS],
  ])('%s: the same samples, scales, start and annotations', async (name, filetype) => {
    const source = await openSource(collection.file(name), { sideCars: false });
    const path = join(work, name.replace(/.*\//, ''));
    await writeEdf(path, source, { format: filetype === BDF_PLUS ? 'bdf' : 'edf' });
    const seen = seenByEdflib(path);
    expect(seen.filetype).toBe(filetype);
    expect(seen.signals).toEqual(await signalsOf(source));
    const firstUs = source.groups[0]?.stretches[0]?.onsetUs ?? 0;
    expect(seen.annotations.map(annotationSeen)).toEqual((await source.annotations()).map((one) => annotationTold(one, firstUs)));
    const started = new Date((source.startedAtUs ?? 0) / 1000);
    expect(seen.start.slice(0, 6)).toEqual([
      started.getUTCFullYear(),
      started.getUTCMonth() + 1,
      started.getUTCDate(),
      started.getUTCHours(),
      started.getUTCMinutes(),
      started.getUTCSeconds(),
    ]);
    expect(seen.start[6]).toBe(firstUs * 10);
    await source.close();
  });

  test('a synthetic patient of 23 channels, as EDF+ and as BDF+', async () => {
    const source = openSyntheticPatient({ seed: 7, durationS: 90 });
    const seizures = (await source.annotations()).filter(({ type }) => type === 'seizure').length;
    for (const format of ['edf', 'bdf'] as const) {
      const path = join(work, `synthetic.${format}`);
      await writeEdf(path, source, { format });
      const seen = seenByEdflib(path);
      expect(seen.signals).toEqual(await signalsOf(source));
      expect(seen.annotations.filter(([, , text]) => /seizure/i.test(text)).length).toBe(seizures);
    }
  });

  test('a record that had to be filled up: the samples are there, and an annotation says from when on they are none', async () => {
    const source = openSyntheticPatient({
      seed: 3,
      channels: 1,
      rate: { num: 17361, den: 100 },
      durationS: 23.6,
      seizures: [{ onsetS: 0, durationS: 23 }],
      artefacts: 'none',
    });
    const path = join(work, 'filled.edf');
    await writeEdf(path, source);
    const seen = seenByEdflib(path);
    expect(seen.signals[0]?.['samples']).toBe(17_361);
    expect(seen.annotations.map(([onset, , text]) => [text, Math.round(onset / 10)])).toEqual([
      ['synthetic signal, seed 3: made by software, no person', 0],
      ['synthetic seizure, spike-wave', 0],
      ['Vitalwire: padding', expect.closeTo(source.durationUs, -4)],
    ]);
  });

  test('an interrupted recording is by the rules: EDFlib refuses it as interrupted, and for nothing else', async () => {
    const source = await openSource(join(made, 'interrupted.edf'));
    const path = join(work, 'interrupted.edf');
    expect((await writeEdf(path, source)).format).toBe('EDF+D');
    const refused = spawnSync('python3', [reader, path], { encoding: 'utf8' });
    expect(refused.stderr.trim().split(' ').at(-1)).toBe(DISCONTINUOUS);
    await source.close();
  });
});

function seenByEdflib(path: string): Seen {
  return JSON.parse(execFileSync('python3', [reader, path], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }));
}

async function signalsOf(source: SignalSource) {
  const signals = [];
  for (const [group, one] of source.groups.entries()) {
    for (const [channel, { label, unit, digitalMin, digitalMax, physicalMin, physicalMax }] of one.channels.entries()) {
      const [values = new Int32Array(0)] = await source.read(group, 0, samplesOf(one), [channel]);
      // EDFlib gives samples outside the declared range as its nearest end; the file has them as they are, as edf-writer.test.ts shows.
      const inside = values.map((value) => Math.min(digitalMax, Math.max(digitalMin, value)));
      const sha256 = createHash('sha256').update(inside).digest('hex');
      signals.push({ label, unit, digitalMin, digitalMax, physicalMin, physicalMax, samples: values.length, sha256 });
    }
  }
  return signals;
}

/** EDFlib counts from the first record, in units of 100 ns. */
function annotationTold({ onsetUs, durationUs, text }: SourceAnnotation, firstUs: number) {
  return [onsetUs - firstUs, durationUs, text];
}

function annotationSeen([onset, duration, text]: Seen['annotations'][number]) {
  return [Math.round(onset / 10), duration === null ? null : Math.round(Number(duration) * 1e6), text];
}
