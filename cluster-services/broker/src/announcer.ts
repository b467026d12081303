import {
  commandTopic,
  decodeLiveStatus,
  encodeHello,
  encodeLiveStatus,
  formatTopic,
  type Hello,
  type LiveStatus,
} from '@vitalwire/contract';
import { type Clock, fullJitter, type Log } from '@vitalwire/runtime';
import type { PublishPacket } from 'aedes';
import type { Connection } from './connection.ts';
import { Rivals } from './rivals.ts';

export type AnnouncerOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly hello: () => Promise<Hello>;
};

const NO_SESSION = '00000000-0000-0000-0000-000000000000';

/** What the front door says itself: Hello to those who listen to their commands, and that a gateway is offline. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #lastStatus = new Map<string, Uint8Array>(); // by gateway, while it is present
  readonly #rivals: Rivals;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#rivals = new Rivals(options.clock);
  }

  /** Tells a client the database generation and the time, as soon as the generation is known. */
  greet(connection: Connection): void {
    if (connection.isGreeting) return;
    connection.isGreeting = true;
    this.#sayHello(connection)
      .catch((error: unknown) =>
        this.#options.log.error(
          { err: error },
          'a gateway could not be greeted; it learns clock offset and generation with its next subscription',
        ),
      )
      .finally(() => {
        connection.isGreeting = false;
      });
  }

  /** Keeps what a gateway last said about itself, for the day it goes without a word. */
  remember(gateway: string, status: Uint8Array): void {
    this.#lastStatus.set(gateway, Uint8Array.from(status)); // a copy: the payload is a view into a receive buffer
    if (this.#rivals.heard(gateway, status))
      this.#options.log.warn({ gateway }, 'two agents connect as this gateway, each in place of the other');
  }

  /** The live status that says a gateway is gone, with what was last known about it. */
  offline(gateway: string): PublishPacket {
    const last = this.#lastStatus.get(gateway);
    this.#lastStatus.delete(gateway);
    this.#rivals.forget(gateway);
    const decoded = last === undefined ? null : decodeLiveStatus(last);
    const known = decoded?.ok === true ? decoded.value : null;
    const status: LiveStatus = {
      stream: 'live-status',
      gateway,
      session: known?.session ?? NO_SESSION,
      online: false,
      version: known?.version ?? 'unknown',
      depthChunks: known?.depthChunks ?? 0,
      depthBytes: known?.depthBytes ?? 0,
      oldestAgeMs: null, // what it was is known, what it is now is not
      lastPubackUs: known?.lastPubackUs ?? null,
      chunksPerSecondIn: 0,
      chunksPerSecondOut: 0,
      secondsUntilFull: null,
      certificateDaysLeft: known?.certificateDaysLeft ?? null,
      clock: { offsetUs: 0, uncertaintyUs: 0, source: 'front-door' }, // this front door speaks, by its own clock
      measuredAtUs: this.#options.clock.nowUs(),
    };
    return livePacket(formatTopic(gateway, gateway, 'status', true), encodeLiveStatus(status));
  }

  async #sayHello({ client, gate, identity }: Connection): Promise<void> {
    const backoff = fullJitter({ baseMs: 500, maxMs: 5_000, clock: this.#options.clock });
    while (!gate.destroyed) {
      try {
        const hello = await this.#options.hello();
        const told: Hello = identity.kind === 'gateway' && this.#rivals.has(identity.id) ? { ...hello, rival: true } : hello;
        client?.publish(livePacket(commandTopic(identity.id), encodeHello(told)), () => {});
        return;
      } catch {
        await this.#options.clock.sleep(backoff.nextMs()); // the generation is not known yet: whoever reads it has already said why
      }
    }
  }
}

function livePacket(topic: string, payload: Uint8Array): PublishPacket {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return { cmd: 'publish', topic, payload: bytes, qos: 0, dup: false, retain: false };
}
