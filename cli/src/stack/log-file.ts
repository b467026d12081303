import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

const MAX_BYTES = 8 * 1024 * 1024;

/** A log on disk that never grows beyond twice 8 MB: when full it becomes `<name>.log.1` and a new one begins. */
export class LogFile {
  readonly path: string;
  #fd: number;
  #bytes: number;

  constructor(directory: string, name: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.path = path.join(directory, `${name}.log`);
    this.#fd = openSync(this.path, 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  /** Writes at once. A log that cannot be written (full disk) must not stop what it describes: the lines are dropped. */
  write(chunk: Uint8Array): void {
    try {
      if (this.#bytes + chunk.byteLength > MAX_BYTES) this.#turn();
      writeSync(this.#fd, chunk);
      this.#bytes += chunk.byteLength;
    } catch {
      // The disk is full or gone; the services report that themselves.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #turn(): void {
    if (existsSync(this.path)) renameSync(this.path, `${this.path}.1`);
    // The old one is let go only when there is a new one: a number that is closed soon belongs to somebody else's file.
    const fresh = openSync(this.path, 'a', 0o600);
    closeSync(this.#fd);
    this.#fd = fresh;
    this.#bytes = 0;
  }
}
