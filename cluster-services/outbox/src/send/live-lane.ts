import { type Clock, type FreshIdentity, type Lifecycle, Link, type Log } from '@vitalwire/runtime';

export type LiveLaneOptions = {
  readonly url: string;
  readonly clientId: string;
  readonly identity: FreshIdentity;
  readonly log: Log;
  readonly clock: Clock;
  readonly onConnected: () => void;
};

const BACKLOG_BYTES = 256 * 1024;
const LINGER_MS = 30_000;
/** It is wanted after an outage, when somebody waits to see what is now. */
const RECONNECT = { baseMs: 500, maxMs: 5_000 } as const;

/**
 * The second connection, for copies of what is happening now: the front door stops reading a socket whose commits wait, so they must
 * not stand behind the backlog. Nothing sent here is remembered.
 */
export class LiveLane implements Lifecycle {
  readonly #options: LiveLaneOptions;
  readonly #link: Link;
  #wanted = false;
  #unwantedSinceMs = 0;
  #mayTry = false;
  #wake: (() => void) | null = null;
  #isStopping = false;
  #dropped = 0;
  #sent = 0;

  constructor(options: LiveLaneOptions) {
    const { log, clientId } = options;
    this.#options = options;
    this.#link = new Link(
      { ...options, reconnect: RECONNECT },
      {
        ready: () => this.#untilNeeded(),
        up: () => options.onConnected(),
        down: () => {},
        lost: () => {
          if (this.#wanted) log.warn({ clientId }, 'the live connection was lost');
        },
        failed: (error) => {
          this.#mayTry = false; // until it is known that the durable connection stands
          log.warn({ reason: error instanceof Error ? error.message : String(error), clientId }, 'no live connection');
        },
      },
    );
  }

  get connected(): boolean {
    return this.#link.client !== null;
  }

  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#dropped;
  }

  start(): Promise<void> {
    return this.#link.start();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake?.();
    await this.#link.stop();
  }

  /** Whether the lane is needed. It is given up a while after it was last wanted, not at once. */
  want(on: boolean): void {
    if (this.#wanted && !on) this.#unwantedSinceMs = this.#options.clock.monotonicMs();
    this.#wanted = on;
    if (on) this.#wake?.();
    else if (this.#options.clock.monotonicMs() - this.#unwantedSinceMs > LINGER_MS) this.#link.leave();
  }

  /** The durable connection stands, so trying makes sense: without it two would knock for each gateway. */
  mayTry(): void {
    this.#mayTry = true;
    this.#wake?.();
  }

  /** Sends at QoS 0 if that is possible right now, else drops it. False if it was dropped. */
  publish(topic: string, payload: Uint8Array): boolean {
    const client = this.#link.client;
    if (client === null || client.stream.writableLength > BACKLOG_BYTES) {
      this.#dropped += 1;
      return false;
    }
    client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength), { qos: 0 });
    this.#sent += 1;
    return true;
  }

  async #untilNeeded(): Promise<void> {
    while (!this.#isStopping && !(this.#wanted && this.#mayTry))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = null;
  }
}
