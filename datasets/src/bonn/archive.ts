import { createHash } from 'node:crypto';
import { unzipSync } from 'fflate';
import { DatasetError } from '../dataset-error.ts';

/** Segments of each set that we know by their bytes; the collection has 100. */
export const bonnKnownSegments = 80;

/**
 * SHA-256 over the bytes of the texts 001 to 080 of each set, in this order. The collection is packed differently wherever it is kept (all 100
 * segments or some, in a folder or not, other dates), so it is what is inside that is compared. Computed from the texts as published.
 */
export const bonnContents = {
  Z: '41d9ef2b77ae301d281cf212011ffdd96dc019f865c4e78657e501695078a6eb',
  O: 'c589c8044cfca9f2752a60600a830fd42199bca857755d073f33fbf03162b836',
  N: '4036b8bd761c7f87e39dbb2c21059b7d971546ed6509431d843151fdf37a4d5f',
  F: '61d9854effeef40b1f2db5ed70eedb8191d13eda8a715dc9853855e660841280',
  S: '46c7d8da3e8431bf02a144cc53f853b3063e218256304f3be9a1b67e3fc689ea',
} as const;

/** The texts in an archive by their numbers. Set N's files end in .TXT, all others in .txt. */
export function unpackBonn(archive: Uint8Array, name: string): ReadonlyMap<number, Uint8Array> {
  const texts = new Map<number, Uint8Array>();
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(archive);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatasetError('DATA_FILE_MALFORMED', `${name} is no zip archive (${reason})`, { cause });
  }
  for (const [path, text] of Object.entries(files)) {
    const number = /(?:^|\/)[ZONFS](\d{3})\.txt$/i.exec(path)?.[1];
    if (number !== undefined) texts.set(Number(number), text);
  }
  return texts;
}

/** What `bonnContents` pins, of these texts; a text that is not there counts as empty. */
export function bonnDigest(texts: ReadonlyMap<number, Uint8Array>): string {
  const hash = createHash('sha256');
  for (let number = 1; number <= bonnKnownSegments; number++) hash.update(texts.get(number) ?? new Uint8Array());
  return hash.digest('hex');
}
