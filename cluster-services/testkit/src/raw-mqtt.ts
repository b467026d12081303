import { readFileSync } from 'node:fs';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Identity } from '@vitalwire/runtime';
import { until } from './until.ts';

/** One packet as it came: its first byte and what stands behind its length. */
export type RawPacket = { readonly first: number; readonly body: Buffer };

/** An MQTT client that sends whatever bytes a test wants, right or wrong, and keeps what came back. */
export class RawMqtt {
  readonly socket: TLSSocket;
  readonly packets: RawPacket[] = [];
  #input: Buffer = Buffer.alloc(0);
  #isClosed = false;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => {
      this.#isClosed = true;
    });
    socket.on('error', () => {}); // a reset is an end too; tests look at isClosed
  }

  /** Opens the TLS connection; `identity` null presents no certificate. */
  static async open(port: number, identity: Identity | null, caPath: string | undefined = identity?.caPath): Promise<RawMqtt> {
    const files = identity === null ? {} : { cert: readFileSync(identity.certPath), key: readFileSync(identity.keyPath) };
    const ca = caPath === undefined ? {} : { ca: readFileSync(caPath) };
    const socket = connectTls({ host: '127.0.0.1', port, ...files, ...ca });
    const raw = new RawMqtt(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed before the handshake ended')));
    });
    return raw;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Packet ids of the PUBACKs so far, in the order they came. */
  get acks(): number[] {
    return this.packets.filter((packet) => packet.first === 0x40).map((packet) => packet.body.readUInt16BE(0));
  }

  send(...parts: readonly (Uint8Array | readonly number[])[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
  }

  /** Sends CONNECT and returns the code of the CONNACK, or 'closed'. */
  async connect(options: ConnectBytes = {}): Promise<number | 'closed'> {
    this.send(connectPacket(options));
    const answer = await until(() => this.packets.find((packet) => packet.first === 0x20) ?? (this.#isClosed ? 'closed' : null), 20_000);
    return answer === 'closed' ? answer : answer.body.readUInt8(1);
  }

  async closed(timeoutMs = 20_000): Promise<void> {
    await until(() => this.#isClosed, { timeoutMs, what: 'the connection is closed' });
  }

  end(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    for (;;) {
      let length = 0;
      let at = 1;
      for (; ; at += 1) {
        const byte = this.#input[at];
        if (byte === undefined) return;
        length += (byte & 0x7f) * 128 ** (at - 1);
        if (byte < 0x80) break;
      }
      const end = at + 1 + length;
      if (this.#input.byteLength < end) return;
      this.packets.push({ first: this.#input.readUInt8(0), body: Buffer.from(this.#input.subarray(at + 1, end)) });
      this.#input = this.#input.subarray(end);
    }
  }
}

export type ConnectBytes = {
  clientId?: string;
  clean?: boolean;
  keepaliveS?: number;
  level?: number;
  will?: { topic: string; payload: Uint8Array; qos: number; retain?: boolean };
};

/** The bytes of a CONNECT. */
export function connectPacket({ clientId = 'raw', clean = true, keepaliveS = 30, level = 4, will }: ConnectBytes = {}): Buffer {
  const willFlags = will === undefined ? 0 : 0x04 | (will.qos << 3) | (will.retain === true ? 0x20 : 0);
  const rest = will === undefined ? [] : [mqttText(will.topic), mqttText(Buffer.from(will.payload))];
  return rawPacket(0x10, [
    mqttText(level === 3 ? 'MQIsdp' : 'MQTT'),
    [level, willFlags | (clean ? 2 : 0), keepaliveS >> 8, keepaliveS & 0xff],
    mqttText(clientId),
    ...rest,
  ]);
}

/** The bytes of a PUBLISH; QoS 1 unless `packetId` is null, then 0. */
export function publishPacket(
  topic: string,
  payload: Uint8Array,
  packetId: number | null,
  first = packetId === null ? 0x30 : 0x32,
): Buffer {
  const id = packetId === null ? [] : [packetId >> 8, packetId & 0xff];
  return rawPacket(first, [mqttText(topic), id, payload]);
}

/** The bytes of a SUBSCRIBE. */
export function subscribePacket(packetId: number, filter: string, qos = 0): Buffer {
  return rawPacket(0x82, [[packetId >> 8, packetId & 0xff], mqttText(filter), [qos]]);
}

/** A first byte and a body with its true length between them. */
export function rawPacket(first: number, body: readonly (Uint8Array | readonly number[])[]): Buffer {
  const bytes = Buffer.concat(body.map((part) => Uint8Array.from(part)));
  const length: number[] = [];
  let left = bytes.byteLength;
  do {
    length.push((left % 128) | (left >= 128 ? 0x80 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.concat([Uint8Array.of(first, ...length), bytes]);
}

/** A length of two bytes and the text behind it. */
export function mqttText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Uint8Array.of(bytes.byteLength >> 8, bytes.byteLength & 0xff), bytes]);
}
