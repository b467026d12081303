import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type MemoryGroup,
  memorySource,
  openSyntheticPatient,
  type SignalSource,
  type SourceAnnotation,
  writeEdf,
} from '@vitalwire/datasets';

const scale = { unit: 'uV', digitalMin: -32_768, digitalMax: 32_767, physicalMin: -3276.8, physicalMax: 3276.7, reference: '' };
const startedAtUs = Date.UTC(2026, 2, 14, 22, 21, 25) * 1000;

/**
 * Recordings made by our own code, the same bytes every time, in the layouts that published collections have:
 *
 * - `whole.edf` 19 channels of a synthetic patient with a seizure, EDF+C; `wide.bdf` the same with 24 bits
 * - `two-rates.edf` 100 Hz and 12.8 Hz; `mixed-rates.bdf` 500, 800 and 1000 Hz
 * - `interrupted.edf` EDF+D, 23 channels of 256 Hz in three seconds at 0, 1799.5 and 3599 s
 * - `same-label.edf` three channels, two of one label; `annotations.edf` no signal, 154 annotations
 * - `damaged/`: `cut.edf` in the middle of a record, `header-only.edf`, `count-unknown.edf` (record count -1)
 * - `chb90/`: `chb90_01.edf` without and `chb90_06.edf` with a seizure in `chb90-summary.txt`
 */
export async function makeRecordings(folder: string): Promise<void> {
  const at = (name: string): string => path.join(folder, ...name.split('/'));
  for (const inside of ['damaged', 'chb90']) mkdirSync(at(inside), { recursive: true });
  const patient = (bits: 16 | 24) =>
    openSyntheticPatient({ seed: 21, durationS: 60, channels: 19, bits, seizures: [{ onsetS: 20, durationS: 25 }], startedAtUs });
  await write(at('whole.edf'), patient(16));
  await write(at('wide.bdf'), patient(24));
  await write(at('two-rates.edf'), made([group(100, 1, ['Fp1'], 11_000), group(64, 5, ['Temp'], 1_408)]));
  await write(at('mixed-rates.bdf'), made([500, 800, 1000].map((hz, index) => group(hz, 1, [`S${index}`], hz * 4, 24))));
  await write(at('interrupted.edf'), interrupted());
  await write(at('same-label.edf'), made([group(200, 1, ['EEG F1-Ref', 'EEG F2-Ref', 'EEG F1-Ref'], 2_000)]));
  const stages = Array.from(
    { length: 154 },
    (_, index): SourceAnnotation => ({
      onsetUs: index * 30_000_000,
      durationUs: 30_000_000,
      type: 'annotation',
      text: `Sleep stage ${'W123R'[index % 5]}`,
      channels: [],
    }),
  );
  await write(at('annotations.edf'), made([], stages));
  await makeChbMit(at);

  const whole = readFileSync(at('whole.edf'));
  writeFileSync(at('damaged/cut.edf'), whole.subarray(0, Math.floor(whole.length * 0.55)));
  writeFileSync(at('damaged/header-only.edf'), whole.subarray(0, 256 * (1 + Number(whole.toString('latin1', 252, 256)))));
  const unknown = Buffer.from(readFileSync(at('same-label.edf')));
  unknown.write('-1      ', 236, 'latin1');
  writeFileSync(at('damaged/count-unknown.edf'), unknown);
}

/** The files of `makeRecordings` that are whole. */
export const madeWhole = [
  'whole.edf',
  'wide.bdf',
  'two-rates.edf',
  'mixed-rates.bdf',
  'interrupted.edf',
  'same-label.edf',
  'annotations.edf',
] as const;

async function makeChbMit(at: (name: string) => string): Promise<void> {
  const channels = Array.from({ length: 23 }, (_, index) => `C${index + 1}-R`);
  for (const name of ['chb90_01', 'chb90_06']) await write(at(`chb90/${name}.edf`), made([group(256, 1, channels, 512)]));
  const summary = [
    'Data Sampling Rate: 256 Hz',
    '',
    'File Name: chb90_01.edf',
    'Number of Seizures in File: 0',
    '',
    'File Name: chb90_06.edf',
    'Number of Seizures in File: 1',
    'Seizure Start Time: 417 seconds',
    'Seizure End Time: 532 seconds',
  ];
  writeFileSync(at('chb90/chb90-summary.txt'), `${summary.join('\n')}\n`);
}

function interrupted(): SignalSource {
  const channels = Array.from({ length: 23 }, (_, index) => `E${index + 1}`);
  const plain = made([group(256, 1, channels, 768)]);
  const stretches = [0, 1_799_500_000, 3_599_000_000].map((onsetUs, index) => ({ onsetUs, firstSample: index * 256, samples: 256 }));
  return { ...plain, durationUs: 3_600_000_000, groups: plain.groups.map((one) => ({ ...one, stretches })) };
}

function made(groups: readonly MemoryGroup[], annotations: readonly SourceAnnotation[] = []): SignalSource {
  return memorySource({ name: 'made', startedAtUs, groups, annotations });
}

/** Numbers that no two channels share and that use the whole range. */
function group(num: number, den: number, labels: readonly string[], samples: number, sampleBits: 16 | 24 = 16): MemoryGroup {
  const limit = sampleBits === 16 ? 32_767 : 8_388_607;
  return {
    rate: { num, den },
    sampleBits,
    channels: labels.map((label) => ({ label, ...scale, digitalMin: -limit - 1, digitalMax: limit })),
    samples: labels.map((_, channel) =>
      Int32Array.from({ length: samples }, (_one, index) => ((index * 7_919 + channel * 104_729) % (2 * limit)) - limit),
    ),
  };
}

async function write(file: string, source: SignalSource): Promise<void> {
  await writeEdf(file, source, { format: file.endsWith('.bdf') ? 'bdf' : 'edf' });
  await source.close();
}
