import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError } from '../dataset-error.ts';

/** Where files come from: a server or a directory. */
export type FileSource = {
  /** How a person calls it; never with a password. */
  readonly name: string;
  /** Opens a file from byte `from` on. The source may answer with the whole file instead; `startsAt` says which. */
  open(path: string, from: number, validator: string | null, signal: AbortSignal): Promise<OpenedFile>;
  close(): Promise<void>;
};

export type OpenedFile = {
  readonly startsAt: number;
  readonly totalBytes: number | null; // of the whole file, if the source says
  /** What tells that a later answer is of the same file: a strong entity tag or a date of change. */
  readonly validator: string | null;
  readonly body: AsyncIterable<Uint8Array>;
};

/** A failure that another attempt may mend, perhaps not before `afterMs`. */
export class PassingFailure extends Error {
  readonly afterMs: number | null;
  constructor(message: string, afterMs: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PassingFailure';
    this.afterMs = afterMs;
  }
}

/** A copy on a disk: a mirror, a USB drive, a share. */
export function directorySource(directory: string): FileSource {
  return {
    name: directory,
    async open(path, from) {
      const file = join(directory, ...path.split('/'));
      const found = await stat(file).catch((cause: unknown) => {
        throw new DatasetError('SOURCE_REFUSED', `${file} cannot be read (${codeOf(cause)}); is the copy complete?`, { cause });
      });
      if (!found.isFile()) throw new DatasetError('SOURCE_REFUSED', `${file} is no file`);
      const startsAt = from <= found.size ? from : 0;
      return {
        startsAt,
        totalBytes: found.size,
        validator: `"${found.size}-${found.mtimeMs}"`,
        body: createReadStream(file, { start: startsAt }),
      };
    },
    async close() {},
  };
}

export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'unknown reason';
}
