import type { PeerIdentity } from '@vitalwire/runtime';
import type { Client } from 'aedes';
import type { Connect } from './packet.ts';
import type { PacketGate } from './packet-gate.ts';
import { ReleaseQueue } from './release-queue.ts';

/** What the front door knows about one open connection. */
export type Connection = {
  readonly gate: PacketGate;
  readonly identity: PeerIdentity;
  readonly isOverLimit: boolean;
  readonly releases: ReleaseQueue;
  connect: Connect | null; // once its CONNECT was let through
  client: Client | null; // once it is connected
  wantsHello: boolean;
  isGreeting: boolean;
};

/** The open connections, found by the stream that the broker knows them by, and counted by certificate. */
export class Connections {
  readonly #byStream = new Map<unknown, Connection>();
  readonly #perCertificate = new Map<string, number>();

  get size(): number {
    return this.#byStream.size;
  }

  openOf(identity: PeerIdentity): number {
    return this.#perCertificate.get(certificateName(identity)) ?? 0;
  }

  /** The connection of a broker's client; undefined when it has ended. */
  of(client: Client | null): Connection | undefined {
    return client === null ? undefined : this.#byStream.get(client.conn);
  }

  add(gate: PacketGate, identity: PeerIdentity, isOverLimit: boolean): Connection {
    const connection: Connection = {
      gate,
      identity,
      isOverLimit,
      releases: new ReleaseQueue(),
      connect: null,
      client: null,
      wantsHello: false,
      isGreeting: false,
    };
    this.#byStream.set(gate, connection);
    this.#perCertificate.set(certificateName(identity), this.openOf(identity) + 1);
    return connection;
  }

  remove({ gate, identity }: Connection): void {
    if (!this.#byStream.delete(gate)) return;
    const left = this.openOf(identity) - 1;
    if (left > 0) this.#perCertificate.set(certificateName(identity), left);
    else this.#perCertificate.delete(certificateName(identity));
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#byStream.values();
  }
}

/** A client id inside its certificate's name: no client can take over the session of another certificate. */
export function scopedClientId(identity: PeerIdentity, clientId: string): string {
  return `${certificateName(identity)}/${clientId}`;
}

/** Whose client this is, from a scoped id: the only thing left of a client whose connection has ended. */
export function identityOfScopedId(scopedId: string): PeerIdentity | null {
  const [kind, id] = (scopedId.split('/', 1)[0] ?? '').split(':', 2);
  return (kind === 'gateway' || kind === 'service') && id !== undefined ? { kind, id } : null;
}

function certificateName({ kind, id }: PeerIdentity): string {
  return `${kind}:${id}`;
}
