import type { MqttClient } from 'mqtt';
import { fullJitter } from '../backoff.ts';
import { type Clock, pause, systemClock } from '../clock.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { Log } from '../log.ts';
import { FreshIdentity, type Identity } from '../pki.ts';
import { type ConnectOptions, connectOnce, disconnect, untilClosed } from './connect.ts';

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

export type LinkOptions = Omit<BusOptions, 'identity' | 'onConnected'> & {
  /** Files, or what has been reading them for another link too. */
  identity: Identity | FreshIdentity;
  /** Bounds of the wait between attempts. */
  reconnect?: { readonly baseMs: number; readonly maxMs: number };
  /** What the front door says for us if the connection breaks: asked at each attempt. */
  will?: () => ConnectOptions['will'];
};

/** Services are few, and whoever watches sees nothing new until they are back: after a front door that was restarted again and again, too. */
const RECONNECT = { baseMs: 250, maxMs: 2_000 } as const;

/** What to do with a new connection, and when it is gone. `up` decides whether it is of use: the wait between attempts begins anew after it. */
export type LinkEvents = {
  up: (client: MqttClient) => Promise<void> | void;
  down: () => void;
  /** Waited for before each attempt, by a link that is not always needed. It has to end when the link is stopped. */
  ready?: () => Promise<void>;
  /** Instead of a line in the log: a connection was lost, or could not be made. */
  lost?: () => void;
  failed?: (error: unknown) => void;
};

/** A connection that is made again and again for as long as it runs, each time on a fresh client. */
export class Link implements Lifecycle {
  client: MqttClient | null = null;
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #abort = new AbortController();
  readonly #identity: FreshIdentity;
  #running: Promise<void> | null = null;
  #isLeft = false; // the connection ended because it was not needed any more

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#events = events;
    this.#identity = options.identity instanceof FreshIdentity ? options.identity : new FreshIdentity(options.identity, options.log);
  }

  async start(signal?: AbortSignal): Promise<void> {
    if (this.#running !== null || this.#abort.signal.aborted) return;
    signal?.throwIfAborted();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new DOMException('stopped', 'AbortError'));
    await this.#running;
  }

  /** Says goodbye to this connection; the next is tried when the link is ready for it, without a wait. */
  leave(): void {
    if (this.client === null || this.#isLeft) return;
    this.#isLeft = true;
    disconnect(this.client, this.#clock);
  }

  async #run(): Promise<void> {
    const stop = this.#abort.signal;
    const backoff = fullJitter({
      ...(this.#options.reconnect ?? RECONNECT),
      clock: this.#clock,
      ...(this.#options.random === undefined ? {} : { random: this.#options.random }),
    });
    while (!stop.aborted) {
      await this.#events.ready?.();
      if (stop.aborted) return;
      this.#isLeft = false;
      try {
        await this.#connectAndStay(() => backoff.healthy());
        if (!stop.aborted && !this.#isLeft) this.#tellLost();
      } catch (error) {
        if (!stop.aborted) this.#tellFailed(error);
      }
      if (!this.#isLeft) await pause(this.#clock, backoff.nextMs(), stop);
    }
  }

  #tellLost(): void {
    const { log, clientId, url } = this.#options;
    if (this.#events.lost === undefined) log.warn({ clientId, url }, 'the connection to the front door was lost');
    else this.#events.lost();
  }

  #tellFailed(error: unknown): void {
    const { log, clientId, url } = this.#options;
    if (this.#events.failed === undefined) log.warn({ err: error, clientId, url }, 'cannot connect to the front door');
    else this.#events.failed(error);
  }

  async #connectAndStay(onHealthy: () => void): Promise<void> {
    const stop = this.#abort.signal;
    const identity = await this.#identity.read();
    const client = await connectOnce({ ...this.#options, identity, signal: stop, will: this.#options.will?.() });
    const closed = untilClosed(client);
    const onStop = (): void => disconnect(client, this.#clock);
    stop.addEventListener('abort', onStop, { once: true });
    try {
      if (stop.aborted) return;
      this.client = client;
      await Promise.race([this.#events.up(client), closed]);
      onHealthy();
      await closed;
    } finally {
      stop.removeEventListener('abort', onStop);
      if (this.client !== null) {
        this.client = null;
        this.#events.down();
      }
      client.end(true);
    }
  }
}
