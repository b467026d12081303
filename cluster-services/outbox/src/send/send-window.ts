type Sent = { readonly id: number; readonly bytes: number; acknowledged: boolean };

/**
 * What is on the way and not yet acknowledged. mqtt.js has no such bound: it would send a whole backlog at once and, beyond 65,535
 * messages, use packet ids twice.
 */
export class SendWindow {
  readonly #maxPackets: number;
  readonly #maxBytes: number;
  #sent: Sent[] = []; // in send order
  #bytes = 0;

  constructor(maxPackets: number, maxBytes: number) {
    this.#maxPackets = maxPackets;
    this.#maxBytes = maxBytes;
  }

  get packets(): number {
    return this.#sent.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One message always fits into an empty window. */
  fits(bytes: number): boolean {
    return this.#sent.length === 0 || (this.#sent.length < this.#maxPackets && this.#bytes + bytes <= this.#maxBytes);
  }

  add(id: number, bytes: number): void {
    this.#sent.push({ id, bytes, acknowledged: false });
    this.#bytes += bytes;
  }

  /** Notes an acknowledgement. Returns the id up to which all is acknowledged if that has moved, else null. */
  acknowledge(id: number): number | null {
    const found = this.#sent.find((one) => one.id === id);
    if (found === undefined) return null;
    found.acknowledged = true;
    let upto: number | null = null;
    for (let first = this.#sent[0]; first?.acknowledged === true; first = this.#sent[0]) {
      this.#sent.shift();
      this.#bytes -= first.bytes;
      upto = first.id;
    }
    return upto;
  }

  /** The connection is gone: nothing is on the way any more. */
  clear(): void {
    this.#sent = [];
    this.#bytes = 0;
  }
}
