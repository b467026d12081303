import type { MqttClient } from 'mqtt';
import { fullJitter } from '../backoff.ts';
import { type Clock, pause, systemClock } from '../clock.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { Log } from '../log.ts';
import { FreshIdentity, type Identity } from '../pki.ts';
import { connectOnce, disconnect, untilClosed } from './connect.ts';

export type BusOptions = {
  url: string;
  identity: Identity;
  clientId: string;
  log: Log;
  clock?: Clock;
  keepaliveS?: number;
  connectTimeoutMs?: number;
  /** Told at each new connection. */
  onConnected?: () => void;
  random?: () => number;
};

/** Services are few, and whoever watches sees nothing new until they are back: after a front door that was restarted again and again, too. */
const RECONNECT = { baseMs: 250, maxMs: 2_000 } as const;

/** What to do with a new connection, and when it is gone. `up` decides whether it is of use: the wait between attempts begins anew after it. */
export type LinkEvents = { up: (client: MqttClient) => Promise<void>; down: () => void };

/** A connection that is made again and again for as long as it runs, each time on a fresh client. */
export class Link implements Lifecycle {
  client: MqttClient | null = null;
  readonly #options: BusOptions;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #abort = new AbortController();
  readonly #identity: FreshIdentity;
  #running: Promise<void> | null = null;

  constructor(options: BusOptions, events: LinkEvents) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#events = events;
    this.#identity = new FreshIdentity(options.identity, options.log);
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#running !== null || this.#abort.signal.aborted) return;
    signal.throwIfAborted();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new DOMException('stopped', 'AbortError'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const stop = this.#abort.signal;
    const { log, clientId, url } = this.#options;
    const backoff = fullJitter({
      ...RECONNECT,
      clock: this.#clock,
      ...(this.#options.random === undefined ? {} : { random: this.#options.random }),
    });
    while (!stop.aborted) {
      try {
        await this.#connectAndStay(() => backoff.healthy());
        if (!stop.aborted) log.warn({ clientId, url }, 'the connection to the front door was lost');
      } catch (error) {
        if (!stop.aborted) log.warn({ err: error, clientId, url }, 'cannot connect to the front door');
      }
      await pause(this.#clock, backoff.nextMs(), stop);
    }
  }

  async #connectAndStay(onHealthy: () => void): Promise<void> {
    const stop = this.#abort.signal;
    const identity = await this.#identity.read();
    const client = await connectOnce({ ...this.#options, identity, signal: stop });
    const closed = untilClosed(client);
    const onStop = (): void => disconnect(client, this.#clock);
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    try {
      this.client = client;
      await Promise.race([this.#events.up(client), closed]);
      onHealthy();
      await closed;
    } finally {
      stop.removeEventListener('abort', onStop);
      this.client = null;
      this.#events.down();
      client.end(true);
    }
  }
}
