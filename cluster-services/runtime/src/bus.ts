import type { IClientOptions, MqttClient } from 'mqtt';
import { fullJitter } from './backoff.ts';
import { type Clock, systemClock, type Timer } from './clock.ts';
import { RuntimeError } from './errors.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Log } from './log.ts';
import { FreshIdentity, type Identity, type LoadedIdentity, readIdentity } from './pki.ts';

export type ConnectOptions = {
  /** mqtts://host:port */
  url: string;
  /** Files to read now, or an identity that has just been read. */
  identity: Identity | LoadedIdentity;
  clientId: string;
  keepaliveS?: number;
  signal?: AbortSignal;
  /** How long to wait for the CONNACK. */
  connectTimeoutMs?: number;
  will?: IClientOptions['will'];
};

export type BusOptions = {
  url: string;
  identity: Identity;
  clientId: string;
  log: Log;
  clock?: Clock;
  keepaliveS?: number;
  connectTimeoutMs?: number;
  /** Told at each new connection. */
  onConnected?: () => void;
  random?: () => number;
};

export type SubscriberOptions = BusOptions & {
  topics: readonly string[];
  /** Messages that may wait for `onMessage`; at the limit the oldest is dropped. */
  queueLimit?: number;
  /** The payload is a view into the socket's buffer: copy what is kept. */
  onMessage: (topic: string, payload: Uint8Array) => void | Promise<void>;
  /** Told how many messages were dropped in all since the start. */
  onDropped?: (count: number) => void;
};

export type DurablePublisherOptions = BusOptions & {
  /** Unacknowledged packets and bytes on the way at once. */
  windowPackets?: number;
  windowBytes?: number;
  /** Packets and bytes kept in memory, on the way or waiting; beyond it `publish` rejects with QUEUE_FULL. */
  queueLimit?: number;
  queueBytes?: number;
  /** No PUBACK for this long: the connection is dropped and everything is sent again. */
  ackTimeoutMs?: number;
  /** How long `stop` waits for the remaining acknowledgements. */
  drainMs?: number;
  /** Client id of the connection for `publishLive`; null if there is nothing live to send. Default: the client id ending in -live. */
  liveClientId?: string | null;
};

const KEEPALIVE_S = 30;
/** Services are few, and whoever watches sees nothing new until they are back: after a front door that was restarted again and again, too. */
const RECONNECT = { baseMs: 250, maxMs: 2_000 } as const;
const CONNECT_TIMEOUT_MS = 10_000;
const FAREWELL_MS = 1_000;
const LIVE_BACKLOG_BYTES = 256 * 1024;

/**
 * One connection, on a fresh client object: MQTT 3.1.1, clean session, no automatic reconnect, nothing kept while offline.
 * Resolves at the CONNACK; rejects with FRONT_DOOR_UNREACHABLE, FRONT_DOOR_REFUSED or CERTIFICATE_UNREADABLE.
 */
export async function connectOnce(options: ConnectOptions): Promise<MqttClient> {
  const { signal } = options;
  signal?.throwIfAborted();
  const identity = 'key' in options.identity ? options.identity : await readIdentity(options.identity);
  const { connect, UniqueMessageIdProvider } = await import('mqtt'); // only where it is needed: it costs a command 60 ms
  signal?.throwIfAborted();
  const client = connect(options.url, {
    clientId: options.clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: options.keepaliveS ?? KEEPALIVE_S,
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0, // the built-in one waits a constant second and replays its store before it says 'connect'
    resubscribe: false,
    queueQoSZero: false, // the default keeps stale live messages while offline
    messageIdProvider: new UniqueMessageIdProvider(), // the default one wraps and collides silently
    key: identity.key,
    cert: identity.cert,
    ca: identity.ca,
    rejectUnauthorized: true,
    ...(options.will === undefined ? {} : { will: options.will }),
  });
  client.on('error', () => {}); // an error event without a listener would end the process; 'close' follows every error
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      client.removeListener('connect', onConnect);
      client.removeListener('error', onError);
      client.removeListener('close', onClose);
      signal?.removeEventListener('abort', onAbort);
      if (error === null) {
        resolve(client);
        return;
      }
      client.end(true);
      reject(error);
    };
    const onConnect = (): void => settle(null);
    const onError = (cause: Error): void => settle(describeFailure(options, cause));
    const onClose = (): void => settle(new RuntimeError('FRONT_DOOR_UNREACHABLE', `${options.url} closed the connection`));
    const onAbort = (): void => settle(new DOMException('aborted while connecting', 'AbortError'));
    client.once('connect', onConnect);
    client.once('error', onError);
    client.once('close', onClose);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves when the connection is closed; at once if it is already: a kick can come in the same packet as the CONNACK. */
export function untilClosed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve());
    if (!client.connected) resolve();
  });
}

/**
 * Says goodbye if that can be done within a second; 'close' follows in any case. mqtt.js alone would wait for ever for the PUBACKs of a
 * polite end, and for a stalled peer to take the DISCONNECT.
 */
export function disconnect(client: MqttClient, clock: Clock): void {
  if (Object.keys(client.outgoing).length > 0) {
    client.end(true);
    return;
  }
  const timer = clock.setTimer(FAREWELL_MS, () => client.stream.destroy());
  client.once('close', () => timer.cancel());
  client.end();
}

/** Reads topics at QoS 0 into a bounded queue; reconnects with full jitter for as long as it runs. */
export class Subscriber implements Lifecycle {
  readonly #options: SubscriberOptions;
  readonly #link: Link;
  readonly #queue: { topic: string; payload: Uint8Array }[] = [];
  readonly #queueLimit: number;
  #working: Promise<void> | null = null;
  #busy = false;
  #subscribed = false;
  #dropped = 0;
  #stopped = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#queueLimit = options.queueLimit ?? 1_000;
    this.#link = new Link(options, {
      up: async (client) => {
        client.on('message', (topic, payload) => this.#take(topic, payload));
        await subscribe(client, options.topics);
        this.#subscribed = true;
        options.onConnected?.();
      },
      down: () => {
        this.#subscribed = false;
      },
    });
  }

  /** True while the topics are subscribed. */
  get connected(): boolean {
    return this.#subscribed;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Begins to connect; it does not wait for the front door, so that a service can start without one. */
  start(signal: AbortSignal): Promise<void> {
    return this.#link.start(signal);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#link.stop();
    this.#queue.length = 0;
    await this.#working;
  }

  #take(topic: string, payload: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#queue.length >= this.#queueLimit) {
      this.#queue.shift(); // the newest are worth more: consumers see the hole in seq and ask storage
      this.#dropped += 1;
      this.#options.onDropped?.(this.#dropped);
    }
    this.#queue.push({ topic, payload });
    if (!this.#busy) this.#working = this.#drain();
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        const handled = this.#options.onMessage(next.topic, next.payload);
        if (handled !== undefined) await handled;
      } catch (error) {
        this.#options.log.error({ err: error, topic: next.topic }, 'a received message was skipped: handling it failed');
      }
    }
    this.#busy = false; // in the same turn as the look at the empty queue, or a message could slip in between and wait
  }
}

type Entry = { topic: string; payload: Uint8Array; resolve: () => void; reject: (error: Error) => void; sent: boolean };

/**
 * Sends at QoS 1 in order and remembers each message until its PUBACK: through lost connections it sends again from the oldest.
 * What it holds is in memory only; whoever must not lose a message across a crash needs an outbox.
 */
export class DurablePublisher implements Lifecycle {
  readonly #options: DurablePublisherOptions;
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #live: Link | null;
  readonly #windowPackets: number;
  readonly #windowBytes: number;
  readonly #queueLimit: number;
  readonly #queueBytes: number;
  #entries: Entry[] = []; // oldest first; those sent on this connection form the window
  #bytes = 0;
  #sentPackets = 0;
  #sentBytes = 0;
  #ackTimer: Timer | null = null;
  #drained: (() => void) | null = null;
  #stopping = false;
  #liveDropped = 0;

  constructor(options: DurablePublisherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#windowPackets = options.windowPackets ?? 64;
    this.#windowBytes = options.windowBytes ?? 256 * 1024;
    this.#queueLimit = options.queueLimit ?? 4_096;
    this.#queueBytes = options.queueBytes ?? 32 * 1024 * 1024;
    this.#link = new Link(options, {
      up: async () => {
        this.#fill();
        options.onConnected?.();
      },
      down: () => this.#forgetWindow(),
    });
    const liveClientId = options.liveClientId === undefined ? `${options.clientId.replace(/-pub$/, '')}-live` : options.liveClientId;
    // The front door stops reading a socket whose commits wait, so live messages need a connection of their own.
    this.#live = liveClientId === null ? null : new Link({ ...options, clientId: liveClientId }, { up: async () => {}, down: () => {} });
  }

  get connected(): boolean {
    return this.#link.client !== null;
  }

  /** Messages not yet acknowledged, and their bytes. */
  get pending(): { packets: number; bytes: number } {
    return { packets: this.#entries.length, bytes: this.#bytes };
  }

  /** Live messages dropped because there was no connection, or one that did not keep up. */
  get liveDropped(): number {
    return this.#liveDropped;
  }

  /** Begins to connect; it does not wait for the front door. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#link.start(signal), this.#live?.start(signal)]);
  }

  /** Waits a while for the remaining acknowledgements, then rejects what is left with STOPPED. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#entries.length > 0 && this.connected) await this.#drainOrGiveUp();
    await Promise.all([this.#link.stop(), this.#live?.stop()]);
    const left = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    this.#forgetWindow();
    for (const entry of left) entry.reject(new RuntimeError('STOPPED', entry.topic));
  }

  /** Resolves at the PUBACK: the message is committed. The payload must not change until then. Rejects with QUEUE_FULL or, at the end, STOPPED; never for a lost connection. */
  publish(topic: string, payload: Uint8Array): Promise<void> {
    if (this.#stopping) return Promise.reject(new RuntimeError('STOPPED', topic));
    if (this.#entries.length >= this.#queueLimit || this.#bytes + payload.byteLength > this.#queueBytes) {
      return Promise.reject(new RuntimeError('QUEUE_FULL', `${this.#entries.length} messages, ${this.#bytes} bytes`));
    }
    return new Promise((resolve, reject) => {
      this.#entries.push({ topic, payload, resolve, reject, sent: false });
      this.#bytes += payload.byteLength;
      this.#fill();
    });
  }

  /** Sends at QoS 0 if that is possible now, else drops it. */
  publishLive(topic: string, payload: Uint8Array): void {
    const client = this.#live?.client;
    if (client == null || client.stream.writableLength > LIVE_BACKLOG_BYTES) {
      this.#liveDropped += 1;
      return;
    }
    client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength), { qos: 0 });
  }

  #fill(): void {
    const client = this.#link.client;
    if (client === null) return;
    while (this.#sentPackets < this.#windowPackets) {
      const entry = this.#entries[this.#sentPackets];
      if (entry === undefined) break;
      const wouldBe = this.#sentBytes + entry.payload.byteLength;
      if (this.#sentPackets > 0 && wouldBe > this.#windowBytes) break;
      this.#send(client, entry);
    }
  }

  #send(client: MqttClient, entry: Entry): void {
    entry.sent = true;
    this.#sentPackets += 1;
    this.#sentBytes += entry.payload.byteLength;
    if (this.#ackTimer === null) this.#watchAcks(client);
    client.publish(
      entry.topic,
      Buffer.from(entry.payload.buffer, entry.payload.byteOffset, entry.payload.byteLength),
      { qos: 1 },
      (error) => {
        if (client !== this.#link.client) return; // a late callback of a connection that is gone
        if (error) client.end(true);
        else this.#acknowledged(client, entry);
      },
    );
  }

  #acknowledged(client: MqttClient, entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    this.#bytes -= entry.payload.byteLength;
    this.#sentPackets -= 1;
    this.#sentBytes -= entry.payload.byteLength;
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
    if (this.#sentPackets > 0) this.#watchAcks(client);
    entry.resolve();
    this.#fill();
    if (this.#entries.length === 0) this.#drained?.();
  }

  #watchAcks(client: MqttClient): void {
    const ackTimeoutMs = this.#options.ackTimeoutMs ?? 30_000;
    this.#ackTimer = this.#clock.setTimer(ackTimeoutMs, () => {
      this.#options.log.warn({ ackTimeoutMs, unacknowledged: this.#sentPackets }, 'no acknowledgement in time; connecting again');
      client.end(true);
    });
  }

  #forgetWindow(): void {
    for (const entry of this.#entries) entry.sent = false;
    this.#sentPackets = 0;
    this.#sentBytes = 0;
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
  }

  async #drainOrGiveUp(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(this.#options.drainMs ?? 5_000, resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

type LinkEvents = { up: (client: MqttClient) => Promise<void>; down: () => void };

// A connection that is made again and again for as long as it runs, each time on a fresh client.
class Link {
  client: MqttClient | null = null;
  readonly #options: BusOptions;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #abort = new AbortController();
  readonly #identity: FreshIdentity;
  #running: Promise<void> | null = null;

  constructor(options: BusOptions, events: LinkEvents) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#events = events;
    this.#identity = new FreshIdentity(options.identity, options.log);
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#running !== null || this.#abort.signal.aborted) return;
    signal.throwIfAborted();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new DOMException('stopped', 'AbortError'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const stop = this.#abort.signal;
    const { log, clientId, url } = this.#options;
    const backoff = fullJitter({
      ...RECONNECT,
      clock: this.#clock,
      ...(this.#options.random === undefined ? {} : { random: this.#options.random }),
    });
    while (!stop.aborted) {
      try {
        await this.#connectAndStay(() => backoff.healthy());
        if (!stop.aborted) log.warn({ clientId, url }, 'the connection to the front door was lost');
      } catch (error) {
        if (!stop.aborted) log.warn({ err: error, clientId, url }, 'cannot connect to the front door');
      }
      await this.#clock.sleep(backoff.nextMs(), stop).catch(() => {});
    }
  }

  async #connectAndStay(onHealthy: () => void): Promise<void> {
    const stop = this.#abort.signal;
    const identity = await this.#identity.read();
    const client = await connectOnce({ ...this.#options, identity, signal: stop });
    const closed = untilClosed(client);
    const onStop = (): void => disconnect(client, this.#clock);
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    try {
      this.client = client;
      await Promise.race([this.#events.up(client), closed]);
      onHealthy();
      await closed;
    } finally {
      stop.removeEventListener('abort', onStop);
      this.client = null;
      this.#events.down();
      client.end(true);
    }
  }
}

function subscribe(client: MqttClient, topics: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    client.subscribe([...topics], { qos: 0 }, (error, _granted, answer) => {
      const refused = topics.filter((_topic, index) => isRefusal(answer?.granted[index]));
      if (refused.length > 0) reject(new RuntimeError('FRONT_DOOR_REFUSED', `the subscription to ${refused.join(', ')}`));
      else if (error) reject(error);
      else resolve();
    });
  });
}

function isRefusal(granted: unknown): boolean {
  return typeof granted === 'number' && granted >= 0x80;
}

function describeFailure(options: ConnectOptions, cause: Error): RuntimeError {
  const code = 'code' in cause ? cause.code : undefined;
  // A number is a CONNACK return code, a text an error of the socket or of TLS.
  if (typeof code === 'number')
    return new RuntimeError('FRONT_DOOR_REFUSED', `${options.clientId} at ${options.url}: ${cause.message}`, { cause });
  return new RuntimeError('FRONT_DOOR_UNREACHABLE', `${options.url}: ${cause.message || String(code)}`, { cause });
}
