import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { commandTopic, type Hello } from '@vitalwire/contract';
import {
  type Clock,
  type Identity,
  identityOf,
  type Lifecycle,
  type Log,
  type PeerIdentity,
  type Registry,
  type Timer,
} from '@vitalwire/runtime';
import { Aedes, type Client, type Subscription } from 'aedes';
import mqtt from 'mqtt-packet';
import { Announcer } from './announcer.ts';
import { Budget, RateLimit } from './bounds.ts';
import { type Connection, Connections, scopedClientId } from './connection.ts';
import { BrokerError } from './errors.ts';
import { defaultLimits, type FrontDoorLimits } from './limits.ts';
import { FrontDoorMetrics } from './metrics.ts';
import type { Connect } from './packet.ts';
import { type ConnectVerdict, PacketGate } from './packet-gate.ts';
import { PlainListener } from './plain-listener.ts';
import { Presence, type PresenceChange } from './presence.ts';
import { type Accept, Publishing } from './publishing.ts';
import { maySubscribe, willRight } from './rights.ts';
import { TlsListener } from './tls-listener.ts';

export type FrontDoorOptions = {
  readonly host: string;
  readonly port: number; // 0 = any free one
  readonly identity: Identity;
  readonly accept: Accept;
  /** What a client hears after subscribing to its commands; rejects while it is not known, and is then asked again. */
  readonly hello: () => Promise<Hello>;
  readonly log: Log;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly limits?: Partial<FrontDoorLimits>;
  readonly onPresence?: (change: PresenceChange) => void;
};

/** Switches that break a promise on purpose. They exist only as an argument in code: no setting of any program reaches them. */
export type TestOnly = {
  /** The loss that the tests of loss must see. */
  readonly ackBeforeCommit?: boolean;
  /** Listens without TLS and takes every client for this one: for benchmarks beside a broker without TLS. */
  readonly plainTcpAs?: PeerIdentity;
};

const FLUSH_MS = 2_000;
const DAY_MS = 86_400_000;
const SUBSCRIPTION_REFUSED = 0x80;

/** Makes the front door; it opens at `start`. */
export function createFrontDoor(options: FrontDoorOptions, testOnly: TestOnly = {}): FrontDoor {
  return new FrontDoor(options, testOnly);
}

/** MQTT over mutual TLS, where a PUBACK means: committed. */
export class FrontDoor implements Lifecycle {
  readonly #options: FrontDoorOptions;
  readonly #limits: FrontDoorLimits;
  readonly #log: Log;
  readonly #metrics: FrontDoorMetrics;
  readonly #budgets: { readonly durable: Budget; readonly live: Budget };
  readonly #connectRate: RateLimit;
  readonly #connections = new Connections();
  readonly #presence: Presence;
  readonly #announcer: Announcer;
  readonly #publishing: Publishing;
  readonly #listener: TlsListener | PlainListener;
  #broker: Aedes | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: FrontDoorOptions, testOnly: TestOnly) {
    const { accept, clock, hello, log } = options;
    const limits = { ...defaultLimits, ...options.limits };
    this.#options = options;
    this.#limits = limits;
    this.#log = log;
    this.#budgets = { durable: new Budget(limits.durableBytes), live: new Budget(limits.liveBytes) };
    this.#metrics = new FrontDoorMetrics(options.registry, this.#budgets);
    this.#connectRate = new RateLimit(clock, limits.connectsPerSecond, limits.connectBurst);
    this.#presence = new Presence(clock, (change) => this.#presenceChanged(change));
    this.#announcer = new Announcer({ clock, log, hello });
    this.#publishing = new Publishing({
      accept,
      clock,
      log,
      connections: this.#connections,
      metrics: this.#metrics,
      willDelayMs: 2_000 * limits.maxKeepaliveS,
      ackBeforeCommit: testOnly.ackBeforeCommit === true,
      route: (packet) => this.#broker?.publish(packet, () => {}),
      isPresent: (gateway) => this.#presence.isConnected(gateway),
      onLiveStatus: (gateway, status) => this.#announcer.remember(gateway, status),
    });
    this.#listener = this.#makeListener(testOnly);
  }

  /** The port in use; 0 while closed. */
  get port(): number {
    return this.#listener.port;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  async start(): Promise<void> {
    const limits = this.#limits;
    mqtt.writeToStream.cacheNumbers = false; // all 65,536 packet ids, as buffers: 7 MB and 30 ms of the process
    const broker = await Aedes.createBroker({
      concurrency: 256,
      drainTimeout: limits.drainTimeoutMs,
      connectTimeout: limits.connectWithinMs * 4, // the gate is stricter; this one only catches what it might miss
      queueLimit: limits.unackedPackets,
      maxInflightInbound: limits.unackedPackets,
      maxClientsIdLength: 1_024, // client ids carry their certificate's name; the gate has checked what the client sent
      maxTopicLevels: limits.maxTopicLevels,
      preConnect: (client, packet, done) => {
        const connection = this.#connections.of(client);
        if (connection !== undefined)
          packet.clientId = scopedClientId(connection.identity, packet.clientId === '' ? randomUUID() : packet.clientId);
        done(null, true); // false would leave the socket open without a timer: who may connect is decided before and behind this
      },
      authenticate: (client, _user, _password, done) => done(null, this.#connections.of(client) !== undefined),
      authorizePublish: (client, packet, done) => this.#publishing.authorize(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => done(null, this.#maySubscribe(client, subscription) ? subscription : null),
      published: (packet, _client, done) => {
        this.#publishing.routed(packet);
        done(null);
      },
    });
    this.#broker = broker;
    broker.on('clientReady', (client: Client) => this.#ready(client));
    broker.on('subscribe', (subscriptions: Subscription[], client: Client) => this.#subscribed(subscriptions, client));
    broker.on('keepaliveTimeout', (client: Client) => this.#dropped(client, 'keepalive'));
    broker.on('clientError', (client: Client, error: Error) => this.#clientFailed(client, error));
    broker.on('connectionError', (client: Client, error: Error) => this.#clientFailed(client, error));
    // Not among Aedes' typed events, but a failure of its persistence arrives here, and unheard it would end the process.
    (broker as EventEmitter).on('error', (error: unknown) => this.#log.error({ err: error }, 'the broker reported a failure of its own'));
    await this.#listener.open();
  }

  /** Finishes what was begun: the batch commits, its PUBACKs leave, and only then do the connections end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#finish();
    return this.#stopping;
  }

  /** Says Hello again to everybody who asked for it: the database generation has changed. */
  announce(): void {
    for (const connection of this.#connections) if (connection.wantsHello) this.#announcer.greet(connection);
  }

  /** Looks for new certificate files at once; it also happens every minute. */
  reloadIdentity(): Promise<void> {
    return this.#listener.reload();
  }

  async #finish(): Promise<void> {
    const { clock } = this.#options;
    const closed = this.#listener.close();
    this.#presence.stop();
    this.#publishing.stop();
    for (const { gate } of this.#connections) gate.stopReading();
    await this.#waitUntil(() => this.#publishing.waitingAcks === 0, this.#limits.stopWithinMs);
    await clock.sleep(0); // PUBACKs are written to the gates in the next turns of the loop
    await clock.sleep(0);
    await this.#waitUntil(() => [...this.#connections].every(({ gate }) => gate.isFlushed), FLUSH_MS);
    const broker = this.#broker;
    if (broker !== null) await new Promise<void>((resolve) => broker.close(() => resolve()));
    for (const { gate } of this.#connections) gate.destroy();
    await closed;
  }

  async #waitUntil(isSo: () => boolean, withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + withinMs;
    while (!isSo() && clock.monotonicMs() < deadlineMs) await clock.sleep(5);
  }

  #makeListener({ plainTcpAs }: TestOnly): TlsListener | PlainListener {
    const { clock, host, identity, log, port } = this.#options;
    if (plainTcpAs !== undefined) return new PlainListener({ host, port, onSocket: (socket) => this.#admit(socket, plainTcpAs) });
    return new TlsListener({
      host,
      port,
      identity,
      maxConnections: this.#limits.maxConnections,
      handshakeWithinMs: this.#limits.connectWithinMs,
      clock,
      log,
      onSocket: (socket) => {
        const certificate = socket.getPeerCertificate();
        this.#admit(socket, identityOf(certificate), Date.parse(certificate.valid_to));
      },
      onHandshakeFailed: (error) => {
        this.#metrics.connectsRefused.inc({ reason: 'tls' });
        log.debug({ err: error }, 'a TLS handshake failed');
      },
      onIdentity: ({ notAfterMs }) => this.#metrics.certificateDaysLeft.set((notAfterMs - clock.nowMs()) / DAY_MS),
    });
  }

  #admit(socket: Socket, identity: PeerIdentity | null, endsMs = Number.NaN): void {
    const open = identity === null ? 0 : this.#connections.openOf(identity);
    const limit = this.#limits.maxConnectionsPerCertificate;
    // Whoever has too many sessions hears so by CONNACK; a flood of connections is not answered.
    if (identity === null || this.#stopping !== null || open >= 2 * limit) {
      this.#metrics.connectsRefused.inc({
        reason: identity === null ? 'no-identity' : this.#stopping === null ? 'too-many-connections' : 'stopping',
      });
      if (identity === null)
        this.#log.warn({ address: socket.remoteAddress }, 'connection refused: the certificate names no gateway or service');
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const gate = new PacketGate(socket, {
      limits: this.#limits,
      clock: this.#options.clock,
      budgets: this.#budgets,
      onConnect: (connect) => this.#decideConnect(connection, connect),
      onRefused: (reason) => {
        this.#metrics.packetsRefused.inc({ reason });
        this.#log.warn({ sender: identity, reason }, 'connection closed: the client broke a rule of MQTT or a limit');
      },
    });
    const connection = this.#connections.add(gate, identity);
    this.#metrics.connections.inc({ kind: identity.kind });
    const expiry = Number.isNaN(endsMs) ? null : this.#endAt(connection, endsMs);
    gate.once('close', () => {
      expiry?.cancel();
      this.#left(connection);
    });
    this.#broker?.handle(gate);
  }

  /** A certificate admits nobody beyond its end, however long the connection has been open by then. */
  #endAt({ gate, identity }: Connection, endsMs: number): Timer {
    const { clock, log } = this.#options;
    return clock.setTimer(endsMs - clock.nowMs(), () => {
      this.#metrics.clientsDropped.inc({ reason: 'certificate-expired' });
      log.warn({ sender: identity }, 'connection closed: its certificate has expired');
      gate.destroy();
    });
  }

  async #decideConnect(connection: Connection, connect: Connect): Promise<ConnectVerdict> {
    const verdict = this.#judgeConnect(connection, connect);
    if (verdict.code !== 0) return this.#refuseConnect(connection, connect, verdict);
    const waitMs = this.#connectRate.reserve(this.#limits.connectWaitMs);
    if (waitMs === null) return this.#refuseConnect(connection, connect, { code: 3, reason: 'connect-rate' });
    connection.connect = connect;
    if (waitMs > 0) await this.#options.clock.sleep(waitMs);
    return verdict;
  }

  #judgeConnect({ identity }: Connection, { clean, clientId, keepaliveS, level, will }: Connect): ConnectVerdict {
    const { maxConnectionsPerCertificate, minKeepaliveS, maxKeepaliveS } = this.#limits;
    if (this.#connections.sessionsBeside(identity, clientId) >= maxConnectionsPerCertificate)
      return { code: 3, reason: 'too-many-connections' };
    if (clientId === '' && (!clean || level === 3)) return { code: 2, reason: 'empty-client-id' }; // 3.1.3-8; MQTT 3.1 asks for 1 to 23 characters
    if (!clean) return { code: 5, reason: 'kept-session' }; // the memory of one replica is not the system's
    if (keepaliveS < minKeepaliveS || keepaliveS > maxKeepaliveS) return { code: 5, reason: 'keepalive-out-of-range' };
    const right = will === null ? null : willRight(identity, will);
    return right === null || right.ok ? { code: 0, reason: '' } : { code: 5, reason: `will-${right.reason}` };
  }

  #refuseConnect({ identity }: Connection, { clientId }: Connect, verdict: ConnectVerdict): ConnectVerdict {
    this.#metrics.connectsRefused.inc({ reason: verdict.reason });
    this.#log.warn({ sender: identity, clientId, reason: verdict.reason, returnCode: verdict.code }, 'connection refused');
    return verdict;
  }

  #ready(client: Client): void {
    const connection = this.#connections.of(client);
    if (connection === undefined) return;
    connection.client = client;
    const { connect, gate, identity } = connection;
    this.#log.debug({ sender: identity, clientId: connect?.clientId }, 'connected');
    if (identity.kind === 'gateway') this.#presence.connected(identity.id, connect?.keepaliveS ?? this.#limits.maxKeepaliveS);
    gate.open();
  }

  #left(connection: Connection): void {
    const { client, connect, identity } = connection;
    this.#connections.remove(connection);
    this.#metrics.connections.dec({ kind: identity.kind });
    if (client === null) return; // it never was connected
    this.#log.debug({ sender: identity, clientId: connect?.clientId }, 'disconnected');
    if (identity.kind === 'gateway' && this.#stopping === null) this.#presence.disconnected(identity.id);
  }

  #maySubscribe(client: Client, { topic }: Subscription): boolean {
    const connection = this.#connections.of(client);
    if (connection === undefined) return false;
    const held = Object.keys((client as Client & { readonly subscriptions: object }).subscriptions).length;
    if (held < this.#limits.maxSubscriptions && maySubscribe(connection.identity, topic)) return true;
    if (!connection.wasRefused) this.#log.warn({ sender: connection.identity, filter: topic }, 'subscription refused');
    connection.wasRefused = true;
    return false;
  }

  #subscribed(subscriptions: readonly Subscription[], client: Client): void {
    const connection = this.#connections.of(client);
    if (connection === undefined) return;
    const topic = commandTopic(connection.identity.id);
    if (!subscriptions.some((subscription) => subscription.topic === topic && Number(subscription.qos) !== SUBSCRIPTION_REFUSED)) return;
    connection.wantsHello = true;
    this.#announcer.greet(connection);
  }

  #presenceChanged(change: PresenceChange): void {
    this.#metrics.gatewaysOnline.set(this.#presence.onlineGateways);
    this.#log.info({ gateway: change.gateway }, change.online ? 'gateway online' : 'gateway offline');
    if (!change.online) this.#broker?.publish(this.#announcer.offline(change.gateway), () => {});
    this.#options.onPresence?.(change);
  }

  #clientFailed(client: Client, error: Error): void {
    if (BrokerError.is(error) || error.message === 'keep alive timeout') return; // told where it was decided
    if (error.message === 'drain timeout') this.#dropped(client, 'does-not-read');
    else this.#log.debug({ sender: this.#connections.of(client)?.identity, err: error }, 'connection failed');
  }

  #dropped(client: Client, reason: string): void {
    const connection = this.#connections.of(client);
    this.#metrics.clientsDropped.inc({ reason });
    this.#log.warn({ sender: connection?.identity, clientId: connection?.connect?.clientId, reason }, 'client dropped');
  }
}
