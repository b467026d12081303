import { join } from 'node:path';
import { DeviceOwners, Registry } from '@vitalwire/contract';
import { type Clock, type HttpClient, KeptJson, type Lifecycle, type Log, type Timer } from '@vitalwire/runtime';
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
  readonly #file: KeptJson<Kept>;
  #text = '';
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: OwnersKeeperOptions) {
    this.#options = options;
    const path = options.dataDir === '' ? null : join(options.dataDir, 'owners.json');
    this.#file = new KeptJson({ path, schema: Kept, what: 'the owners of devices', log: options.log });
  }

  async start(): Promise<void> {
    const kept = await this.#file.load();
    if (kept !== null) this.owners.take(kept);
    this.#look(); // nobody waits for it: a dead database must not hold up the start
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
    await this.#file.saved();
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
      if (text !== this.#text) void this.#file.save(kept);
      this.#text = text;
    } catch (error) {
      log.debug({ err: error }, 'the registry was not answered; the owners last known hold'); // catching up says so aloud
    }
  }
}
