import { readBundledFile } from './bundled-file.ts';
import { DatasetError } from './dataset-error.ts';

/** One heart beat of MIT-BIH record 100. */
export type Beat = {
  readonly atMs: number; // since the start of the record
  readonly rrMs: number; // to the beat before
  readonly bpm: number; // 60,000 / rrMs, two decimals
  readonly kind: 'N' | 'A' | 'V'; // normal, atrial premature, ventricular premature
};

let beats: readonly Beat[] | undefined;

/** The bundled 15 minutes of beats, in time order. */
export function readMitBeats(): readonly Beat[] {
  beats ??= parseBeats(new TextDecoder().decode(readBundledFile('heart-rate/mitdb-100-beats-0-15min.csv')));
  return beats;
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
