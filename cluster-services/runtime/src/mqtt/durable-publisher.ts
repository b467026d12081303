import type { MqttClient } from 'mqtt';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { RuntimeError } from '../errors.ts';
import type { Lifecycle } from '../lifecycle.ts';
import { type BusOptions, Link } from './link.ts';

export type DurablePublisherOptions = BusOptions & {
  /** Unacknowledged packets and bytes on the way at once. */
  windowPackets?: number;
  windowBytes?: number;
  /** Packets and bytes kept in memory, on the way or waiting; beyond it `publish` rejects with QUEUE_FULL. */
  queueLimit?: number;
  queueBytes?: number;
  /** No PUBACK for this long: the connection is dropped and everything is sent again. */
  ackTimeoutMs?: number;
  /** How long `stop` waits for the remaining acknowledgements. */
  drainMs?: number;
  /** Client id of the connection for `publishLive`; null if there is nothing live to send. Default: the client id ending in -live. */
  liveClientId?: string | null;
};

const LIVE_BACKLOG_BYTES = 256 * 1024;

type Entry = { topic: string; payload: Uint8Array; resolve: () => void; reject: (error: Error) => void; sent: boolean };

/**
 * Sends at QoS 1 in order and remembers each message until its PUBACK: through lost connections it sends again from the oldest.
 * What it holds is in memory only; whoever must not lose a message across a crash needs an outbox.
 */
export class DurablePublisher implements Lifecycle {
  readonly #options: DurablePublisherOptions;
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #live: Link | null;
  readonly #windowPackets: number;
  readonly #windowBytes: number;
  readonly #queueLimit: number;
  readonly #queueBytes: number;
  #entries: Entry[] = []; // oldest first; those sent on this connection form the window
  #bytes = 0;
  #sentPackets = 0;
  #sentBytes = 0;
  #ackTimer: Timer | null = null;
  #drained: (() => void) | null = null;
  #stopping = false;
  #liveDropped = 0;

  constructor(options: DurablePublisherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#windowPackets = options.windowPackets ?? 64;
    this.#windowBytes = options.windowBytes ?? 256 * 1024;
    this.#queueLimit = options.queueLimit ?? 4_096;
    this.#queueBytes = options.queueBytes ?? 32 * 1024 * 1024;
    this.#link = new Link(options, {
      up: async () => {
        this.#fill();
        options.onConnected?.();
      },
      down: () => this.#forgetWindow(),
    });
    const liveClientId = options.liveClientId === undefined ? `${options.clientId.replace(/-pub$/, '')}-live` : options.liveClientId;
    // The front door stops reading a socket whose commits wait, so live messages need a connection of their own.
    this.#live = liveClientId === null ? null : new Link({ ...options, clientId: liveClientId }, { up: async () => {}, down: () => {} });
  }

  get connected(): boolean {
    return this.#link.client !== null;
  }

  /** Messages not yet acknowledged, and their bytes. */
  get pending(): { packets: number; bytes: number } {
    return { packets: this.#entries.length, bytes: this.#bytes };
  }

  /** Live messages dropped because there was no connection, or one that did not keep up. */
  get liveDropped(): number {
    return this.#liveDropped;
  }

  /** Begins to connect; it does not wait for the front door. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#link.start(signal), this.#live?.start(signal)]);
  }

  /** Waits a while for the remaining acknowledgements, then rejects what is left with STOPPED. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#entries.length > 0 && this.connected) await this.#drainOrGiveUp();
    await Promise.all([this.#link.stop(), this.#live?.stop()]);
    const left = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    this.#forgetWindow();
    for (const entry of left) entry.reject(new RuntimeError('STOPPED', entry.topic));
  }

  /** Resolves at the PUBACK: the message is committed. The payload must not change until then. Rejects with QUEUE_FULL or, at the end, STOPPED; never for a lost connection. */
  publish(topic: string, payload: Uint8Array): Promise<void> {
    if (this.#stopping) return Promise.reject(new RuntimeError('STOPPED', topic));
    if (this.#entries.length >= this.#queueLimit || this.#bytes + payload.byteLength > this.#queueBytes) {
      return Promise.reject(new RuntimeError('QUEUE_FULL', `${this.#entries.length} messages, ${this.#bytes} bytes`));
    }
    return new Promise((resolve, reject) => {
      this.#entries.push({ topic, payload, resolve, reject, sent: false });
      this.#bytes += payload.byteLength;
      this.#fill();
    });
  }

  /** Sends at QoS 0 if that is possible now, else drops it. */
  publishLive(topic: string, payload: Uint8Array): void {
    const client = this.#live?.client;
    if (client == null || client.stream.writableLength > LIVE_BACKLOG_BYTES) {
      this.#liveDropped += 1;
      return;
    }
    client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength), { qos: 0 });
  }

  #fill(): void {
    const client = this.#link.client;
    if (client === null) return;
    while (this.#sentPackets < this.#windowPackets) {
      const entry = this.#entries[this.#sentPackets];
      if (entry === undefined) break;
      const wouldBe = this.#sentBytes + entry.payload.byteLength;
      if (this.#sentPackets > 0 && wouldBe > this.#windowBytes) break;
      this.#send(client, entry);
    }
  }

  #send(client: MqttClient, entry: Entry): void {
    entry.sent = true;
    this.#sentPackets += 1;
    this.#sentBytes += entry.payload.byteLength;
    if (this.#ackTimer === null) this.#watchAcks(client);
    client.publish(
      entry.topic,
      Buffer.from(entry.payload.buffer, entry.payload.byteOffset, entry.payload.byteLength),
      { qos: 1 },
      (error) => {
        if (client !== this.#link.client) return; // a late callback of a connection that is gone
        if (error) client.end(true);
        else this.#acknowledged(client, entry);
      },
    );
  }

  #acknowledged(client: MqttClient, entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    this.#bytes -= entry.payload.byteLength;
    this.#sentPackets -= 1;
    this.#sentBytes -= entry.payload.byteLength;
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
    if (this.#sentPackets > 0) this.#watchAcks(client);
    entry.resolve();
    this.#fill();
    if (this.#entries.length === 0) this.#drained?.();
  }

  #watchAcks(client: MqttClient): void {
    const ackTimeoutMs = this.#options.ackTimeoutMs ?? 30_000;
    this.#ackTimer = this.#clock.setTimer(ackTimeoutMs, () => {
      this.#options.log.warn({ ackTimeoutMs, unacknowledged: this.#sentPackets }, 'no acknowledgement in time; connecting again');
      client.end(true);
    });
  }

  #forgetWindow(): void {
    for (const entry of this.#entries) entry.sent = false;
    this.#sentPackets = 0;
    this.#sentBytes = 0;
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
  }

  async #drainOrGiveUp(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(this.#options.drainMs ?? 5_000, resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
