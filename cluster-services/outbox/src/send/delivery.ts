import { formatTopic } from '@vitalwire/contract';
import type { Clock, Log, Timer } from '@vitalwire/runtime';
import type { MqttClient } from 'mqtt';
import type { OutboxRow } from '../append.ts';
import type { Outbox } from '../outbox.ts';
import { SendWindow } from './send-window.ts';

export type DeliveryOptions = {
  readonly owner: string; // topic level
  readonly outbox: Pick<Outbox, 'read' | 'ack'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly windowPackets: number;
  readonly windowBytes: number;
  readonly ackTimeoutMs: number;
  /** The connection to send over; null while there is none. */
  readonly client: () => MqttClient | null;
  /** Acknowledgements were owed for too long: this connection is about to be ended. */
  readonly onOverdue: (afterMs: number) => void;
};

const READ_ROWS = 128;
const READ_BYTES = 512 * 1024;

/**
 * What is sent and what is acknowledged: at QoS 1, in order, never more un-acknowledged than the window, and after every reconnect again
 * from the oldest un-acknowledged message. Only the PUBACK of our front door, sent after its commit, moves the outbox on.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #window: SendWindow;
  #epoch = 0; // raised when what is on the way no longer counts: new connection, new generation, repaired outbox
  #buffer: OutboxRow[] = [];
  #cursor = 0; // the last id taken from the outbox
  #deliveredId = 0;
  #isPumping = false;
  #isHeld = false;
  #again = false;
  #ackTimer: Timer | null = null;
  #acknowledged = 0;
  #answeredAtMs: number;
  #lastPubackUs: number | null = null;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.windowPackets, options.windowBytes);
    this.#answeredAtMs = options.clock.monotonicMs();
  }

  get inFlight(): { readonly packets: number; readonly bytes: number } {
    return this.#window;
  }

  /** Since the start, repeats included. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  get lastPubackUs(): number | null {
    return this.#lastPubackUs;
  }

  /** When the last acknowledgement came, or when there was last nothing to acknowledge; monotonic. */
  get answeredAtMs(): number {
    return this.#answeredAtMs;
  }

  nothingOwed(): void {
    this.#answeredAtMs = this.#options.clock.monotonicMs();
  }

  /** Forgets what is on the way and goes on behind this id: where it had come to, unless given. */
  restart(deliveredId = this.#deliveredId): void {
    this.#epoch += 1;
    this.#window.clear();
    this.#buffer = [];
    this.#deliveredId = deliveredId;
    this.#cursor = deliveredId;
  }

  /** The connection is gone, and with it whatever was on the way. */
  disconnected(): void {
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
    this.restart();
  }

  /**
   * Sends nothing while `work` goes on. Acknowledgements on the way count for nothing; if it resolves to true, nor do those that have come,
   * and all is sent again from the first message.
   */
  async hold(work: () => Promise<boolean>): Promise<void> {
    this.#isHeld = true;
    this.restart();
    try {
      if (await work()) this.restart(0);
    } finally {
      this.#isHeld = false;
      this.pump();
    }
  }

  /** Sends what fits, now and whenever an acknowledgement makes room. */
  pump(): void {
    if (this.#isPumping) {
      this.#again = true;
      return;
    }
    this.#isPumping = true;
    this.#sendWhatFits()
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'the outbox could not be read'))
      .finally(() => {
        this.#isPumping = false;
        if (this.#again) {
          this.#again = false;
          this.pump();
        }
      });
  }

  async #sendWhatFits(): Promise<void> {
    for (;;) {
      const client = this.#options.client();
      if (client === null || this.#isHeld) return;
      const row = this.#buffer[0];
      if (row === undefined) {
        const epoch = this.#epoch;
        const rows = await this.#options.outbox.read(this.#cursor, READ_ROWS, READ_BYTES);
        if (epoch !== this.#epoch) continue;
        const last = rows.at(-1);
        if (last === undefined) return;
        this.#buffer = [...rows];
        this.#cursor = last.id;
        continue;
      }
      if (!this.#window.fits(row.message.byteLength)) return;
      this.#buffer.shift();
      this.#send(client, row);
    }
  }

  #send(client: MqttClient, row: OutboxRow): void {
    const epoch = this.#epoch;
    this.#window.add(row.id, row.message.byteLength);
    if (this.#ackTimer === null) this.#watchAcks(client);
    const payload = Buffer.from(row.message.buffer, row.message.byteOffset, row.message.byteLength);
    client.publish(formatTopic(this.#options.owner, row.device, row.stream), payload, { qos: 1 }, (error) => {
      if (client !== this.#options.client()) return;
      if (error) client.end(true);
      else if (epoch === this.#epoch) this.#acknowledge(client, row.id);
    });
  }

  #acknowledge(client: MqttClient, id: number): void {
    const { clock, outbox } = this.#options;
    this.#acknowledged += 1;
    this.#answeredAtMs = clock.monotonicMs();
    this.#lastPubackUs = clock.nowUs();
    const upto = this.#window.acknowledge(id);
    if (upto !== null) {
      this.#deliveredId = upto;
      outbox.ack(upto);
    }
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
    if (this.#window.packets > 0) this.#watchAcks(client);
    this.pump();
  }

  #watchAcks(client: MqttClient): void {
    const { clock, ackTimeoutMs, onOverdue } = this.#options;
    this.#ackTimer = clock.setTimer(ackTimeoutMs, () => {
      onOverdue(ackTimeoutMs);
      client.end(true);
    });
  }
}
