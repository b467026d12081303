import { formatTopic } from '@vitalwire/contract';
import type { Clock, Log } from '@vitalwire/runtime';
import type { OutboxRow } from '../append.ts';
import type { Outbox } from '../outbox.ts';
import { LaneSwitch } from './lane-switch.ts';
import type { LiveLane } from './live-lane.ts';

export type LiveFeedOptions = {
  readonly owner: string; // topic level
  readonly outbox: Pick<Outbox, 'recent' | 'openStarts' | 'setLive'>;
  readonly lane: LiveLane;
  readonly log: Log;
  readonly clock: Clock;
};

const STARTS_EVERY_MS = 10_000;
/** The lane is switched on when a message has waited for 2 s, and then has to connect. */
const RECENT_MS = 5_000;
const RECENT_ROWS = 2_000;

/** Copies of what happens now, for as long as what is acknowledged lags behind: when they begin, with what, and when they end. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #switch = new LaneSwitch();
  #epoch = 0;
  #hasBegun = false; // on this live connection, since the lane was last switched on
  #lastStartsMs = Number.NEGATIVE_INFINITY;
  #isStopping = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#switch.on;
  }

  /** The lane has a new connection. */
  connected(): void {
    this.#hasBegun = false;
    void this.#begin();
  }

  stopping(): void {
    this.#isStopping = true;
  }

  /** Switches the lane on or off by how long the oldest un-acknowledged message has waited; null = none waits. */
  async follow(ageMs: number | null, isLinkUp: boolean): Promise<void> {
    const { clock, outbox, lane } = this.#options;
    const nowMs = clock.monotonicMs();
    const on = this.#switch.update(ageMs, nowMs);
    outbox.setLive(on);
    lane.want(on);
    if (on && isLinkUp) lane.mayTry(); // refused once, it would else stay away for as long as the backlog lasts
    if (!on) this.#hasBegun = false;
    else if (!this.#hasBegun && lane.connected) await this.#begin();
    else if (nowMs - this.#lastStartsMs >= STARTS_EVERY_MS) await this.#sendStarts();
  }

  /** What has just been committed. */
  committed(rows: readonly OutboxRow[]): void {
    if (this.#hasBegun) for (const row of rows) this.#send(row);
  }

  /**
   * The live lane begins with the moments before it: what waits for its acknowledgement since the lag began, and a little more, so
   * that a reader's window is whole across the change of lanes. What is committed meanwhile is in there, or follows it.
   */
  async #begin(): Promise<void> {
    const { clock, log, outbox, lane } = this.#options;
    const epoch = ++this.#epoch;
    try {
      await this.#sendStarts();
      const rows = await outbox.recent(clock.nowMs() - RECENT_MS, RECENT_ROWS);
      if (epoch !== this.#epoch || !lane.connected) return;
      for (const row of rows) this.#send(row);
      this.#hasBegun = true;
    } catch (error) {
      if (!this.#isStopping) log.error({ err: error }, 'the live lane could not begin; it is tried again');
    }
  }

  /** Who sees the live lane only has not had the start records of the backlog, and cannot scale without them. */
  async #sendStarts(): Promise<void> {
    const { clock, outbox, lane } = this.#options;
    if (!lane.connected) return;
    this.#lastStartsMs = clock.monotonicMs();
    for (const row of await outbox.openStarts()) this.#send(row);
  }

  #send({ stream, device, message }: OutboxRow): void {
    if (stream === 'status' || stream === 'gap') return;
    this.#options.lane.publish(formatTopic(this.#options.owner, device, stream, true), message);
  }
}
