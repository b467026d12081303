import type { PeerIdentity } from '@vitalwire/runtime';
import type { Client } from 'aedes';
import type { Connect } from './packet.ts';
import type { PacketGate } from './packet-gate.ts';
import { ReleaseQueue } from './release-queue.ts';

/** What the front door knows about one open connection. */
export type Connection = {
  readonly gate: PacketGate;
  readonly identity: PeerIdentity;
  readonly releases: ReleaseQueue;
  connect: Connect | null; // once its CONNECT was found good
  client: Client | null; // once it is connected
  wantsHello: boolean;
  isGreeting: boolean;
  wasRefused: boolean; // a subscription: told once, however often it is tried
};

/** The open connections, found by the stream that the broker knows them by, and counted by certificate. */
export class Connections {
  readonly #byStream = new Map<unknown, Connection>();
  readonly #perCertificate = new Map<string, Set<Connection>>();

  get size(): number {
    return this.#byStream.size;
  }

  openOf(identity: PeerIdentity): number {
    return this.#perCertificate.get(certificateName(identity))?.size ?? 0;
  }

  /** Sessions of this certificate under other client ids; one under the same id is about to be taken over. */
  sessionsBeside(identity: PeerIdentity, clientId: string): number {
    let sessions = 0;
    for (const { connect } of this.#perCertificate.get(certificateName(identity)) ?? []) {
      if (connect !== null && (connect.clientId !== clientId || clientId === '')) sessions += 1; // no id is nobody's id
    }
    return sessions;
  }

  /** The connection of a broker's client; undefined when it has ended. */
  of(client: Client | null): Connection | undefined {
    return client === null ? undefined : this.#byStream.get(client.conn);
  }

  add(gate: PacketGate, identity: PeerIdentity): Connection {
    const connection: Connection = {
      gate,
      identity,
      releases: new ReleaseQueue(),
      connect: null,
      client: null,
      wantsHello: false,
      isGreeting: false,
      wasRefused: false,
    };
    this.#byStream.set(gate, connection);
    const name = certificateName(identity);
    const siblings = this.#perCertificate.get(name) ?? new Set();
    this.#perCertificate.set(name, siblings.add(connection));
    return connection;
  }

  remove(connection: Connection): void {
    this.#byStream.delete(connection.gate);
    const name = certificateName(connection.identity);
    const siblings = this.#perCertificate.get(name);
    siblings?.delete(connection);
    if (siblings?.size === 0) this.#perCertificate.delete(name);
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
