import { type Problem, Registry } from '@vitalwire/contract';
import type { Clock, KeptJson, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import type { Montages } from './montages.ts';
import { wardRegistry } from './registry.ts';
import type { ServiceLink } from './service-link.ts';
import type { Snapshot } from './snapshot.ts';
import type { Ward } from './ward.ts';

const POLL_MS = 2_000;
const SAVE_DELAY_MS = 500;

export type RegistryKeeperOptions = {
  storage: ServiceLink;
  snapshot: KeptJson<Snapshot>;
  ward: Ward;
  montages: Montages;
  clock: Clock;
  log: Log;
  onChanged: (revision: number) => void;
};

/** Keeps who-wears-what up to date from storage, and on a small local file, so that screens start and go on without a database. */
export class RegistryKeeper implements Lifecycle {
  readonly #options: RegistryKeeperOptions;
  #registry: Registry | null = null;
  #pollTimer: Timer | null = null;
  #saveTimer: Timer | null = null;
  #polling: Promise<void> | null = null;
  #stopped = false;
  #problems: readonly Problem[] = [];

  constructor(options: RegistryKeeperOptions) {
    this.#options = options;
  }

  /** What is known, however old; null before the first answer ever. */
  get registry(): Registry | null {
    return this.#registry;
  }

  /** What is wrong with the databases, as storage said last. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  async start(): Promise<void> {
    const { snapshot, montages } = this.#options;
    const kept = await snapshot.load();
    if (kept !== null) {
      for (const montage of kept.montages) montages.remember(montage);
      if (kept.registry !== null) this.#use(kept.registry);
    }
    void this.refresh(); // a dead database must not hold up the start
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pollTimer?.cancel();
    await this.#polling;
    if (this.#saveTimer !== null) {
      this.#saveTimer.cancel();
      await this.#save();
    }
  }

  /** Asks storage now; one question at a time. */
  refresh(): Promise<void> {
    this.#pollTimer?.cancel();
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = null;
      if (!this.#stopped) this.#pollTimer = this.#options.clock.setTimer(POLL_MS, () => void this.refresh());
    });
    return this.#polling;
  }

  /** Writes the snapshot soon; many wishes within a moment are one write. */
  saveSoon(): void {
    if (this.#stopped) return;
    this.#saveTimer ??= this.#options.clock.setTimer(SAVE_DELAY_MS, () => {
      this.#saveTimer = null;
      void this.#save();
    });
  }

  async #poll(): Promise<void> {
    let registry: Registry;
    try {
      registry = await this.#options.storage.getJson('/v1/registry', Registry);
    } catch (err) {
      this.#options.log.debug({ err }, 'the registry was not answered'); // the link says so once, aloud
      return;
    }
    this.#problems = registry.problems ?? [];
    if (registry.revision === this.#registry?.revision) {
      this.#useAssignmentsOfNow(registry);
      return;
    }
    this.#use(registry);
    this.#options.onChanged(registry.revision);
    this.saveSoon();
  }

  #use(registry: Registry): void {
    this.#registry = registry;
    const nowUs = this.#options.clock.nowUs();
    this.#options.ward.setRegistry(wardRegistry(registry, nowUs), registry);
  }

  // An assignment can begin or end without a new revision: its time has come.
  #useAssignmentsOfNow(registry: Registry): void {
    const now = wardRegistry(registry, this.#options.clock.nowUs());
    const known = this.#options.ward.registry().patientOfDevice;
    const same =
      now.patientOfDevice.size === known.size && [...now.patientOfDevice].every(([device, patient]) => known.get(device) === patient);
    if (!same) this.#options.ward.setRegistry(now);
  }

  #save(): Promise<void> {
    const { snapshot, clock, montages } = this.#options;
    return snapshot.save({ version: 1, savedAtUs: clock.nowUs(), registry: this.#registry, montages: montages.all() });
  }
}
