import { readFileSync } from 'node:fs';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { freePort, TestPki } from '@vitalwire/testkit';
import { Aedes, type PublishPacket } from 'aedes';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Lifecycle } from '../lifecycle.ts';
import { createLog } from '../log.ts';
import { type Identity, identityOf } from '../pki.ts';
import type { BusOptions } from './link.ts';

export const logged: string[] = [];
const log = createLog({ name: 'test', destination: { write: (line) => void logged.push(line) } });
export const signal = new AbortController().signal;

// A real MQTT broker behind TLS that asks for client certificates, as the front door does.
class Door {
  readonly port: number;
  readonly arrived: string[] = [];
  readonly received: { topic: string; text: string; qos: number; client: string }[] = [];
  readonly peers: (string | undefined)[] = [];
  hold: ((packet: PublishPacket) => Promise<void> | undefined) | null = null;
  onConnection: ((socket: TLSSocket) => void) | null = null;
  outstanding = 0;
  mostOutstanding = 0;
  mostOutstandingBytes = 0;
  #outstandingBytes = 0;
  #server: Server | null = null;
  #broker: Aedes | null = null;
  readonly #identity: Identity;

  constructor(port: number, identity: Identity) {
    this.port = port;
    this.#identity = identity;
  }

  async open(): Promise<void> {
    const broker = await Aedes.createBroker({ drainTimeout: 2_000 });
    broker.authorizePublish = (client, packet, done) => {
      const finish = (): void => {
        this.received.push({ topic: packet.topic, text: packet.payload.toString(), qos: packet.qos, client: client?.id ?? '' });
        done(null);
      };
      this.arrived.push(packet.payload.toString());
      const held = packet.qos === 0 ? undefined : this.hold?.(packet);
      if (held === undefined) {
        finish();
        return;
      }
      this.#count(1, packet.payload.length);
      held.then(finish, done).finally(() => this.#count(-1, -packet.payload.length));
    };
    broker.authorizeSubscribe = (_client, subscription, done) =>
      done(null, subscription.topic.startsWith('forbidden') ? null : subscription);
    const read = (path: string): Buffer => readFileSync(path);
    const server = createServer(
      { cert: read(this.#identity.certPath), key: read(this.#identity.keyPath), ca: read(this.#identity.caPath), requestCert: true },
      (socket) => {
        socket.on('error', () => {});
        const peer = socket.getPeerCertificate();
        this.peers.push(`${identityOf(peer)?.id} ${peer.serialNumber}`);
        if (this.onConnection === null) broker.handle(socket);
        else this.onConnection(socket);
      },
    );
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.#server = server;
    this.#broker = broker;
  }

  // Accepts at MQTT level and drops the connection at once.
  kickAfterConnack(): void {
    this.onConnection = (socket) => socket.once('data', () => socket.end(Buffer.from([0x20, 2, 0, 0])));
  }

  send(topic: string, text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#broker?.publish({ cmd: 'publish', topic, payload: Buffer.from(text), qos: 0, retain: false, dup: false }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  async close(): Promise<void> {
    const [server, broker] = [this.#server, this.#broker];
    this.#server = null;
    this.#broker = null;
    if (broker !== null) await new Promise<void>((resolve) => broker.close(() => resolve()));
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #count(packets: number, bytes: number): void {
    this.outstanding += packets;
    this.#outstandingBytes += bytes;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    this.mostOutstandingBytes = Math.max(this.mostOutstandingBytes, this.#outstandingBytes);
  }
}

export let pki: TestPki;
export let identity: Identity;
export let door: Door;
export let common: BusOptions;
export const parts: Lifecycle[] = [];

beforeAll(async () => {
  pki = await TestPki.create();
  identity = await pki.service('prediction');
});
afterAll(() => pki.remove());
beforeEach(async () => {
  door = new Door(await freePort(), await pki.service('ingest'));
  await door.open();
  logged.length = 0;
  common = { url: `mqtts://127.0.0.1:${door.port}`, identity, clientId: 'prediction-pub', log, random: () => 0.02 };
});
afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop();
  await door.close();
});

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
