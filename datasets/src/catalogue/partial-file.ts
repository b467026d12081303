import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from './make-directory.ts';

/** A file on its way: the bytes in `<name>.part`, what they are a part of in `<name>.part.json`. The final name exists only when it is whole and right. */
export class PartialFile {
  readonly path: string;
  readonly #final: string;
  readonly #sha256: string;

  constructor(final: string, sha256: string) {
    this.#final = final;
    this.#sha256 = sha256;
    this.path = `${final}.part`;
  }

  /** What an earlier attempt left of the same file: its length and validator; nothing when it was another file's. */
  async left(): Promise<{ readonly bytes: number; readonly validator: string | null }> {
    const nothing = { bytes: 0, validator: null };
    try {
      const note: unknown = JSON.parse(await readFile(`${this.path}.json`, 'utf8'));
      if (typeof note !== 'object' || note === null || !('sha256' in note) || note.sha256 !== this.#sha256) return nothing;
      const validator = 'validator' in note && typeof note.validator === 'string' ? note.validator : null;
      return { bytes: (await stat(this.path)).size, validator };
    } catch {
      return nothing;
    }
  }

  /** Notes what the bytes to come are a part of, before the first of them. */
  async begin(validator: string | null): Promise<void> {
    await makeDirectory(dirname(this.path));
    await writeFile(`${this.path}.json`, `${JSON.stringify({ sha256: this.#sha256, validator })}\n`);
  }

  /** The hash of the first `bytes` bytes, to be continued. */
  async hashOf(bytes: number): Promise<Hash> {
    const hash = createHash('sha256');
    if (bytes === 0) return hash;
    for await (const chunk of createReadStream(this.path, { end: bytes - 1 })) hash.update(chunk as Buffer);
    return hash;
  }

  /** Writes from byte `at` on; whatever was behind it is cut off first. */
  async write(at: number, body: AsyncIterable<Uint8Array>, eachChunk: (chunk: Uint8Array) => void): Promise<void> {
    const file = await open(this.path, at === 0 ? 'w' : 'r+');
    try {
      await file.truncate(at);
      let place = at;
      for await (const chunk of body) {
        for (let done = 0; done < chunk.length; ) {
          const { bytesWritten } = await file.write(chunk, done, chunk.length - done, place);
          done += bytesWritten;
          place += bytesWritten;
        }
        eachChunk(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Whole and right: it gets its name. */
  async finish(): Promise<void> {
    await rename(this.path, this.#final);
    await rm(`${this.path}.json`, { force: true });
  }

  async discard(): Promise<void> {
    await rm(this.path, { force: true });
    await rm(`${this.path}.json`, { force: true });
  }
}
