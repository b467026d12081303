import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openSource } from '../open-source.ts';
import type { SignalSource } from '../signal-source.ts';
import { fixedFields, signalFieldStarts, signalFields } from './layout.ts';

export const work = mkdtempSync(join(tmpdir(), 'vitalwire-traps-'));
afterAll(() => rmSync(work, { recursive: true }));

export type Signal = { label: string; samples: number } & Partial<
  Record<Exclude<keyof typeof signalFields, 'label' | 'samplesPerRecord'>, string>
>;
type Made = Partial<Record<Exclude<keyof typeof fixedFields, 'signals'>, string>> & {
  signals: readonly Signal[];
  /** Bytes of each record, or its samples, signal after signal. */
  data: readonly (readonly (readonly number[] | string)[])[];
};

/** A file byte by byte, with whatever a header should not say. */
export function bytesOf(made: Made): Buffer {
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

export let files = 0;
export async function opened<T>(made: Made | Uint8Array, look: (source: SignalSource) => T | Promise<T>): Promise<T> {
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

export const eeg: Signal = { label: 'EEG', samples: 2 };
export const notes: Signal = {
  label: 'EDF Annotations',
  samples: 30,
  unit: '',
  digitalMin: '-32768',
  digitalMax: '32767',
  physicalMin: '-1',
  physicalMax: '1',
};
export const at = (onset: string, ...texts: string[]) => `${onset}\x14\x14\0${texts.join('')}`;
export const plain = { reserved: '', signals: [eeg], data: [[[1, 2]], [[3, 4]]] } satisfies Made;
