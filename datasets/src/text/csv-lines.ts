import type { FileHandle } from 'node:fs/promises';
import { DatasetError } from '../dataset-error.ts';

export type TextLine = {
  readonly text: string; // without its end
  readonly offset: number; // bytes
  readonly next: number; // where the next line begins
};

const CHUNK_BYTES = 64 * 1024;

/** No row of a recording is longer; a file without line ends is none. */
const MAX_LINE_BYTES = 1024 * 1024;

/** The lines of a file from a byte on, in bounded memory. */
export async function* linesFrom(file: string, handle: FileHandle, from: number): AsyncGenerator<TextLine> {
  let rest = Buffer.alloc(0);
  let restAt = from;
  for (;;) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, restAt + rest.length);
    const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = bytes.indexOf(10, start); end !== -1; end = bytes.indexOf(10, start)) {
      yield { text: textOf(bytes, start, end), offset: restAt + start, next: restAt + end + 1 };
      start = end + 1;
    }
    rest = bytes.subarray(start);
    restAt += start;
    if (bytesRead === 0) {
      if (rest.length > 0) yield { text: textOf(rest, 0, rest.length), offset: restAt, next: restAt + rest.length };
      return;
    }
    if (rest.length > MAX_LINE_BYTES) {
      const expected = `a line end within ${MAX_LINE_BYTES} bytes`;
      throw new DatasetError('DATA_FILE_MALFORMED', { file, at: restAt, unit: 'byte', field: 'line', found: 'a longer line', expected });
    }
  }
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const stop = end > start && bytes[end - 1] === 13 ? end - 1 : end;
  const text = bytes.toString('utf8', start, stop);
  return start === 0 && text.startsWith('\uFEFF') ? text.slice(1) : text;
}
