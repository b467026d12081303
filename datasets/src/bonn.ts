import { unzipSync } from 'fflate';
import { type BundledFile, bundledDataUrl, readBundledFile } from './bundled-file.ts';
import { DatasetError } from './dataset-error.ts';

/** The file letters of the collection. Z, O: scalp, healthy people; N, F: intracranial, between seizures; S: intracranial, ictal. */
export type BonnSet = 'Z' | 'O' | 'N' | 'F' | 'S';

export type ElectrodeKind = 'scalp' | 'intracranial';

/** One segment's place and meaning, without its samples. */
export type BonnSegment = {
  readonly set: BonnSet;
  readonly number: number; // 1-80 here; the whole collection has 100
  readonly electrodes: ElectrodeKind;
  readonly ictal: boolean;
};

export const bonnSets: readonly BonnSet[] = ['Z', 'O', 'N', 'F', 'S'];

/** 173.61 Hz, as a rational so that no sample time drifts. */
export const bonnRate = { num: 17361, den: 100 } as const;

/** Samples of one segment (23.6 s). */
export const bonnSegmentSamples = 4097;

/** Segments of each set in this repository. */
export const bonnBundledSegments = 80;

/** The converter had 12 bits and one count is one microvolt: a sample at either end is clipped. */
export const bonnScale = {
  label: 'EEG',
  unit: 'uV',
  digitalMin: -2048,
  digitalMax: 2047,
  physicalMin: -2048,
  physicalMax: 2047,
} as const;

const archives = new Map<BonnSet, ReadonlyMap<number, Uint8Array>>();

/** The samples of one bundled segment, exactly as published; one count is one microvolt. */
export function readBonnSegment(set: BonnSet, number: number): Int16Array {
  const text = archiveOf(set).get(number);
  if (text === undefined)
    throw new DatasetError('SEGMENT_UNKNOWN', `${set}${number}; sets ${bonnSets.join(' ')}, numbers 1-${bonnBundledSegments}`);
  return parseBonnText(text, segmentName(set, number));
}

/** The segments `from`-`to` (both included) of the given sets, set after set. */
export function bonnSegments(from = 1, to = bonnBundledSegments, sets: readonly BonnSet[] = bonnSets): BonnSegment[] {
  return sets.flatMap((set) =>
    Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => ({
      set,
      number: from + index,
      electrodes: set === 'Z' || set === 'O' ? ('scalp' as const) : ('intracranial' as const),
      ictal: set === 'S',
    })),
  );
}

/** `S065` and the like. */
export function segmentName(set: BonnSet, number: number): string {
  return `${set}${String(number).padStart(3, '0')}`;
}

/** Reads the text form: 4097 integers, one per line; line ends of either kind. */
export function parseBonnText(text: Uint8Array, name: string): Int16Array {
  const lines = new TextDecoder('ascii').decode(text).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length !== bonnSegmentSamples) {
    throw new DatasetError('DATA_FILE_MALFORMED', `${name} has ${lines.length} lines, expected ${bonnSegmentSamples}`);
  }
  const samples = new Int16Array(bonnSegmentSamples);
  for (const [index, line] of lines.entries()) {
    const value = Number(line);
    if (line.trim() === '' || !Number.isInteger(value) || value < -32768 || value > 32767) {
      throw new DatasetError(
        'DATA_FILE_MALFORMED',
        `${name} line ${index + 1}: found ${JSON.stringify(line.slice(0, 20))}, expected an integer`,
      );
    }
    samples[index] = value;
  }
  return samples;
}

function archiveOf(set: BonnSet): ReadonlyMap<number, Uint8Array> {
  const known = archives.get(set);
  if (known !== undefined) return known;
  const name: BundledFile = `bonn/${set}.zip`;
  const texts = new Map<number, Uint8Array>();
  for (const [path, text] of Object.entries(unzipSync(readBundledFile(name, bundledDataUrl)))) {
    // Set N's files end in .TXT, all others in .txt.
    const number = /([A-Z])(\d{3})\.txt$/i.exec(path);
    if (number?.[1]?.toUpperCase() === set) texts.set(Number(number[2]), text);
  }
  archives.set(set, texts);
  return texts;
}
