import { type ClockState, commandTopic, decodeHello } from '@vitalwire/contract';
import type { Clock, Log } from '@vitalwire/runtime';
import type { MqttClient } from 'mqtt';
import type { Outbox } from '../outbox.ts';
import { ClockOffset } from './clock-offset.ts';
import type { Delivery } from './delivery.ts';

export type HelloOptions = {
  readonly owner: string;
  readonly outbox: Pick<Outbox, 'newGeneration' | 'setClock'>;
  readonly delivery: Pick<Delivery, 'hold'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly everyMs: number;
  readonly isCurrent: (client: MqttClient) => boolean;
};

/**
 * What the front door says when it is asked, by a subscription to the command topic: what time it is there, which database stands behind
 * it, and whether another agent goes by the same name.
 */
export class Hello {
  readonly #options: HelloOptions;
  readonly #offset = new ClockOffset();
  #generation: string | null = null;
  #askedUs: number | null = null;
  #askedMs = 0;
  #rivalAtMs: number | null = null;

  constructor(options: HelloOptions) {
    this.#options = options;
  }

  /** The database that acknowledgements come from; null before the first was named. */
  get generation(): string | null {
    return this.#generation;
  }

  /** When another agent of this name was last told of; monotonic. */
  get rivalAtMs(): number | null {
    return this.#rivalAtMs;
  }

  get clock(): ClockState {
    return this.#offset.state(this.#options.clock.nowUs(), this.#options.clock.monotonicMs());
  }

  /** Goes on with the database that the outbox was last delivered to. */
  goOn(generation: string | null): void {
    this.#generation = generation;
  }

  /** A new connection: asks, and takes in every answer that comes over it. */
  connected(client: MqttClient): void {
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    this.#ask(client);
  }

  /** Asks again when it is time. */
  tick(client: MqttClient): void {
    if (this.#options.clock.monotonicMs() - this.#askedMs >= this.#options.everyMs) this.#ask(client);
  }

  #ask(client: MqttClient): void {
    const { clock, log, owner, isCurrent } = this.#options;
    this.#askedMs = clock.monotonicMs();
    this.#askedUs = clock.nowUs();
    client.subscribe(commandTopic(owner), { qos: 0 }, (error) => {
      if (error && isCurrent(client))
        log.warn({ err: error }, 'no subscription to the command topic: clock offset and database generation stay unknown');
    });
  }

  #receive(topic: string, payload: Uint8Array): void {
    const { clock, log, outbox, owner } = this.#options;
    if (topic !== commandTopic(owner)) return;
    const receivedUs = clock.nowUs();
    const hello = decodeHello(payload);
    if (!hello.ok) {
      log.warn(
        { reason: hello.reason, detail: hello.detail },
        "could not decode the front door's hello; clock offset and database generation unchanged",
      );
      return;
    }
    if (this.#askedUs !== null) {
      this.#offset.add({ sentUs: this.#askedUs, receivedUs, clusterUs: hello.value.nowUs }, clock.monotonicMs());
      this.#askedUs = null;
      outbox.setClock(this.clock);
    }
    if (hello.value.rival === true) this.#rivalAtMs = clock.monotonicMs();
    if (hello.value.generation !== this.#generation) void this.#takeGeneration(hello.value.generation);
  }

  async #takeGeneration(generation: string): Promise<void> {
    const { log, outbox, delivery } = this.#options;
    const previous = this.#generation;
    this.#generation = generation;
    try {
      if (previous === null) {
        await outbox.newGeneration(generation);
        return;
      }
      await delivery.hold(() => outbox.newGeneration(generation)); // acknowledgements on the way may be those of the old database
      log.warn({ previous, generation }, "the cluster's database is another one: sending again all that is here");
    } catch (error) {
      this.#generation = previous; // the next hello tries again
      log.error({ err: error }, 'the new database generation could not be noted');
    }
  }
}
