import { join } from 'node:path';
import { DatasetError } from '../dataset-error.ts';
import { type RecordingPlaces, recordingPlaces } from '../recordings/places.ts';
import { readPublishedFile } from '../recordings/published-file.ts';
import { bonnContents, bonnDigest, bonnKnownSegments, unpackBonn } from './archive.ts';

/** The file letters of the collection. Z, O: scalp, healthy people; N, F: intracranial, between seizures; S: intracranial, ictal. */
export type BonnSet = 'Z' | 'O' | 'N' | 'F' | 'S';

export type ElectrodeKind = 'scalp' | 'intracranial';

/** One segment's place and meaning, without its samples. */
export type BonnSegment = {
  readonly set: BonnSet;
  readonly number: number; // 1-80; the whole collection has 100
  readonly electrodes: ElectrodeKind;
  readonly ictal: boolean;
};

export const bonnSets: readonly BonnSet[] = ['Z', 'O', 'N', 'F', 'S'];

/** 173.61 Hz, as a rational so that no sample time drifts. */
export const bonnRate = { num: 17361, den: 100 } as const;

/** Samples of one segment (23.6 s). */
export const bonnSegmentSamples = 4097;

/** The converter had 12 bits and one count is one microvolt: a sample at either end is clipped. */
export const bonnScale = {
  label: 'EEG',
  unit: 'uV',
  digitalMin: -2048,
  digitalMax: 2047,
  physicalMin: -2048,
  physicalMax: 2047,
} as const;

const archives = new Map<string, ReadonlyMap<number, Uint8Array>>();

/** The samples of one segment, exactly as published; one count is one microvolt. The collection has to be on this machine. */
export function readBonnSegment(set: BonnSet, number: number, places: RecordingPlaces = recordingPlaces()): Int16Array {
  const text = number > bonnKnownSegments ? undefined : archiveOf(set, places).get(number);
  if (text === undefined)
    throw new DatasetError('SEGMENT_UNKNOWN', `${set}${number}; sets ${bonnSets.join(' ')}, numbers 1-${bonnKnownSegments}`);
  return parseBonnText(text, segmentName(set, number));
}

/** The segments `from`-`to` (both included) of the given sets, set after set. */
export function bonnSegments(from = 1, to = bonnKnownSegments, sets: readonly BonnSet[] = bonnSets): BonnSegment[] {
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

function archiveOf(set: BonnSet, places: RecordingPlaces): ReadonlyMap<number, Uint8Array> {
  const key = `${places.cache}\0${places.mirror}\0${set}`;
  const known = archives.get(key);
  if (known !== undefined) return known;
  const { file, bytes } = readPublishedFile(`bonn/${set}.zip`, places);
  let texts: ReadonlyMap<number, Uint8Array>;
  try {
    texts = unpackBonn(bytes, file);
  } catch (cause) {
    throw changed(file, 'is no zip archive', places, cause);
  }
  if (bonnDigest(texts) !== bonnContents[set]) throw changed(file, 'holds other segments than the collection', places);
  archives.set(key, texts);
  return texts;
}

function changed(file: string, why: string, places: RecordingPlaces, cause?: unknown): DatasetError {
  // What is fetched goes into the cache, which is read before a mirror.
  const withoutMirror = places.mirror !== null && file.startsWith(join(places.mirror, '')) ? 'VITALWIRE_DATASETS_MIRROR=none ' : '';
  return new DatasetError(
    'DATA_FILE_CHANGED',
    `${file} ${why}; 'vitalwire datasets verify bonn' compares it, '${withoutMirror}vitalwire datasets fetch bonn' fetches it again`,
    { cause },
  );
}
