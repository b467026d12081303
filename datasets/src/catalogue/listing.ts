import { DatasetError } from '../dataset-error.ts';
import type { Checksum } from './dataset-lock.ts';
import { isSafePath } from './safe-path.ts';

/** A listing is text; PhysioNet's largest are a few MB. */
export const maxListingBytes = 32 * 1024 * 1024;

/** Reads `<sha256> <path>` lines, as sha256sum writes them and PhysioNet publishes them. Every bad line is an error: half a list is none. */
export function parseListing(text: string, name: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const refuse = (expected: string) =>
      new DatasetError('LISTING_MALFORMED', `${name} line ${index + 1}: found ${JSON.stringify(line.slice(0, 120))}, expected ${expected}`);
    const match = /^([0-9a-fA-F]{64}) [ *]?(.+)$/.exec(line);
    const [sha256, path] = [match?.[1]?.toLowerCase(), match?.[2]?.replace(/^\.\//, '')];
    if (sha256 === undefined || path === undefined) throw refuse('64 hexadecimal digits, a space and a path');
    if (!isSafePath(path)) throw refuse('a path inside the data set');
    const before = sums.get(path);
    if (before !== undefined && before !== sha256) throw refuse(`one checksum for ${path}, and line before said ${before}`);
    sums.set(path, sha256);
  }
  if (sums.size === 0) throw new DatasetError('LISTING_MALFORMED', `${name} names no file`);
  return sums;
}

/** A listing's sums, as checksums of the bytes of files. */
export function asChecksums(listed: ReadonlyMap<string, string>): Map<string, Checksum> {
  return new Map([...listed].map(([path, sha256]) => [path, { sha256 }]));
}
