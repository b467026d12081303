import type { MqttClient } from 'mqtt';
import { RuntimeError } from '../errors.ts';
import type { Lifecycle } from '../lifecycle.ts';
import { type BusOptions, Link } from './link.ts';

export type SubscriberOptions = BusOptions & {
  topics: readonly string[];
  /** Messages that may wait for `onMessage`; at the limit the oldest is dropped. */
  queueLimit?: number;
  /** The payload is a view into the socket's buffer: copy what is kept. */
  onMessage: (topic: string, payload: Uint8Array) => void | Promise<void>;
  /** Told how many messages were dropped in all since the start. */
  onDropped?: (count: number) => void;
};

/** Reads topics at QoS 0 into a bounded queue; reconnects with full jitter for as long as it runs. */
export class Subscriber implements Lifecycle {
  readonly #options: SubscriberOptions;
  readonly #link: Link;
  readonly #queue: { topic: string; payload: Uint8Array }[] = [];
  readonly #queueLimit: number;
  #working: Promise<void> | null = null;
  #busy = false;
  #subscribed = false;
  #dropped = 0;
  #stopped = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#queueLimit = options.queueLimit ?? 1_000;
    this.#link = new Link(options, {
      up: async (client) => {
        client.on('message', (topic, payload) => this.#take(topic, payload));
        await subscribe(client, options.topics);
        this.#subscribed = true;
        options.onConnected?.();
      },
      down: () => {
        this.#subscribed = false;
      },
    });
  }

  /** True while the topics are subscribed. */
  get connected(): boolean {
    return this.#subscribed;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Begins to connect; it does not wait for the front door, so that a service can start without one. */
  start(signal: AbortSignal): Promise<void> {
    return this.#link.start(signal);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#link.stop();
    this.#queue.length = 0;
    await this.#working;
  }

  #take(topic: string, payload: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#queue.length >= this.#queueLimit) {
      this.#queue.shift(); // the newest are worth more: consumers see the hole in seq and ask storage
      this.#dropped += 1;
      this.#options.onDropped?.(this.#dropped);
    }
    this.#queue.push({ topic, payload });
    if (!this.#busy) this.#working = this.#drain();
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        const handled = this.#options.onMessage(next.topic, next.payload);
        if (handled !== undefined) await handled;
      } catch (error) {
        this.#options.log.error({ err: error, topic: next.topic }, 'a received message was skipped: handling it failed');
      }
    }
    this.#busy = false; // in the same turn as the look at the empty queue, or a message could slip in between and wait
  }
}

function subscribe(client: MqttClient, topics: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    client.subscribe([...topics], { qos: 0 }, (error, _granted, answer) => {
      const refused = topics.filter((_topic, index) => isRefusal(answer?.granted[index]));
      if (refused.length > 0) reject(new RuntimeError('FRONT_DOOR_REFUSED', `the subscription to ${refused.join(', ')}`));
      else if (error) reject(error);
      else resolve();
    });
  });
}

function isRefusal(granted: unknown): boolean {
  return typeof granted === 'number' && granted >= 0x80;
}
