import { existsSync } from 'node:fs';
import path from 'node:path';
import { findRecording, mirrorFolder, recordingPlaces } from '@vitalwire/datasets';

/** Other people's recordings that suites read: none is in the tree, so a suite stands in the mirror or the cache, or is skipped and counted. */
export type Recordings = {
  readonly here: boolean;
  /** The place of a file of the collection. */
  file(name: string): string;
};

// A file that is there when the collection is.
const signs = { bonn: 'bonn/S.zip', edf: 'edf/README.md', 'heart-rate': 'heart-rate/README.md' } as const;

/**
 * A collection of the mirror (`VITALWIRE_DATASETS_MIRROR`, or `shared/data` beside the checkout); Bonn may also be in the cache. Under `CI=true`,
 * where nothing may be skipped, a collection that is not there is an error.
 */
export function recordings(collection: keyof typeof signs): Recordings {
  const places = recordingPlaces();
  const sign = collection === 'bonn' ? findRecording(signs.bonn, places) : inMirror(signs[collection]);
  const here = sign !== null;
  if (!here && process.env['CI'] === 'true')
    throw new Error(
      `the recordings '${collection}' are not here: put a mirror beside the checkout (shared/data) or name one with VITALWIRE_DATASETS_MIRROR`,
    );
  return {
    here,
    file: (name) => path.join(sign === null ? path.join('no-recordings', collection) : path.dirname(sign), ...name.split('/')),
  };
}

function inMirror(sign: string): string | null {
  return (
    mirrorFolder(recordingPlaces())
      .map((folder) => path.join(folder, sign))
      .find((file) => existsSync(file)) ?? null
  );
}
