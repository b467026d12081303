import { type Clock, fullJitter, pause } from '@vitalwire/runtime';
import { type Block, dueBlock, type Feed } from './feed.ts';
import type { Moments } from './pace.ts';

/** What the intake answered, or how it failed. `refused` = trying the same again is useless. */
export type Delivery =
  | { readonly kind: 'answered'; readonly nextSample: number }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** `late` = under a capture of its own, because later readings were taken before it. */
export type Outgoing<Item> = { firstSample: number; items: Item; count: number; end: boolean; late: boolean };
export type Deliver<Item> = (request: Outgoing<Item>) => Promise<Delivery>;

/** Readings `from` to `to` (not included) of a capture. */
export type PositionRange = { readonly from: number; readonly to: number };

/** What a fault script does to requests; the readings are not its business. */
export type RequestFaults = {
  /** Waits while the link is cut. */
  gate(giveUp: AbortSignal): Promise<void>;
  /** How often the request that brings this block goes out once more. */
  copies(block: Block): number;
  /** Whether the block is overtaken by the one after it. */
  isOvertaken(block: Block): boolean;
};

export type CaptureSenderOptions<Item> = {
  readonly feed: Feed<Item>;
  readonly pace: Moments;
  readonly clock: Clock;
  readonly deliver: Deliver<Item>;
  readonly random?: () => number;
  /** Data time at which the capture ends by itself, if it does before its feed. */
  readonly endMs?: number | undefined;
  /** The device restarts: the capture ends without a word. */
  readonly isAbrupt?: boolean;
  readonly faults?: RequestFaults | undefined;
  /** Told whenever everything before a moment of data time has been answered. */
  readonly onAnswered?: (dataMs: number) => void;
};

// The gateway stands in the same room: a device asks often, because what is not yet at the gateway is on no screen.
const RESEND = { baseMs: 200, maxMs: 1_000, resetAfterMs: 10_000 } as const;

/** One device stream: sends each block when it is complete, and again until it is answered, in order. */
export class CaptureSender<Item> {
  readonly #options: CaptureSenderOptions<Item>;
  readonly #answered: PositionRange[] = [];
  readonly #late: PositionRange[] = [];
  #position = 0;
  #resends = 0;
  #copies = 0;
  #lateMs = 0;
  #ended = false;
  #failure: string | null = null;
  #ahead: { from: number; to: number; items: Promise<Item> } | null = null;

  constructor(options: CaptureSenderOptions<Item>) {
    this.#options = options;
  }

  /** Readings that have been answered with a 2xx: the promise of the other side. */
  get answered(): readonly PositionRange[] {
    return this.#answered;
  }
  /** Those that were overtaken and went into captures of their own, one each. */
  get late(): readonly PositionRange[] {
    return this.#late;
  }
  /** Requests that had to be sent again. */
  get resends(): number {
    return this.#resends;
  }
  /** Requests that were sent once more on purpose. */
  get copies(): number {
    return this.#copies;
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
    try {
      if (await this.#sendBlocks(stop, giveUp)) await this.#finish(this.#options.isAbrupt === true && !stop.aborted, giveUp);
    } finally {
      this.#options.onAnswered?.(Number.POSITIVE_INFINITY); // whoever waits for this device must not wait for ever
    }
  }

  /** Every block but the last, which goes with the end. False if it gave up or was refused. */
  async #sendBlocks(stop: AbortSignal, giveUp: AbortSignal): Promise<boolean> {
    const { feed, pace, isAbrupt = false, faults, onAnswered } = this.#options;
    const endMs = this.#endMs;
    const last = Number.isFinite(endMs) ? await feed.measuredBy(endMs) : Number.POSITIVE_INFINITY;
    while (!stop.aborted) {
      const first = await feed.blockAt(this.#position);
      if (first === null || first.begin >= last) return true;
      if (Number.isFinite(pace.speed)) this.#readAhead(first);
      try {
        await pace.until(Math.min(first.dueMs, endMs), stop);
      } catch {
        return true; // asked to stop while waiting
      }
      if (faults?.isOvertaken(first) === true && (await this.#sendOvertaken(first, last, stop, giveUp))) {
        if (giveUp.aborted) return false;
        continue;
      }
      const due = await dueBlock(feed, first, Math.min(pace.dataMs(), endMs));
      const next = await feed.blockAt(due.end);
      if ((next === null || next.begin >= last || due.end > last) && !isAbrupt) return true;
      if (Number.isFinite(pace.speed)) this.#lateMs = Math.max(0, pace.dataMs() - due.dueMs) / pace.speed;
      else if (next !== null) queueMicrotask(() => void this.#readNext(next));
      const copies = faults?.copies(due) ?? 0;
      if (!(await this.#deliverUntilAnswered(due, false, giveUp, copies))) return false;
      if (this.#position >= due.end) onAnswered?.(due.dueMs);
    }
    return true;
  }

  get #endMs(): number {
    return this.#options.endMs ?? Number.POSITIVE_INFINITY;
  }

  /** The rest that has been measured, and the word that nothing follows. */
  async #finish(isAbrupt: boolean, giveUp: AbortSignal): Promise<void> {
    const { feed, pace } = this.#options;
    await pace.settle(giveUp);
    const dataMs = Math.min(pace.dataMs(), this.#endMs);
    const measured = Number.isFinite(dataMs) ? await feed.measuredBy(dataMs) : Number.POSITIVE_INFINITY;
    for (;;) {
      const block = await this.#restBefore(measured, this.#position);
      if (block === null && isAbrupt) return;
      const { begin, end } = block ?? { begin: this.#position, end: this.#position };
      const isLast = (await this.#restBefore(measured, end)) === null;
      if (!(await this.#deliverUntilAnswered({ begin, end }, isLast && !isAbrupt, giveUp))) return;
      if (!isLast || this.#position < end) continue;
      this.#ended = !isAbrupt;
      return;
    }
  }

  /** What is left before `measured`, as much of it as one request takes. */
  async #restBefore(measured: number, position: number): Promise<Stretch | null> {
    const { feed } = this.#options;
    const first = await feed.blockAt(position);
    if (first === null || first.begin >= measured) return null;
    const block = await dueBlock(feed, first, Number.POSITIVE_INFINITY);
    return { begin: block.begin, end: Math.min(block.end, measured) };
  }

  /** The block after this one goes first. Its readings are refused then (a capture never goes back) and sent as a capture of their own. */
  async #sendOvertaken(block: Block, last: number, stop: AbortSignal, giveUp: AbortSignal): Promise<boolean> {
    const { feed, pace, deliver, onAnswered } = this.#options;
    const next = await feed.blockAt(block.end);
    if (next === null || next.end >= last) return false;
    try {
      await pace.until(next.dueMs, stop);
    } catch {
      return false;
    }
    const late = { firstSample: block.begin, items: await feed.read(block.begin, block.end), count: block.end - block.begin };
    if (!(await this.#deliverUntilAnswered(next, false, giveUp))) return true;
    const answer = await deliver({ ...late, end: false, late: false });
    if (answer.kind === 'answered') note(this.#answered, block.begin, block.end);
    else if ((await this.#insist({ ...late, end: true, late: true }, giveUp)) !== null)
      this.#late.push({ from: block.begin, to: block.end });
    onAnswered?.(next.dueMs);
    return true;
  }

  /** False if it gave up or was refused. A wish to stop does not interrupt a block that is on its way. */
  async #deliverUntilAnswered({ begin, end: until }: Stretch, end: boolean, giveUp: AbortSignal, copies = 0): Promise<boolean> {
    const { deliver } = this.#options;
    const request = { firstSample: begin, items: await this.#read(begin, until), count: until - begin, end, late: false };
    const answer = await this.#insist(request, giveUp);
    if (answer === null) return false;
    for (let copy = 0; copy < copies; copy += 1) {
      await deliver(request);
      this.#copies += 1;
    }
    // The other side may have less than was sent (it may have been restored): it says from where it needs more.
    note(this.#answered, begin, Math.min(until, answer.nextSample));
    this.#position = answer.nextSample;
    return true;
  }

  /** Sends until there is an answer; null if it gave up or was refused. */
  async #insist(request: Outgoing<Item>, giveUp: AbortSignal): Promise<{ nextSample: number } | null> {
    const { deliver, clock, random, faults } = this.#options;
    const backoff = fullJitter({ ...RESEND, clock, ...(random === undefined ? {} : { random }) });
    while (!giveUp.aborted) {
      await faults?.gate(giveUp);
      if (giveUp.aborted) return null;
      const answer = await deliver(request);
      if (answer.kind === 'answered') return answer;
      this.#failure = answer.reason;
      if (answer.kind === 'refused') return null;
      this.#resends += 1;
      await pause(clock, backoff.nextMs(), giveUp);
    }
    return null;
  }

  async #readNext(next: Block): Promise<void> {
    const due = await dueBlock(this.#options.feed, next, this.#endMs).catch(() => null); // told when it is asked for
    if (due !== null) this.#readAhead(due);
  }

  #readAhead({ begin, end }: Stretch): void {
    if (this.#ahead?.from === begin && this.#ahead.to === end) return;
    const items = this.#options.feed.read(begin, end);
    items.catch(() => {}); // told when it is asked for
    this.#ahead = { from: begin, to: end, items };
  }

  #read(from: number, to: number): Promise<Item> {
    const ahead = this.#ahead;
    this.#ahead = null;
    return ahead?.from === from && ahead.to === to ? ahead.items : this.#options.feed.read(from, to);
  }
}

type Stretch = { readonly begin: number; readonly end: number };

function note(ranges: PositionRange[], from: number, to: number): void {
  if (to <= from) return;
  const last = ranges.at(-1);
  if (last === undefined || from > last.to) ranges.push({ from, to });
  else if (to > last.to) ranges[ranges.length - 1] = { from: last.from, to };
}
