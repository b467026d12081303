import { type ClockState, encodeLiveStatus, type LiveStatus, limits } from '@vitalwire/contract';
import {
  type Clock,
  type ConnectOptions,
  FreshIdentity,
  type Identity,
  type Lifecycle,
  Link,
  type Log,
  type Timer,
} from '@vitalwire/runtime';
import type { MqttClient } from 'mqtt';
import type { OutboxState } from '../append.ts';
import type { Outbox } from '../outbox.ts';
import { Delivery } from './delivery.ts';
import { Hello } from './hello.ts';
import { LiveFeed } from './live-feed.ts';
import { LiveLane } from './live-lane.ts';
import { StatusBeat } from './status-beat.ts';

export type UplinkOptions = {
  /** mqtts://host:port of the front door. */
  readonly url: string;
  readonly identity: Identity;
  /** The gateway or service that sends: topic level and owner of the messages. */
  readonly owner: string;
  /** The owner's id unless given: workers that share a certificate need one each. */
  readonly clientId?: string;
  readonly version: string;
  readonly outbox: Outbox;
  readonly log: Log;
  readonly clock: Clock;
  readonly windowPackets?: number;
  readonly windowBytes?: number;
  /** No acknowledgement for this long while some are owed: the connection is made anew. */
  readonly ackTimeoutMs?: number;
  readonly statusEveryMs?: number;
  readonly helloEveryMs?: number;
  /** How long `stop` waits for what is still un-acknowledged. */
  readonly drainMs?: number;
  /** Whether this sender has a status of its own: gateways do. */
  readonly announce?: boolean;
  /** What else is wrong on this machine; it is told with the uplink's own problems, before them. */
  readonly problems?: (state: OutboxState) => readonly string[];
  readonly random?: () => number;
};

/** What an operator wants to know about the way to the cluster. */
export type UplinkStatus = {
  readonly connected: boolean;
  readonly lane: 'durable' | 'durable and live';
  readonly liveConnected: boolean;
  readonly inFlight: number;
  readonly inFlightBytes: number;
  readonly acknowledged: number; // since the start, repeats included
  readonly connects: number;
  readonly lastPubackUs: number | null;
  readonly lastProblem: string | null;
  readonly generation: string | null;
  readonly liveSent: number;
  readonly liveDropped: number;
};

const TICK_MS = 500;
/** A thousand gateways that come back at once are some 130 handshakes a second; no patient waits longer than this once the link is back. */
const RECONNECT = { baseMs: 1_000, maxMs: 15_000 } as const;

/** Sends the outbox to the front door, over a connection that comes back, and says how that goes. */
export class Uplink implements Lifecycle {
  readonly #options: UplinkOptions;
  readonly #link: Link;
  readonly #lane: LiveLane;
  readonly #delivery: Delivery;
  readonly #hello: Hello;
  readonly #feed: LiveFeed;
  readonly #beat: StatusBeat;
  #tickTimer: Timer | null = null;
  #isStarted = false;
  #isStopping = false;
  #stopped: Promise<void> | null = null;
  #connects = 0;
  #lastProblem: string | null = null;
  #disconnectedAtMs: number | null;

  constructor(options: UplinkOptions) {
    const { url, owner, clientId = owner, outbox, log, clock, identity, announce = true } = options;
    this.#options = options;
    this.#disconnectedAtMs = clock.monotonicMs();
    const fresh = new FreshIdentity(identity, log);
    this.#link = this.#makeLink(fresh);
    this.#lane = new LiveLane({ url, clientId: `${clientId}-live`, identity: fresh, log, clock, onConnected: () => this.#onLaneUp() });
    this.#delivery = new Delivery({
      owner,
      outbox,
      log,
      clock,
      windowPackets: options.windowPackets ?? limits.windowPackets,
      windowBytes: options.windowBytes ?? limits.windowBytes,
      ackTimeoutMs: options.ackTimeoutMs ?? 30_000,
      client: () => this.#client,
      onOverdue: (afterMs) => this.#onOverdue(afterMs),
    });
    const delivery = this.#delivery;
    const isCurrent = (client: MqttClient): boolean => client === this.#client;
    this.#hello = new Hello({ owner, outbox, delivery, log, clock, everyMs: options.helloEveryMs ?? 60_000, isCurrent });
    this.#feed = new LiveFeed({ owner, outbox, lane: this.#lane, log, clock });
    this.#beat = new StatusBeat({
      owner,
      version: options.version,
      outbox,
      delivery,
      hello: this.#hello,
      lane: this.#lane,
      link: () => ({ client: this.#client, disconnectedAtMs: this.#disconnectedAtMs, lastProblem: this.#lastProblem }),
      identity,
      certificate: fresh,
      clock,
      announce,
      everyMs: options.statusEveryMs ?? 5_000,
      problems: options.problems,
    });
  }

  #makeLink(identity: FreshIdentity): Link {
    const { log, url, clientId, owner } = this.#options;
    return new Link(
      { ...this.#options, clientId: clientId ?? owner, identity, reconnect: RECONNECT, will: () => this.#will() },
      {
        up: (client) => this.#onUp(client),
        down: () => this.#onDown(),
        lost: () => this.#note('the connection was lost', () => log.warn({ url }, 'the connection to the front door was lost')),
        failed: (error) => {
          const reason = error instanceof Error ? error.message : String(error);
          this.#note(reason, () => log.warn({ reason, url }, 'cannot connect to the front door'));
        },
      },
    );
  }

  get connected(): boolean {
    return this.#client !== null;
  }

  get #client(): MqttClient | null {
    return this.#link.client;
  }

  /** What is known about this machine's clock, to be put into every message. */
  get clock(): ClockState {
    return this.#hello.clock;
  }

  async start(): Promise<void> {
    if (this.#isStarted) return;
    const { generation, deliveredId } = await this.#options.outbox.state();
    this.#hello.goOn(generation);
    this.#delivery.restart(deliveredId);
    this.#options.outbox.listen({
      committed: (state) => {
        this.#beat.committed(state);
        this.#delivery.pump();
      },
      live: (rows) => this.#feed.committed(rows),
      replaced: () => void this.#afterRepair(),
    });
    await this.#lane.start();
    await this.#link.start();
    this.#isStarted = true;
    this.#tick();
  }

  /** Waits a while for what is un-acknowledged, says goodbye and disconnects. What was not acknowledged is sent by the next start. */
  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  /** Resolves when nothing is un-acknowledged any more; rejects when the signal aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const state = await this.#options.outbox.state();
      if (state.pendingChunks === 0) return;
      await this.#options.clock.sleep(50, signal);
    }
  }

  status(): UplinkStatus {
    const { inFlight, acknowledged, lastPubackUs } = this.#delivery;
    return {
      connected: this.connected,
      lane: this.#feed.isOn ? 'durable and live' : 'durable',
      liveConnected: this.#lane.connected,
      inFlight: inFlight.packets,
      inFlightBytes: inFlight.bytes,
      acknowledged,
      connects: this.#connects,
      lastPubackUs,
      lastProblem: this.#lastProblem,
      generation: this.#hello.generation,
      liveSent: this.#lane.sent,
      liveDropped: this.#lane.dropped,
    };
  }

  /** What a person must do something about, the worst first. */
  problems(): string[] {
    return this.#beat.problems();
  }

  liveStatus(): LiveStatus {
    return this.#beat.status(this.connected || this.#lane.connected);
  }

  async #close(): Promise<void> {
    if (!this.#isStarted) return;
    await this.#deliverRest().catch((error: unknown) =>
      this.#options.log.error({ err: error }, 'the last chunks could not be sent; they are sent at the next start'),
    );
    this.#beat.send(false);
    this.#tickTimer?.cancel();
    this.#isStopping = true;
    this.#feed.stopping();
    await Promise.all([this.#link.stop(), this.#lane.stop()]);
  }

  /** While it makes sense: connected, or still at the very first attempt. */
  async #deliverRest(): Promise<void> {
    const { clock, outbox, drainMs = 5_000 } = this.#options;
    const endMs = clock.monotonicMs() + drainMs;
    while (clock.monotonicMs() < endMs && (this.connected || (this.#connects === 0 && this.#lastProblem === null))) {
      if ((await outbox.state()).pendingChunks === 0) return;
      await clock.sleep(20);
    }
  }

  #onUp(client: MqttClient): void {
    this.#connects += 1;
    this.#lastProblem = null;
    this.#disconnectedAtMs = null;
    this.#delivery.restart();
    this.#hello.connected(client);
    this.#beat.send(true);
    this.#lane.mayTry();
    this.#delivery.pump();
  }

  #onDown(): void {
    this.#disconnectedAtMs ??= this.#options.clock.monotonicMs();
    this.#delivery.disconnected();
  }

  #onLaneUp(): void {
    this.#beat.send(true);
    this.#feed.connected();
  }

  #onOverdue(afterMs: number): void {
    const { packets } = this.#delivery.inFlight;
    this.#note('ACK_OVERDUE', () =>
      this.#options.log.warn({ ackTimeoutMs: afterMs, inFlight: packets }, 'chunks sent, no acknowledgement in time; connecting again'),
    );
  }

  #will(): ConnectOptions['will'] {
    if (this.#options.announce === false) return undefined;
    return { topic: this.#beat.topic, payload: Buffer.from(encodeLiveStatus(this.#beat.status(false))), qos: 0, retain: false };
  }

  async #afterRepair(): Promise<void> {
    try {
      this.#delivery.restart((await this.#options.outbox.state()).deliveredId);
      this.#delivery.pump();
    } catch (error) {
      this.#options.log.error({ err: error }, 'the repaired outbox could not be read');
    }
  }

  #tick(): void {
    this.#tickTimer = this.#options.clock.setTimer(TICK_MS, () => {
      this.#measure()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'the outbox did not answer'))
        .finally(() => {
          if (!this.#isStopping) this.#tick();
        });
    });
  }

  async #measure(): Promise<void> {
    const { clock, outbox } = this.#options;
    const state = await outbox.state();
    if (state.pendingChunks === 0) this.#delivery.nothingOwed();
    this.#beat.measured(state);
    await this.#feed.follow(state.oldestPendingAtMs === null ? null : clock.nowMs() - state.oldestPendingAtMs, this.connected);
    this.#beat.tick();
    if (this.#client !== null) this.#hello.tick(this.#client);
    this.#delivery.pump(); // in case a read failed
  }

  /** Says a problem once, not at every attempt. */
  #note(problem: string, say: () => void): void {
    if (problem !== this.#lastProblem) say();
    this.#lastProblem = problem;
  }
}
