import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DeviceOwners, Registry } from '@vitalwire/contract';
import type { Clock, HttpClient, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import { z } from 'zod';

export type OwnersKeeperOptions = {
  readonly http: Pick<HttpClient, 'getJson'>;
  /** '' keeps them in memory only. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn' | 'debug'>;
};

const LOOK_MS = 5_000;

const Kept = z.object({ devices: Registry.shape.devices, owners: Registry.shape.owners });
type Kept = z.infer<typeof Kept>;

/** Whose each device is, asked of storage every few seconds and kept on disk, so that a dead database changes nothing. */
export class OwnersKeeper implements Lifecycle {
  readonly owners = new DeviceOwners();
  readonly #options: OwnersKeeperOptions;
  readonly #path: string | null;
  #text = '';
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: OwnersKeeperOptions) {
    this.#options = options;
    this.#path = options.dataDir === '' ? null : join(options.dataDir, 'owners.json');
  }

  async start(): Promise<void> {
    const kept = this.#load();
    if (kept !== null) this.owners.take(kept);
    this.#look(); // nobody waits for it: a dead database must not hold up the start
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  #look(): void {
    this.#looking = this.#ask().finally(() => {
      if (!this.#stopped) this.#timer = this.#options.clock.setTimer(LOOK_MS, () => this.#look());
    });
  }

  async #ask(): Promise<void> {
    const { http, log } = this.#options;
    try {
      const { devices, owners } = await http.getJson('/v1/registry', Registry);
      const kept: Kept = { devices: devices.map((device) => ({ ...device, label: null })), owners };
      this.owners.take(kept);
      const text = JSON.stringify(kept);
      if (text !== this.#text) this.#save(text);
      this.#text = text;
    } catch (error) {
      log.debug({ err: error }, 'the registry was not answered; the owners last known hold'); // catching up says so aloud
    }
  }

  #load(): Kept | null {
    if (this.#path === null) return null;
    try {
      return Kept.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        this.#options.log.warn({ err: error, path: this.#path }, 'the owners of devices cannot be read; they come back with the registry');
      return null;
    }
  }

  // Replaced as a whole. A full disk must not stop scoring.
  #save(text: string): void {
    if (this.#path === null) return;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      writeFileSync(`${this.#path}.new`, text, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#options.log.warn({ err: error, path: this.#path }, 'the owners of devices could not be remembered on disk');
    }
  }
}
