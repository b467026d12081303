import { type Clock, fullJitter } from '@vitalwire/runtime';
import { dueBlock, type Feed } from './feed.ts';
import type { Pace } from './pace.ts';

/** What the intake answered, or how it failed. `refused` = trying the same again is useless. */
export type Delivery =
  | { readonly kind: 'answered'; readonly nextSample: number }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

export type Deliver<Item> = (request: { firstSample: number; items: Item; count: number; end: boolean }) => Promise<Delivery>;

export type CaptureSenderOptions<Item> = {
  readonly feed: Feed<Item>;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly deliver: Deliver<Item>;
  readonly random?: () => number;
  /** Data time at which the capture ends by itself, if it does. */
  readonly endMs?: number | undefined;
};

// The gateway stands in the same room: a device asks often, because what is not yet at the gateway is on no screen.
const RESEND = { baseMs: 200, maxMs: 1_000, resetAfterMs: 10_000 } as const;

/** One device stream: sends each block when it is complete, and again until it is answered, in order. */
export class CaptureSender<Item> {
  readonly #options: CaptureSenderOptions<Item>;
  #position = 0;
  #answered = 0;
  #resends = 0;
  #lateMs = 0;
  #ended = false;
  #failure: string | null = null;

  constructor(options: CaptureSenderOptions<Item>) {
    this.#options = options;
  }

  /** Readings 0 to this one (not included) have been answered with a 2xx: the promise of the other side. */
  get answered(): number {
    return this.#answered;
  }
  /** Requests that had to be sent again. */
  get resends(): number {
    return this.#resends;
  }
  /** How much later than its moment the last block left. */
  get lateMs(): number {
    return this.#lateMs;
  }
  get ended(): boolean {
    return this.#ended;
  }
  get failure(): string | null {
    return this.#failure;
  }

  /** Runs until `stop`, then sends what has been measured until then and ends the capture; gives up only at `giveUp`. */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { feed, pace } = this.#options;
    while (!stop.aborted && !this.#isOver(this.#position)) {
      const block = feed.blockAt(this.#position);
      try {
        await pace.until(block.dueMs, stop);
      } catch {
        break; // asked to stop while waiting
      }
      if (this.#isOver(block.end)) break; // the last, shorter block goes with the end
      const due = dueBlock(feed, this.#position, Math.min(pace.dataMs(), this.#options.endMs ?? Number.POSITIVE_INFINITY));
      if (Number.isFinite(pace.speed)) this.#lateMs = Math.max(0, pace.dataMs() - due.dueMs) / pace.speed;
      if (!(await this.#deliverUntilAnswered(due.end, false, stop, giveUp))) return;
    }
    await this.#finish(giveUp);
  }

  #isOver(position: number): boolean {
    const { endMs, feed } = this.#options;
    return endMs !== undefined && position >= feed.measuredBy(endMs);
  }

  /** The rest that has been measured, and the word that nothing follows. */
  async #finish(giveUp: AbortSignal): Promise<void> {
    const { feed, pace, endMs } = this.#options;
    const dataMs = Math.min(pace.dataMs(), endMs ?? Number.POSITIVE_INFINITY);
    const measured = Number.isFinite(dataMs) ? feed.measuredBy(dataMs) : this.#position;
    while (measured - this.#position > feed.maxPerRequest) {
      if (!(await this.#deliverUntilAnswered(this.#position + feed.maxPerRequest, false, null, giveUp))) return;
    }
    this.#ended = await this.#deliverUntilAnswered(Math.max(measured, this.#position), true, null, giveUp);
  }

  /** False if it gave up or was refused. A wish to stop does not interrupt a block that is on its way. */
  async #deliverUntilAnswered(until: number, end: boolean, stop: AbortSignal | null, giveUp: AbortSignal): Promise<boolean> {
    const { feed, deliver, clock, random } = this.#options;
    const backoff = fullJitter({ ...RESEND, clock, ...(random === undefined ? {} : { random }) });
    let request = { firstSample: this.#position, items: feed.read(this.#position, until), count: until - this.#position, end };
    while (!giveUp.aborted) {
      const answer = await deliver(request);
      if (answer.kind === 'answered') {
        this.#answered = Math.max(this.#answered, answer.nextSample);
        this.#position = answer.nextSample;
        if (answer.nextSample >= until) return true;
        // The other side has less than was sent (it may have been restored): it says from where it needs more.
        request = { firstSample: this.#position, items: feed.read(this.#position, until), count: until - this.#position, end };
        if (!end && stop?.aborted === true) return true;
        continue;
      }
      this.#failure = answer.reason;
      if (answer.kind === 'refused') return false;
      this.#resends += 1;
      await clock.sleep(backoff.nextMs(), giveUp).catch(() => {});
    }
    return false;
  }
}
