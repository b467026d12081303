import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock } from '@vitalwire/runtime';
import { type Budget, RateLimit } from './bounds.ts';
import type { FrontDoorLimits } from './limits.ts';
import { type Connect, checkPacket, findFrame, type Packet, type Publish, type Violation } from './packet.ts';

/** What CONNACK may say; 0 lets the CONNECT through to the broker. */
export type ConnackCode = 0 | 1 | 2 | 3 | 5;
export type ConnectVerdict = { readonly code: ConnackCode; readonly reason: string };
export type Lane = 'durable' | 'live';

export type PacketGateOptions = {
  readonly limits: FrontDoorLimits;
  readonly clock: Clock;
  readonly budgets: Readonly<Record<Lane, Budget>>;
  /** Decides on a well-formed CONNECT; may take its time, nothing behind it is read meanwhile. */
  readonly onConnect: (connect: Connect) => Promise<ConnectVerdict>;
  /** Called once, before the gate closes a connection that broke a rule. */
  readonly onRefused: (reason: Violation | 'connect-overdue') => void;
};

type Waiting = { readonly bytes: Buffer; readonly packet: Packet; isCounted: boolean };

const NO_HEADER_YET = Buffer.alloc(0);
const CLOSE_GRACE_MS = 1_000;
const CONNECT_BYTE = 0x10;

/**
 * Stands between one socket and Aedes and lets whole, well-formed packets through, never more of them than the bounds allow.
 *
 * Aedes has no limit of its own on the size of a packet or on what is in hand, so this is where the memory of a connection is bounded:
 * at the bound the gate stops forwarding, then stops reading, and TCP pushes back on the sender.
 */
export class PacketGate extends Duplex {
  readonly #socket: Socket;
  readonly #options: PacketGateOptions;
  readonly #rate: RateLimit;
  readonly #wake = (): void => this.#pump();

  #phase: 'connect' | 'deciding' | 'opening' | 'open' | 'closed' = 'connect';
  #input: Buffer = NO_HEADER_YET; // received and not yet cut into packets: less than one read
  #assembling: { readonly target: Buffer; readonly headerBytes: number; filled: number } | null = null; // a packet that spans reads
  #next: Waiting | null = null; // checked, waiting for its place
  #isPumping = false;
  #isStopping = false;
  #hasEnded = false;
  #brokerWantsMore = true;
  #drained: (() => void) | null = null;
  #held = { packets: 0, durable: 0, live: 0 };
  readonly #connectTimer: { cancel(): void };
  #rateTimer: { cancel(): void } | null = null;

  constructor(socket: Socket, options: PacketGateOptions) {
    super({
      readableHighWaterMark: options.limits.unackedBytes + options.limits.maxPacketBytes,
      writableHighWaterMark: options.limits.subscriberBufferBytes,
    });
    this.#socket = socket;
    this.#options = options;
    this.#rate = new RateLimit(options.clock, options.limits.packetsPerSecond, options.limits.packetBurst);
    this.#connectTimer = options.clock.setTimer(options.limits.connectWithinMs, () => {
      if (this.#phase === 'connect') this.#refuse('connect-overdue');
    });
    socket.on('data', (chunk: Buffer) => {
      this.#input = this.#input.byteLength === 0 ? chunk : Buffer.concat([this.#input, chunk]);
      this.#pump();
    });
    socket.on('drain', () => this.#finishWrite());
    socket.on('error', () => this.destroy());
    // What came before an orderly end is still delivered: a DISCONNECT among it keeps the will from being published.
    socket.on('end', () => this.#end());
    socket.on('close', () => this.#end());
  }

  /** Publishes forwarded to the broker and not yet released. */
  get inHand(): number {
    return this.#held.packets;
  }

  /** True when every byte the broker wrote has been handed to the kernel. */
  get isFlushed(): boolean {
    return this.destroyed || (this.writableLength === 0 && this.#socket.writableLength === 0);
  }

  /** The broker has answered with CONNACK 0: what the client sent behind its CONNECT may follow. */
  open(): void {
    if (this.#phase !== 'opening') return;
    this.#phase = 'open';
    this.#pump();
  }

  /** A forwarded publish has been acknowledged and routed: its place is free for the next. */
  release(lane: Lane, bytes: number): void {
    if (this.#phase === 'closed') return; // closing gave everything back at once
    this.#held.packets -= 1;
    this.#held[lane] -= bytes;
    this.#options.budgets[lane].give(bytes);
    this.#pump();
  }

  /** Takes nothing more from the client; what is in hand can still be acknowledged. */
  stopReading(): void {
    this.#isStopping = true;
    this.#socket.pause();
  }

  override _read(): void {
    this.#brokerWantsMore = true;
    this.#pump();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#send(chunk, done);
  }

  // The broker writes a packet as header, length, topic and payload; joined, they are one TLS record instead of four.
  override _writev(parts: { chunk: Buffer }[], done: () => void): void {
    this.#send(Buffer.concat(parts.map((part) => part.chunk)), done);
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    this.#phase = 'closed';
    this.#connectTimer.cancel();
    this.#rateTimer?.cancel();
    this.#next = null;
    this.#input = NO_HEADER_YET;
    this.#assembling = null;
    this.#finishWrite();
    // Acknowledgements written just before must still leave, but a peer that does not take them cannot keep its socket.
    const socket = this.#socket;
    const giveUp = this.#options.clock.setTimer(CLOSE_GRACE_MS, () => socket.destroy());
    socket.once('close', () => giveUp.cancel());
    socket.destroySoon();
    const { durable, live } = this.#held;
    this.#held = { packets: 0, durable: 0, live: 0 };
    for (const budget of Object.values(this.#options.budgets)) budget.forget(this.#wake);
    if (durable > 0) this.#options.budgets.durable.give(durable);
    if (live > 0) this.#options.budgets.live.give(live);
    done(null); // how a connection ended is no error of the stream
  }

  #send(bytes: Buffer, done: () => void): void {
    if (this.#socket.destroyed || this.#socket.writableEnded || this.#socket.write(bytes)) done();
    else this.#drained = done;
  }

  #finishWrite(): void {
    const done = this.#drained;
    this.#drained = null;
    done?.();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#finishWrite();
    this.#pump();
  }

  /** Forwards what may be forwarded now, and reads from the socket exactly while more could be. */
  #pump(): void {
    if (this.#isPumping) return; // forwarding can release, and releasing pumps
    this.#isPumping = true;
    while (this.#forwardOne()) {
      // Every bound is looked at again for each packet.
    }
    this.#isPumping = false;
    if (this.#phase === 'closed' || this.#isStopping) return;
    if (this.#next !== null || !this.#isTaking()) this.#socket.pause();
    else if (!this.#hasEnded) this.#socket.resume();
    else if (!this.readableEnded) this.push(null);
  }

  #isTaking(): boolean {
    const isOpen = this.#phase === 'connect' || this.#phase === 'open';
    return isOpen && !this.#isStopping && this.#brokerWantsMore && this.#rateTimer === null;
  }

  #forwardOne(): boolean {
    if (!this.#isTaking()) return false;
    this.#next ??= this.#takePacket();
    if (this.#next === null) return false;
    if (!this.#isWithinRate(this.#next)) return false;
    const { bytes, packet } = this.#next;
    if (this.#phase === 'connect') {
      if (packet.type !== 'connect') return this.#refuse('first-packet-not-connect');
      this.#next = null;
      return this.#decide(packet, bytes);
    }
    if (packet.type === 'connect') return this.#refuse('second-connect');
    if (packet.type === 'publish' && !this.#takePlace(packet)) return false;
    this.#next = null;
    this.#brokerWantsMore = this.push(bytes);
    return true;
  }

  /** The next whole packet, checked; null when more bytes are needed, or the connection was refused. */
  #takePacket(): Waiting | null {
    const cut = this.#cutPacket();
    if (cut === null) return null;
    const packet = checkPacket(cut.bytes, cut.headerBytes, this.#options.limits);
    if (typeof packet === 'string') {
      // A client of another MQTT version learns why (3.1.2-2); everything else is closed without an answer, as the clauses ask.
      if (packet === 'bad-protocol-level' && this.#phase === 'connect') this.#answerConnect(1);
      this.#refuse(packet);
      return null;
    }
    return { bytes: cut.bytes, packet, isCounted: false };
  }

  #isWithinRate(waiting: Waiting): boolean {
    if (waiting.isCounted) return true;
    const waitMs = this.#rate.take();
    waiting.isCounted = waitMs === 0;
    if (waitMs > 0) {
      this.#rateTimer = this.#options.clock.setTimer(waitMs, () => {
        this.#rateTimer = null;
        this.#pump();
      });
    }
    return waiting.isCounted;
  }

  #cutPacket(): { bytes: Buffer; headerBytes: number } | null {
    if (this.#assembling !== null) {
      const { target, headerBytes, filled } = this.#assembling;
      const copied = this.#input.copy(target, filled);
      this.#input = this.#input.subarray(copied);
      this.#assembling.filled += copied;
      if (this.#assembling.filled < target.byteLength) return null;
      this.#assembling = null;
      return { bytes: target, headerBytes };
    }
    if (this.#input.byteLength === 0) return null;
    const frame = findFrame(this.#input, 0, this.#options.limits.maxPacketBytes);
    if (this.#phase === 'connect' && this.#input[0] !== CONNECT_BYTE) {
      this.#refuse('first-packet-not-connect'); // no MQTT at all, perhaps: its length would mean nothing
      return null;
    }
    if (frame.state === 'refused') {
      this.#refuse(frame.violation);
      return null;
    }
    if (frame.state === 'whole') {
      const bytes = this.#input.subarray(0, frame.totalBytes);
      this.#input = this.#input.subarray(frame.totalBytes);
      return { bytes, headerBytes: frame.headerBytes };
    }
    if (frame.state === 'partial') {
      // Its size is known and allowed: one buffer, filled read by read, however small the reads are.
      this.#assembling = { target: Buffer.allocUnsafe(frame.totalBytes), headerBytes: frame.headerBytes, filled: 0 };
      return this.#cutPacket();
    }
    return null; // less than a header: at most four bytes stay in #input
  }

  #takePlace(publish: Publish): boolean {
    const { limits, budgets } = this.#options;
    const lane = laneOf(publish.qos);
    const bytes = placeBytes(publish.topic, publish.payloadBytes);
    const heldBytes = this.#held.durable + this.#held.live;
    if (this.#held.packets >= limits.unackedPackets) return false;
    if (this.#held.packets > 0 && heldBytes + bytes > limits.unackedBytes) return false;
    if (!budgets[lane].tryTake(bytes)) {
      budgets[lane].wakeOnRoom(this.#wake);
      return false;
    }
    this.#held.packets += 1;
    this.#held[lane] += bytes;
    return true;
  }

  #decide(connect: Connect, bytes: Buffer): false {
    this.#phase = 'deciding';
    this.#connectTimer.cancel();
    this.#options.onConnect(connect).then(
      ({ code }) => {
        if (this.#phase !== 'deciding') return; // gone meanwhile
        if (code === 0) {
          this.#phase = 'opening';
          this.push(bytes);
        } else {
          this.#answerConnect(code);
          this.destroy();
        }
      },
      () => this.destroy(),
    );
    return false;
  }

  #answerConnect(code: ConnackCode): void {
    this.#socket.write(Buffer.of(0x20, 2, 0, code));
  }

  #refuse(reason: Violation | 'connect-overdue'): false {
    if (this.#phase !== 'closed') {
      this.#options.onRefused(reason);
      this.destroy();
    }
    return false;
  }
}

/** QoS 0 is the live lane, whatever the topic says: only what is acknowledged may wait for the database. */
export function laneOf(qos: number): Lane {
  return qos === 0 ? 'live' : 'durable';
}

/** What one publish counts against the bounds; the same from the wire and from Aedes' packet, as topics are ASCII. */
export function placeBytes(topic: string, payloadBytes: number): number {
  return topic.length + payloadBytes + 8;
}
