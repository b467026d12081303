import { AlarmLog, AlarmsNow } from '@vitalwire/contract';
import type { Clock, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import type { AlarmBoard } from './alarm-board.ts';
import type { ServiceLink } from './service-link.ts';

const RETRY_MS = 2_000;
/** Pages of the stored log that are read at most: beyond it the newest lines come over the stream. */
const MAX_PAGES = 40;

export type AlarmKeeperOptions = {
  readonly alarms: ServiceLink | null; // null = no address is configured
  readonly storage: ServiceLink;
  readonly board: AlarmBoard;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Fills the board where the stream cannot: at the start, and whenever lines may have been missed. The alarms service knows best; while it
 * does not answer the stored log says what had not ended, and the service is asked again until it answers.
 */
export class AlarmKeeper implements Lifecycle {
  readonly #options: AlarmKeeperOptions;
  #timer: Timer | null = null;
  #asking: Promise<void> | null = null;
  #isWanted = false;
  #hasStored = false;
  #stopped = false;

  constructor(options: AlarmKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.refresh(); // nobody waits for it: a dead service must not hold up the start
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#asking;
  }

  /** Lines may have been missed: asks now, or once more after the question that is under way. */
  refresh(): void {
    if (this.#stopped) return;
    this.#isWanted = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
      if (this.#isWanted && !this.#stopped) this.#timer = this.#options.clock.setTimer(RETRY_MS, () => this.refresh());
    });
  }

  async #ask(): Promise<void> {
    this.#isWanted = false;
    if (await this.#askService()) return;
    if (!this.#hasStored) this.#hasStored = await this.#askStorage();
    this.#isWanted = this.#options.alarms !== null || !this.#hasStored;
  }

  async #askService(): Promise<boolean> {
    const { alarms, board, clock, log } = this.#options;
    if (alarms === null) return false;
    const askedAtMs = clock.monotonicMs();
    try {
      board.takeAnswer(await alarms.getJson('/v1/alarms', AlarmsNow), askedAtMs, clock.monotonicMs());
      return true;
    } catch (err) {
      log.debug({ err }, 'the present alarms were not answered'); // the link says so once, aloud
      return false;
    }
  }

  async #askStorage(): Promise<boolean> {
    const { storage, board, clock, log } = this.#options;
    try {
      let cursor: string | null = null;
      for (let page = 0; page < MAX_PAGES; page++) {
        const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const { lines, next }: AlarmLog = await storage.getJson(`/v1/alarm-log?open=true${query}`, AlarmLog);
        board.takeStored(lines, clock.monotonicMs());
        if (next === null) return true;
        cursor = next;
      }
      log.warn({ pages: MAX_PAGES }, 'more stored alarms than are read at a start; the newest come over the stream');
      return true;
    } catch (err) {
      log.debug({ err }, 'the stored alarms were not answered');
      return false;
    }
  }
}
