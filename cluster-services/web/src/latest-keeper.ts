import { type DetectionInfo, Detections, Latest, type LatestOfDevice } from '@vitalwire/contract';
import type { Clock, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import { recentRule } from '@vitalwire/vitals';
import type { ServiceLink } from './service-link.ts';
import { takeStored } from './stored-latest.ts';
import type { Ward } from './ward.ts';

/** How often what is wanting is looked for. */
const LOOK_MS = 1_000;
/** Devices asked about at once: the others' turn comes with the next look. */
const DEVICES_PER_LOOK = 64;
/** Without an answer it is asked again after this long; where storage does not know either, ever more seldom. */
const AGAIN_MS = 2_000;
const MOST_SELDOM_MS = 30_000;

export type LatestKeeperOptions = {
  readonly storage: Pick<ServiceLink, 'getJson'>;
  readonly ward: Ward;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Asks storage for what the live stream cannot tell: the latest values of before this service listened, and whether a recording is a replay
 * whose start record was not heard. Live values never wait for it.
 */
export class LatestKeeper implements Lifecycle {
  readonly #options: LatestKeeperOptions;
  #isWanted = true; // everything of everybody
  #notBeforeMs = 0;
  #againMs = AGAIN_MS;
  #unmarked: readonly string[] = []; // as they were after the last look
  #turn = 0; // whose turn it is, where not all are asked about at once
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: LatestKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#later(0); // a dead database must not hold up the start
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Messages may have been missed. */
  refresh(): void {
    this.#isWanted = true;
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#looking = this.#look().finally(() => this.#later(LOOK_MS));
    });
  }

  async #look(): Promise<void> {
    const { storage, clock, log } = this.#options;
    if (clock.monotonicMs() < this.#notBeforeMs) return;
    try {
      if (this.#isWanted) {
        this.#isWanted = false;
        const { devices } = await storage.getJson('/v1/latest', Latest);
        for (const device of devices) await this.#take(device);
      }
      await this.#askForMarks();
    } catch (err) {
      this.#isWanted = true;
      this.#notBeforeMs = clock.monotonicMs() + AGAIN_MS;
      log.debug({ err }, 'the latest values were not answered'); // the link says so once, aloud
    }
  }

  async #askForMarks(): Promise<void> {
    const { storage, ward, clock } = this.#options;
    const unmarked = ward.unmarkedDevices();
    if (unmarked.length === 0) return;
    const from = this.#turn < unmarked.length ? this.#turn : 0;
    const asked = unmarked.slice(from, from + DEVICES_PER_LOOK);
    for (const device of asked) {
      const { devices } = await storage.getJson(`/v1/latest?device=${encodeURIComponent(device)}`, Latest);
      for (const one of devices) await this.#take(one);
    }
    this.#turn = from + asked.length;
    const left = ward.unmarkedDevices();
    const isNews = left.length < unmarked.length || left.some((device) => !this.#unmarked.includes(device));
    this.#againMs = isNews ? AGAIN_MS : Math.min(this.#againMs * 2, MOST_SELDOM_MS);
    this.#unmarked = left;
    this.#notBeforeMs = clock.monotonicMs() + this.#againMs;
  }

  async #take(latest: LatestOfDevice): Promise<void> {
    if (this.#stopped) return;
    takeStored(this.#options.ward, latest, latest.detection === null ? [] : await this.#windows(latest.detection));
  }

  // The state word is the agreement of the latest windows, not of one.
  async #windows({ recordingId, modelHash, window }: NonNullable<LatestOfDevice['detection']>): Promise<readonly DetectionInfo[]> {
    const fromWindow = Math.max(0, window - 2 * recentRule.windows + 1);
    const query = new URLSearchParams({ model: modelHash, fromWindow: String(fromWindow), toWindow: String(window) });
    const { detections } = await this.#options.storage.getJson(`/v1/recordings/${recordingId}/detections?${query}`, Detections);
    return detections;
  }
}
