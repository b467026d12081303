import type { Topic } from '@vitalwire/contract';
import type { Clock, Log, PeerIdentity } from '@vitalwire/runtime';
import type { Client, PublishPacket } from 'aedes';
import { type Connection, type Connections, identityOfScopedId } from './connection.ts';
import { BrokerError } from './errors.ts';
import type { FrontDoorMetrics } from './metrics.ts';
import type { PacketGate } from './packet-gate.ts';
import { type Lane, laneOf, placeBytes } from './packet-gate.ts';
import { publishRight, willRight } from './rights.ts';

/** One publish whose sender and topic have been checked. The payload is a view into a receive buffer: copy what outlives the commit. */
export type Delivery = {
  readonly sender: PeerIdentity;
  readonly topic: Topic;
  readonly topicText: string;
  readonly payload: Uint8Array;
  /** True once the sender's connection is gone: nobody waits for this acknowledgement any more, the message will come again. */
  readonly isAbandoned: () => boolean;
};

/** `route`: committed under its own name, subscribers may see it. `keep`: acknowledged, but not to be taken for a reading. */
export type Acceptance = 'route' | 'keep';

/** What stands behind the door: the only place that understands messages. */
export type Accept = {
  /** Resolves after the commit, never earlier; rejects when the storage is unavailable, and only then. */
  durable(delivery: Delivery): Promise<Acceptance>;
  /** null to route it, else why it is dropped. */
  live(delivery: Delivery): string | null;
};

export type PublishingOptions = {
  readonly accept: Accept;
  readonly connections: Connections;
  readonly metrics: FrontDoorMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly willDelayMs: number;
  readonly ackBeforeCommit: boolean;
  /** Hands a message to whoever listens, without its sender. */
  readonly route: (packet: PublishPacket) => void;
  readonly isPresent: (gateway: string) => boolean;
  readonly onLiveStatus: (gateway: string, status: Uint8Array) => void;
};

type Place = { readonly gate: PacketGate; readonly lane: Lane; readonly bytes: number };
type Done = (error?: Error | null) => void;

const KEPT_TOPIC = '$vitalwire/kept'; // nobody may subscribe to it, so nobody takes quarantined bytes for a reading

/** Commit, then acknowledge: the broker's publish hook, which Aedes runs before it writes the PUBACK and routes. */
export class Publishing {
  readonly #options: PublishingOptions;
  readonly #places = new WeakMap<object, Place>(); // by the broker's packet
  readonly #wills = new Map<string, () => void>(); // by gateway and lane: how to drop the will that waits
  readonly #dropped = new WeakSet<PacketGate>(); // connections about to end because the storage is behind
  #waitingAcks = 0;
  #isStopping = false;

  constructor(options: PublishingOptions) {
    this.#options = options;
  }

  /** Acknowledgements that wait for their commit. */
  get waitingAcks(): number {
    return this.#waitingAcks;
  }

  /** From now on nothing new is accepted; what waits for its commit is still acknowledged. */
  stop(): void {
    this.#isStopping = true;
    for (const drop of this.#wills.values()) drop();
  }

  authorize(client: Client | null, packet: PublishPacket, done: Done): void {
    // Aedes passes a will here too: without a command word, once its connection has ended, and on close for every client.
    if ((packet as { cmd?: string }).cmd === undefined) {
      this.#authorizeWill(client, packet, done);
      return;
    }
    const connection = this.#options.connections.of(client);
    if (connection === undefined) {
      done(new BrokerError('PUBLISH_REFUSED', 'the connection has ended'));
      return;
    }
    const payload = toBytes(packet.payload);
    this.#places.set(packet, { gate: connection.gate, lane: laneOf(packet.qos), bytes: placeBytes(packet.topic, payload.byteLength) });
    const { gate, identity: sender } = connection;
    const right = publishRight(sender, packet);
    if (!right.ok) {
      this.#options.metrics.publishesRefused.inc({ reason: right.reason });
      this.#options.log.warn({ sender, topic: packet.topic, reason: right.reason }, 'publish refused, connection closed');
      done(new BrokerError('PUBLISH_REFUSED', right.reason));
      return;
    }
    if (this.#isStopping) return; // neither acknowledged nor refused: the connection ends, and the client sends it again
    const isAbandoned = (): boolean => gate.destroyed && !this.#options.ackBeforeCommit;
    const delivery: Delivery = { sender, topic: right.topic, topicText: packet.topic, payload, isAbandoned };
    if (right.lane === 'durable') this.#commitThenAck(connection, delivery, packet, done);
    else this.#passLive(delivery, packet, done);
  }

  /** The broker has routed a packet: its sender may send the next. */
  routed(packet: object): void {
    const place = this.#places.get(packet);
    if (place === undefined) return;
    this.#places.delete(packet);
    place.gate.release(place.lane, place.bytes);
  }

  #commitThenAck(connection: Connection, delivery: Delivery, packet: PublishPacket, done: Done): void {
    const { accept, clock, log, metrics } = this.#options;
    const receivedMs = clock.monotonicMs();
    this.#waitingAcks += 1;
    const settle = connection.releases.enter((error) => {
      if (packet.qos === 2) this.routed(packet); // a repeat of it is answered without being routed again
      if (error === null) {
        metrics.pubackSeconds.observe((clock.monotonicMs() - receivedMs) / 1000);
        // Aedes routes only after a PUBACK it could write. What was committed is seen although its sender has gone; it may stay away for hours.
        if (packet.qos === 1 && connection.gate.destroyed) this.#options.route(packet);
        done(null);
      } else {
        setImmediate(() => done(error)); // it ends the connection with all that is unwritten: PUBACKs before it leave first
      }
    });
    accept.durable(delivery).then(
      (acceptance) => {
        this.#waitingAcks -= 1;
        if (acceptance === 'keep') packet.topic = KEPT_TOPIC;
        settle(null);
      },
      (cause: unknown) => {
        this.#waitingAcks -= 1;
        // Its whole window is overdue in the same moment: that is one client dropped, not one per message.
        if (!connection.gate.destroyed && !this.#dropped.has(connection.gate)) {
          this.#dropped.add(connection.gate);
          metrics.clientsDropped.inc({ reason: 'storage-behind' });
          log.warn(
            { sender: delivery.sender, topic: delivery.topicText, err: cause },
            'client dropped: no commit in time, it will send again',
          );
        }
        settle(new BrokerError('STORAGE_BEHIND', undefined, { cause }));
      },
    );
    if (this.#options.ackBeforeCommit) settle(null);
  }

  #passLive(delivery: Delivery, packet: PublishPacket, done: Done): void {
    const { accept, metrics, isPresent, onLiveStatus } = this.#options;
    const dropped = accept.live(delivery);
    if (dropped === null) {
      metrics.liveMessages.inc();
      const { sender, topic, payload } = delivery;
      if (topic.stream === 'status' && isPresent(sender.id)) onLiveStatus(sender.id, payload);
    } else {
      metrics.liveDropped.inc({ reason: dropped });
      packet.topic = KEPT_TOPIC;
    }
    done(null);
  }

  /** A will speaks for a gateway that went without a word, so it counts only once the gateway has stayed away. */
  #authorizeWill(client: Client | null, will: PublishPacket, done: Done): void {
    const { clock, isPresent, willDelayMs } = this.#options;
    const sender = client === null ? null : identityOfScopedId(client.id);
    const right = sender === null ? null : willRight(sender, will);
    if (sender === null || right === null || !right.ok || this.#isStopping) {
      done(new BrokerError('PUBLISH_REFUSED', 'this will does not count'));
      return;
    }
    const key = `${sender.id} ${right.lane}`;
    this.#wills.get(key)?.(); // a newer will speaks for the same gateway
    const timer = clock.setTimer(willDelayMs, () => {
      this.#wills.delete(key);
      if (isPresent(sender.id)) {
        done(new BrokerError('PUBLISH_REFUSED', 'the gateway is back'));
        return;
      }
      const delivery: Delivery = {
        sender,
        topic: right.topic,
        topicText: will.topic,
        payload: toBytes(will.payload),
        isAbandoned: () => false,
      };
      if (right.lane === 'live') this.#passLive(delivery, will, done);
      else this.#commitWill(delivery, will, done);
    });
    this.#wills.set(key, () => {
      timer.cancel();
      this.#wills.delete(key);
      done(new BrokerError('PUBLISH_REFUSED', 'this will no longer counts'));
    });
  }

  #commitWill(delivery: Delivery, will: PublishPacket, done: Done): void {
    this.#options.accept.durable(delivery).then(
      (acceptance) => {
        if (acceptance === 'keep') will.topic = KEPT_TOPIC;
        done(null);
      },
      (cause: unknown) => {
        this.#options.log.warn(
          { sender: delivery.sender, err: cause },
          'the last will of a lost gateway could not be committed; its offline record is missing',
        );
        done(new BrokerError('STORAGE_BEHIND', undefined, { cause }));
      },
    );
  }
}

function toBytes(payload: string | Buffer): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}
