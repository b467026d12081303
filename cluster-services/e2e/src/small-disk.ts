import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const FILL_EVERY_MS = 200;
const BLOCK = Buffer.alloc(16 * 1024, 1);

/** A disk of a few megabytes (a tmpfs) that another program can fill, and that can be made larger while it is in use. */
export class SmallDisk {
  readonly path: string;
  readonly #ballast: string;
  #filling: NodeJS.Timeout | null = null;

  private constructor(path: string) {
    this.path = path;
    this.#ballast = join(path, 'of-another-program');
  }

  /** Mounts one at `path`, which is made if it is not there. Throws where this machine does not allow it. */
  static mount(path: string, megabytes: number): SmallDisk {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', path], { stdio: 'pipe' });
    return new SmallDisk(path);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Takes every byte there is and every byte that comes free, like a program that writes without end. */
  fill(): void {
    this.#fillOnce();
    this.#filling = setInterval(() => this.#fillOnce(), FILL_EVERY_MS);
  }

  /** Ends the filling and makes the disk larger; what was written stays. */
  grow(megabytes: number): void {
    this.#stopFilling();
    execFileSync('mount', ['-o', `remount,size=${megabytes}m`, this.path], { stdio: 'pipe' });
  }

  unmount(): void {
    this.#stopFilling();
    rmSync(this.#ballast, { force: true });
    execFileSync('umount', ['-l', this.path], { stdio: 'pipe' });
  }

  #stopFilling(): void {
    if (this.#filling !== null) clearInterval(this.#filling);
    this.#filling = null;
  }

  #fillOnce(): void {
    const file = openSync(this.#ballast, 'a', 0o600);
    try {
      while (this.freeBytes > 0) writeSync(file, BLOCK);
      fsyncSync(file);
    } catch {
      // full, as wished
    } finally {
      closeSync(file);
    }
  }
}
