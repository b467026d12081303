import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Identity } from '@vitalwire/runtime';
import { connectPacket } from '@vitalwire/testkit';

const OVERDUE_MS = 15_000;

/** Sends ready-made publishes with a full window and counts the PUBACKs: a load that costs the measuring side as little as possible. */
export class DurableLoad {
  readonly #socket: Socket;
  readonly #packets: readonly Buffer[];
  readonly #window: number;
  #sent = 0;
  #allowed = Number.POSITIVE_INFINITY;
  #lastOfRun = Number.POSITIVE_INFINITY;
  #acked = 0;
  #skip = 4; // the CONNACK
  #half = Buffer.alloc(0);
  #isSending = false;
  #onAck: () => void = () => {};

  private constructor(socket: Socket, packets: readonly Buffer[], window: number) {
    this.#socket = socket;
    this.#packets = packets;
    this.#window = window;
    socket.on('data', (chunk: Buffer) => this.#count(chunk));
    socket.on('error', () => {}); // the caller sees that acknowledgements stay away
  }

  /** Connects by TLS, or without it when there is no identity. */
  static async open(
    port: number,
    identity: Identity | null,
    clientId: string,
    packets: readonly Buffer[],
    window: number,
  ): Promise<DurableLoad> {
    const socket =
      identity === null ? connectPlain({ host: '127.0.0.1', port }) : connectTls({ host: '127.0.0.1', port, ...filesOf(identity) });
    await new Promise<void>((resolve, reject) => {
      socket.once(identity === null ? 'connect' : 'secureConnect', resolve);
      socket.once('error', reject);
    });
    const load = new DurableLoad(socket, packets, window);
    socket.write(connectPacket({ clientId, keepaliveS: 60 }));
    await load.#until(() => load.#skip === 0);
    return load;
  }

  get acked(): number {
    return this.#acked;
  }

  /** Sends no more than so many in all, for now. */
  allow(total: number): void {
    this.#allowed = total;
    this.#fill();
  }

  /** Publishes until `ms` have passed, `most` were sent or nothing is left, waits for what is on the way, and says how long it all took. */
  async run(ms: number, most = Number.POSITIVE_INFINITY): Promise<{ acked: number; elapsedMs: number }> {
    const beganMs = performance.now();
    this.#isSending = true;
    this.#lastOfRun = this.#sent + most;
    const timer = setTimeout(() => {
      this.#isSending = false;
      this.#onAck();
    }, ms);
    this.#fill();
    await this.#until(() => !this.#isSending && this.#acked === this.#sent, ms + OVERDUE_MS);
    clearTimeout(timer);
    return { acked: this.#acked, elapsedMs: performance.now() - beganMs };
  }

  close(): void {
    this.#socket.end(Buffer.of(0xe0, 0));
  }

  #fill(): void {
    this.#socket.cork();
    while (this.#isSending && this.#sent < this.#allowed && this.#sent - this.#acked < this.#window) {
      const packet = this.#sent < this.#lastOfRun ? this.#packets[this.#sent] : undefined;
      if (packet === undefined) {
        this.#isSending = false; // as many as wanted, or faster than foreseen: then the round is shorter, the rate as true
        break;
      }
      this.#socket.write(packet);
      this.#sent += 1;
    }
    this.#socket.uncork();
  }

  // Nothing but the CONNACK and PUBACKs comes back, four bytes each.
  #count(chunk: Buffer): void {
    const bytes = this.#half.byteLength === 0 ? chunk : Buffer.concat([this.#half, chunk]);
    let at = 0;
    for (; at + 4 <= bytes.byteLength; at += 4) {
      if (this.#skip > 0) this.#skip = 0;
      else this.#acked += 1;
    }
    this.#half = Buffer.from(bytes.subarray(at));
    this.#fill();
    this.#onAck();
  }

  async #until(isSo: () => boolean, withinMs = OVERDUE_MS): Promise<void> {
    if (isSo()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no acknowledgement within ${withinMs} ms`)), withinMs);
      this.#onAck = () => {
        if (!isSo()) return;
        clearTimeout(timer);
        this.#onAck = () => {};
        resolve();
      };
    });
  }
}

function filesOf({ caPath, certPath, keyPath }: Identity): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(caPath), cert: readFileSync(certPath), key: readFileSync(keyPath) };
}
