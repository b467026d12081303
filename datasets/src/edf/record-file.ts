import type { FileHandle } from 'node:fs/promises';
import { RecentMap } from '@vitalwire/contract';
import { DatasetError } from '../dataset-error.ts';
import type { EdfHeader } from './header.ts';

/** Records are read in blocks of about this size; a larger record is never read as a whole. */
const BLOCK_BYTES = 256 * 1024;

/** Blocks kept: a reader of each of a few groups, each at its own place. */
const KEPT_BLOCKS = 4;

/** The data records of an open file, by number, in bounded memory. */
export class RecordFile {
  readonly records: number;
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #header: EdfHeader;
  readonly #perBlock: number; // whole records; 0: a record is too large for a block
  readonly #blocks = new RecentMap<number, Promise<Uint8Array>>(KEPT_BLOCKS);

  constructor(name: string, handle: FileHandle, header: EdfHeader, records: number) {
    this.records = records;
    this.#name = name;
    this.#handle = handle;
    this.#header = header;
    this.#perBlock = Math.floor(BLOCK_BYTES / Math.max(1, header.recordBytes));
  }

  /** `length` bytes of a record from `offset` on. Valid until the next call: it may be a view into a block. */
  async bytes(record: number, offset: number, length: number): Promise<Uint8Array> {
    const { headerBytes, recordBytes } = this.#header;
    if (this.#perBlock === 0) return this.#readAt(headerBytes + record * recordBytes + offset, length);
    const block = await this.#block(Math.floor(record / this.#perBlock));
    const start = (record % this.#perBlock) * recordBytes + offset;
    return block.subarray(start, start + length);
  }

  #block(number: number): Promise<Uint8Array> {
    const kept = this.#blocks.get(number);
    if (kept !== undefined) {
      this.#blocks.renew(number, kept);
      return kept;
    }
    const { headerBytes, recordBytes } = this.#header;
    const first = number * this.#perBlock;
    const records = Math.min(this.#perBlock, this.records - first);
    const read = this.#readAt(headerBytes + first * recordBytes, records * recordBytes);
    this.#blocks.set(number, read);
    read.catch(() => this.#blocks.delete(number));
    return read;
  }

  async #readAt(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, position + done);
      if (bytesRead === 0) {
        throw new DatasetError('DATA_FILE_UNREADABLE', {
          file: this.#name,
          at: position + done,
          unit: 'byte',
          field: 'data record',
          found: 'the end of the file: it became shorter while it was read',
          expected: `${length - done} bytes more`,
        });
      }
      done += bytesRead;
    }
    return bytes;
  }
}
