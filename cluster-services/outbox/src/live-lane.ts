import {
  type Clock,
  connectOnce,
  disconnect,
  type FreshIdentity,
  fullJitter,
  type Lifecycle,
  type Log,
  pause,
  untilClosed,
} from '@vitalwire/runtime';
import type { MqttClient } from 'mqtt';

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
  readonly #abort = new AbortController();
  #client: MqttClient | null = null;
  #wanted = false;
  #unwantedSinceMs = 0;
  #mayTry = false;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #dropped = 0;
  #sent = 0;

  constructor(options: LiveLaneOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#client !== null;
  }

  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#dropped;
  }

  async start(): Promise<void> {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new DOMException('stopped', 'AbortError'));
    this.#wake?.();
    await this.#running;
  }

  /** Whether the lane is needed. It is given up a while after it was last wanted, not at once. */
  want(on: boolean): void {
    if (this.#wanted && !on) this.#unwantedSinceMs = this.#options.clock.monotonicMs();
    this.#wanted = on;
    if (on) this.#wake?.();
    else if (this.#client !== null && this.#options.clock.monotonicMs() - this.#unwantedSinceMs > LINGER_MS)
      disconnect(this.#client, this.#options.clock);
  }

  /** The durable connection stands, so trying makes sense: without it two would knock for each gateway. */
  mayTry(): void {
    this.#mayTry = true;
    this.#wake?.();
  }

  /** Sends at QoS 0 if that is possible right now, else drops it. False if it was dropped. */
  publish(topic: string, payload: Uint8Array): boolean {
    const client = this.#client;
    if (client === null || client.stream.writableLength > BACKLOG_BYTES) {
      this.#dropped += 1;
      return false;
    }
    client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength), { qos: 0 });
    this.#sent += 1;
    return true;
  }

  async #run(): Promise<void> {
    const { clock, log, clientId } = this.#options;
    const stop = this.#abort.signal;
    const backoff = fullJitter({ ...RECONNECT, clock });
    while (!stop.aborted) {
      if (!this.#wanted || !this.#mayTry) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
        continue;
      }
      try {
        await this.#connectAndStay(() => backoff.healthy());
        if (!stop.aborted && this.#wanted) log.warn({ clientId }, 'the live connection was lost');
      } catch (error) {
        this.#mayTry = false; // until it is known that the durable connection stands
        if (!stop.aborted) log.warn({ reason: error instanceof Error ? error.message : String(error), clientId }, 'no live connection');
      }
      if (this.#wanted) await pause(clock, backoff.nextMs(), stop);
    }
  }

  async #connectAndStay(onHealthy: () => void): Promise<void> {
    const { clock, url, clientId } = this.#options;
    const stop = this.#abort.signal;
    const client = await connectOnce({ url, clientId, identity: await this.#options.identity.read(), signal: stop });
    const closed = untilClosed(client);
    const onStop = (): void => disconnect(client, clock);
    stop.addEventListener('abort', onStop, { once: true });
    try {
      if (stop.aborted) return;
      this.#client = client;
      onHealthy();
      this.#options.onConnected();
      await closed;
    } finally {
      stop.removeEventListener('abort', onStop);
      this.#client = null;
      client.end(true);
    }
  }
}
