import { z } from 'zod';
import { isSafePath } from './safe-path.ts';

/** The file of a publisher that lists the SHA-256 of every other: what PhysioNet puts beside its data. */
export const publisherListing = 'SHA256SUMS.txt';

const CataloguedFile = z.strictObject({
  path: z.string().refine(isSafePath, 'expected a relative path with / and without ..'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 small hexadecimal digits'),
  bytes: z.int().min(0).optional(),
  /** The file's own address, where it is not the set's with the path behind it. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** What the checksum is of, where it is not the bytes of the file: the segments in an archive of the Bonn collection, however packed. */
  contents: z.literal('bonn-segments').optional(),
});

/** A collection of recordings as a catalogue file describes it. */
export const CatalogueEntry = z
  .strictObject({
    name: z
      .string()
      .max(63)
      .regex(/^[a-z0-9][a-z0-9-]*$/, 'expected small letters, digits and -'),
    title: z.string().min(1).max(200),
    licence: z.string().min(1).max(200),
    licenceUrl: z.url({ protocol: /^https?$/ }).optional(),
    citation: z.string().min(1).max(2_000),
    doi: z
      .string()
      .regex(/^10\.\d{4,9}\/\S+$/, 'expected 10.number/name')
      .optional(),
    about: z.string().max(2_000).default(''),
    /** Roughly how much all of it is, in words, where nobody measured it. */
    size: z.string().max(100).optional(),
    /** Where the files are; a path of a file is appended to it. */
    url: z.url({ protocol: /^https?$/ }).optional(),
    /** Files with their checksums; or leave it out and name the `listing` beside the files. */
    files: z.array(CataloguedFile).min(1).max(100_000).optional(),
    listing: z.string().refine(isSafePath, 'expected a relative path').optional(),
  })
  .refine((entry) => (entry.files === undefined) !== (entry.listing === undefined), {
    message: `expected either files (path, sha256, bytes) or listing (${publisherListing}), and not both`,
  })
  .refine((entry) => new Set(entry.files?.map((file) => file.path)).size === (entry.files?.length ?? 0), {
    message: 'expected every path once',
    path: ['files'],
  });
export type CatalogueEntry = z.infer<typeof CatalogueEntry>;
export type CataloguedFile = z.infer<typeof CataloguedFile>;
export type FileContents = NonNullable<CataloguedFile['contents']>;

/** A catalogue file: what a person adds. */
export const CatalogueFile = z.strictObject({ datasets: z.array(CatalogueEntry).min(1).max(1_000) });

/** An entry and where it comes from: our catalogue, or a file of the user. */
export type Dataset = CatalogueEntry & { readonly origin: 'built-in' | 'own'; readonly definedIn: string | null };

/** Where the checksums of an entry that lists its files come from, in words. */
export function checksumsNamed({ origin, definedIn }: Dataset): string {
  return origin === 'own' ? `the catalogue file ${definedIn}` : 'this software, computed from what was published';
}
