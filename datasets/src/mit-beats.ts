import type { NumericStream } from '@vitalwire/contract';
import { type Mark, readMarks } from './annotations/mit-annotations.ts';
import { DatasetError } from './dataset-error.ts';
import { findRecording, type RecordingPlaces, recordingPlaces } from './recordings/places.ts';
import { notHere, readPublishedFile } from './recordings/published-file.ts';

/** The vital that the beats give. */
export const beatsStream = 'heart-rate' satisfies NumericStream;

/** One heart beat of MIT-BIH record 100. */
export type Beat = {
  readonly atMs: number; // since the start of the record
  readonly rrMs: number; // to the beat before
  readonly bpm: number; // 60,000 / rrMs, two decimals
  readonly kind: 'N' | 'A' | 'V'; // normal, atrial premature, ventricular premature
};

/** As the publisher keeps the beats, and as a mirror may keep their first 15 minutes. */
const published = 'mitdb/100.atr';
const converted = 'heart-rate/mitdb-100-beats-0-15min.csv';

const RECORD_HZ = 360;
const SERIES_S = 900;
// WFDB's codes of beats (annot(5)): 1 normal, 5 ventricular premature, 8 atrial premature.
const kinds: Readonly<Record<number, Beat['kind']>> = { 1: 'N', 5: 'V', 8: 'A' };

let beats: { readonly from: string; readonly beats: readonly Beat[] } | undefined;

/** Whether the beats are on this machine. */
export function hasMitBeats(places: RecordingPlaces = recordingPlaces()): boolean {
  return [published, converted].some((path) => findRecording(path, places) !== null);
}

/** The first 15 minutes of beats, in time order. */
export function readMitBeats(places: RecordingPlaces = recordingPlaces()): readonly Beat[] {
  const path = [published, converted].find((one) => findRecording(one, places) !== null);
  if (path === undefined) throw notHere('mitdb', places);
  const { file, bytes } = readPublishedFile(path, places);
  if (beats?.from !== file)
    beats = { from: file, beats: path === published ? beatsOf(bytes, file) : parseBeats(new TextDecoder().decode(bytes)) };
  return beats.beats;
}

/** Reads the beats of an annotation file of record 100; the interval of a beat is that to the beat before. */
export function beatsOf(annotations: Uint8Array, name: string): Beat[] {
  const { marks } = readMarks(annotations, []);
  const found = marks.filter(({ code }) => kinds[code] !== undefined);
  if (found.length < 2) throw new DatasetError('DATA_FILE_MALFORMED', `${name} holds ${found.length} beats, expected some hundreds`);
  return found.slice(1).flatMap((mark, index) => {
    const [kind, rr] = [kinds[mark.code], mark.sample - (found[index] as Mark).sample];
    if (kind === undefined || mark.sample >= SERIES_S * RECORD_HZ || rr <= 0) return [];
    const rrMs = Math.round((rr * 10_000) / RECORD_HZ) / 10;
    return [{ atMs: Math.round((mark.sample * 1_000) / RECORD_HZ), rrMs, bpm: Math.round(((60 * RECORD_HZ) / rr) * 100) / 100, kind }];
  });
}

/** Reads `time_s,rr_ms,bpm,beat`. */
export function parseBeats(csv: string): Beat[] {
  const [header, ...lines] = csv.trimEnd().split(/\r?\n/);
  if (header !== 'time_s,rr_ms,bpm,beat') throw new DatasetError('DATA_FILE_MALFORMED', `beats header is ${JSON.stringify(header)}`);
  return lines.map((line, index) => {
    const [time, rr, bpm, kind] = line.split(',');
    const beat = { atMs: Math.round(Number(time) * 1000), rrMs: Number(rr), bpm: Number(bpm) };
    if (!Object.values(beat).every(Number.isFinite) || (kind !== 'N' && kind !== 'A' && kind !== 'V')) {
      throw new DatasetError('DATA_FILE_MALFORMED', `beats line ${index + 2}: ${JSON.stringify(line.slice(0, 40))}`);
    }
    return { ...beat, kind };
  });
}
