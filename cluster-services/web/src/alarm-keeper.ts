import { type AlarmLine, AlarmLog, AlarmsNow } from '@vitalwire/contract';
import type { Clock, Lifecycle, Log, Timer } from '@vitalwire/runtime';
import { ALARMS_SERVICE, type AlarmBoard } from './alarm-board.ts';
import type { ServiceLink } from './service-link.ts';

const RETRY_MS = 2_000;
/** Pages of the stored log that are read at most: beyond it the newest lines come over the stream. */
const MAX_PAGES = 20;
/** A gateway's clock and the service's may differ: the log of a doubtful alarm is read from this long before it was raised. */
const CLOCKS_APART_US = 3_600_000_000;

export type AlarmKeeperOptions = {
  readonly alarms: Pick<ServiceLink, 'getJson'> | null; // null = no address is configured
  readonly storage: Pick<ServiceLink, 'getJson'>;
  readonly board: AlarmBoard;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Fills the board where the stream cannot: at the start, and whenever lines may have been missed. The alarms service knows best; at the
 * start the stored log says too what had not ended. Both are asked again until they have answered.
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
    const wasAnswered = await this.#askService();
    // Once at the start also where the service answered: one that has just started itself may not have read its log yet.
    if (!this.#hasStored) {
      const lines = await this.#atStart();
      if (lines !== null) this.#options.board.takeStored(lines, this.#options.clock.monotonicMs());
      this.#hasStored = lines !== null;
    }
    if (this.#options.alarms === null ? !this.#hasStored : !wasAnswered || !this.#hasStored) this.#isWanted = true;
  }

  async #askService(): Promise<boolean> {
    const { alarms, board, clock, log } = this.#options;
    if (alarms === null) return false;
    const askedAtMs = clock.monotonicMs();
    try {
      const answer = await alarms.getJson('/v1/alarms', AlarmsNow);
      const lines = board.unnamedIn(answer).length === 0 ? null : await this.#openInLog();
      const open = lines === null ? null : openOf(lines);
      board.takeAnswer(answer, open, askedAtMs, clock.monotonicMs());
      return true;
    } catch (err) {
      log.debug({ err }, 'the present alarms were not answered'); // the link says so once, aloud
      return false;
    }
  }

  /** What had not ended, and how it went on with alarms a gateway told of that ended, or became part of another, while nobody listened. */
  async #atStart(): Promise<AlarmLine[] | null> {
    const open = await this.#openInLog();
    if (open === null) return null;
    const all = [...open];
    for (const [device, sinceUs] of this.#options.board.doubtfulIn(open)) {
      const fromUs = Math.max(0, Math.floor(sinceUs - CLOCKS_APART_US));
      const lines = await this.#read(`device=${encodeURIComponent(device)}&fromUs=${fromUs}`);
      if (lines === null) return null;
      all.push(...lines);
    }
    return all;
  }

  /** The stored lines of alarms that have not ended; null when storage does not answer. */
  #openInLog(): Promise<AlarmLine[] | null> {
    return this.#read('open=true');
  }

  async #read(wish: string): Promise<AlarmLine[] | null> {
    const { storage, log } = this.#options;
    const all: AlarmLine[] = [];
    try {
      let cursor: string | null = null;
      for (let page = 0; page < MAX_PAGES; page++) {
        const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const { lines, next }: AlarmLog = await storage.getJson(`/v1/alarm-log?${wish}&limit=1000${query}`, AlarmLog);
        all.push(...lines);
        if (next === null) return all;
        cursor = next;
      }
      log.warn({ pages: MAX_PAGES, wish }, 'more alarm lines are stored than are read; the newest come over the stream');
      return null;
    } catch (err) {
      log.debug({ err }, 'the stored alarms were not answered');
      return null;
    }
  }
}

/** What the service itself has not ended: its word comes with every alarm that a gateway holds open. */
function openOf(lines: readonly AlarmLine[]): Set<string> {
  const last = new Map(lines.filter(({ sender }) => sender === ALARMS_SERVICE).map((line) => [line.alarmId, line]));
  return new Set([...last.values()].filter(({ state }) => state !== 'ended').map(({ alarmId }) => alarmId));
}
