import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import type { Identity } from '@vitalwire/runtime';
import { connectPacket } from '@vitalwire/testkit';

/** Sends ready-made publishes with a full window and counts the PUBACKs: a load that costs the measuring side as little as possible. */
export class DurableLoad {
  readonly #socket: TLSSocket;
  readonly #packets: readonly Buffer[];
  readonly #window: number;
  #sent = 0;
  #acked = 0;
  #skip = 4; // the CONNACK
  #half = Buffer.alloc(0);
  #isSending = false;
  #onAck: () => void = () => {};

  private constructor(socket: TLSSocket, packets: readonly Buffer[], window: number) {
    this.#socket = socket;
    this.#packets = packets;
    this.#window = window;
    socket.on('data', (chunk: Buffer) => this.#count(chunk));
    socket.on('error', () => {}); // the caller sees that acknowledgements stay away
  }

  static async open(port: number, identity: Identity, clientId: string, packets: readonly Buffer[], window: number): Promise<DurableLoad> {
    const files = { cert: readFileSync(identity.certPath), key: readFileSync(identity.keyPath), ca: readFileSync(identity.caPath) };
    const socket = connect({ host: '127.0.0.1', port, ...files });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
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

  /** Publishes until `ms` have passed or nothing is left, waits for what is on the way, and says how long it all took. */
  async run(ms: number): Promise<{ acked: number; elapsedMs: number }> {
    const beganMs = performance.now();
    this.#isSending = true;
    const timer = setTimeout(() => {
      this.#isSending = false;
    }, ms);
    this.#fill();
    await this.#until(() => !this.#isSending && this.#acked === this.#sent);
    clearTimeout(timer);
    return { acked: this.#acked, elapsedMs: performance.now() - beganMs };
  }

  close(): void {
    this.#socket.end(Buffer.of(0xe0, 0));
  }

  #fill(): void {
    this.#socket.cork();
    while (this.#isSending && this.#sent - this.#acked < this.#window) {
      const packet = this.#packets[this.#sent];
      if (packet === undefined) {
        this.#isSending = false; // faster than foreseen: the round is shorter, the rate as true
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

  async #until(isSo: () => boolean, withinMs = 15_000): Promise<void> {
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
