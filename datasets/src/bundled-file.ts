import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DatasetError } from './dataset-error.ts';

/** The SHA-256 of every bundled file we read: a changed file is refused, never replayed as if it were the original. */
export const bundledFiles = {
  'bonn/Z.zip': 'ac7a12ca0af2b43b738226377d6184b86d16ff76de86de8edf7498585ed9c1ac',
  'bonn/O.zip': '126db9b853d74e5bccbd8e0605c0e10b201ff008dc670899acef3caeb2e5c70f',
  'bonn/N.zip': '5e263948e30b65bc950db03b8752be9d5cf08203309ba66947b98f98d4d3e772',
  'bonn/F.zip': '8ee58b82f598293102bbf947f39a18fe15945adece578fef7d6d4287217b17bf',
  'bonn/S.zip': '651f7f4043d68975e37209487d47aa664657a44ef50be7629dd9acb33602b4a6',
  'heart-rate/mitdb-100-beats-0-15min.csv': '9cea2c61ddf1ab70e923673841b53885db37edd405856f11b46f421a2fc99b32',
} as const;

export type BundledFile = keyof typeof bundledFiles;

/** Where the bundled files are: the same folder seen from src/ and from dist/. */
export const bundledDataUrl = new URL('../data/', import.meta.url);

/** The bytes of a bundled file, after its checksum was compared. */
export function readBundledFile(name: BundledFile, folder: URL = bundledDataUrl): Uint8Array {
  const path = fileURLToPath(new URL(name, folder));
  const bytes = readOrExplain(path);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== bundledFiles[name]) {
    throw new DatasetError(
      'DATA_FILE_CHANGED',
      `${path} has SHA-256 ${found}, expected ${bundledFiles[name]}; restore it from the repository`,
    );
  }
  return bytes;
}

function readOrExplain(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new DatasetError('DATA_FILE_MISSING', `${path}; restore it from the repository`, { cause });
  }
}
