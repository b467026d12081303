import { readFileSync } from 'node:fs';
import { DatasetError } from '../dataset-error.ts';
import { findRecording, type RecordingPlaces, recordingPlaces } from './places.ts';

/** The bytes of a file of a data set, from wherever it is on this machine; an error says how to get it. */
export function readPublishedFile(path: string, places: RecordingPlaces = recordingPlaces()): { file: string; bytes: Uint8Array } {
  const file = findRecording(path, places);
  if (file === null) throw notHere(path.split('/')[0] ?? path, places);
  try {
    return { file, bytes: readFileSync(file) };
  } catch (cause) {
    throw new DatasetError('DATA_FILE_UNREADABLE', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** What to say where a data set is needed that is not here. */
export function notHere(dataset: string, { cache, mirror }: RecordingPlaces): DatasetError {
  const looked = mirror === null ? cache : `${cache} and ${mirror}`;
  return new DatasetError(
    'RECORDINGS_MISSING',
    `${dataset} is neither part of this software nor in ${looked}; 'vitalwire datasets fetch ${dataset}' fetches it, and VITALWIRE_DATASETS_MIRROR names a folder that has a copy`,
  );
}
