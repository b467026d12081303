import { type ClockState, commandTopic, decodeHello, encodeLiveStatus, formatTopic, type LiveStatus, limits } from '@vitalwire/contract';
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
import type { OutboxRow, OutboxState } from './append.ts';
import { ClockOffset } from './clock-offset.ts';
import { LaneSwitch } from './lane-switch.ts';
import { LiveLane } from './live-lane.ts';
import type { Outbox } from './outbox.ts';
import { isEvicting, problemOnWire, problemsOf, type UplinkFacts } from './problems.ts';
import { Rate, secondsUntilFull } from './rates.ts';
import { SendWindow } from './send-window.ts';

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
const READ_ROWS = 128;
const READ_BYTES = 512 * 1024;
const STARTS_EVERY_MS = 10_000;
/** The lane is switched on when a message has waited for 2 s, and then has to connect. */
const RECENT_MS = 5_000;
const RECENT_ROWS = 2_000;
const DAY_MS = 86_400_000;

/**
 * Sends the outbox: at QoS 1, in order, never more un-acknowledged than the window, and after every reconnect again from the oldest
 * un-acknowledged message. Only the PUBACK of our front door, sent after its commit, moves the outbox on.
 */
export class Uplink implements Lifecycle {
  readonly #options: UplinkOptions;
  readonly #topicOwner: string;
  readonly #window: SendWindow;
  readonly #offset = new ClockOffset();
  readonly #switch = new LaneSwitch();
  readonly #lane: LiveLane;
  readonly #link: Link;
  readonly #rateIn = new Rate();
  readonly #rateOut = new Rate();
  readonly #growth = new Rate();
  readonly #identity: FreshIdentity;
  #epoch = 0; // raised when what is on the way no longer counts: new connection, new generation, repaired outbox
  #buffer: OutboxRow[] = [];
  #cursor = 0; // the last id taken from the outbox
  #deliveredId = 0;
  #generation: string | null = null;
  #pumping = false;
  #holding = false; // while the outbox takes in that its deliveries count for nothing
  #again = false;
  #ackTimer: Timer | null = null;
  #tickTimer: Timer | null = null;
  #helloSentUs: number | null = null;
  #lastHelloMs = 0;
  #lastStatusMs = Number.NEGATIVE_INFINITY;
  #lastStartsMs = Number.NEGATIVE_INFINITY;
  #hasBegunLive = false; // on this live connection, since the lane was last switched on
  #liveEpoch = 0;
  #isStarted = false;
  #isStopping = false;
  #stopped: Promise<void> | null = null;
  #state: OutboxState | null = null;
  #acknowledged = 0;
  #connects = 0;
  #lastPubackUs: number | null = null;
  #lastProblem: string | null = null;
  #rivalAtMs: number | null = null;
  #evicted: { chunks: number; atMs: number } | null = null;
  #disconnectedAtMs: number | null;
  #answeredAtMs: number; // an acknowledgement, or nothing to acknowledge

  constructor(options: UplinkOptions) {
    const { log, url } = options;
    this.#options = options;
    this.#disconnectedAtMs = options.clock.monotonicMs();
    this.#answeredAtMs = this.#disconnectedAtMs;
    this.#topicOwner = options.owner;
    this.#identity = new FreshIdentity(options.identity, options.log);
    this.#window = new SendWindow(options.windowPackets ?? limits.windowPackets, options.windowBytes ?? limits.windowBytes);
    this.#link = new Link(
      {
        ...options,
        clientId: options.clientId ?? options.owner,
        identity: this.#identity,
        reconnect: RECONNECT,
        will: () => this.#will(),
      },
      {
        up: (client) => this.#onUp(client),
        down: () => this.#onDown(),
        lost: () => this.#note('the connection was lost', () => log.warn({ url }, 'the connection to the front door was lost')),
        failed: (error) => {
          const reason = messageOf(error);
          this.#note(reason, () => log.warn({ reason, url }, 'cannot connect to the front door'));
        },
      },
    );
    this.#lane = new LiveLane({
      url: options.url,
      clientId: `${options.clientId ?? options.owner}-live`,
      identity: this.#identity,
      log: options.log,
      clock: options.clock,
      onConnected: () => {
        this.#sendStatus(true);
        this.#hasBegunLive = false;
        void this.#beginLive();
      },
    });
  }

  get connected(): boolean {
    return this.#client !== null;
  }

  get #client(): MqttClient | null {
    return this.#link.client;
  }

  /** What is known about this machine's clock, to be put into every message. */
  get clock(): ClockState {
    return this.#offset.state(this.#options.clock.nowUs(), this.#options.clock.monotonicMs());
  }

  async start(): Promise<void> {
    if (this.#isStarted) return;
    const state = await this.#options.outbox.state();
    this.#generation = state.generation;
    this.#restart(state.deliveredId);
    this.#options.outbox.listen({
      committed: (committed) => {
        this.#state = committed;
        this.#pump();
      },
      live: (rows) => {
        if (this.#hasBegunLive) for (const row of rows) this.#sendLive(row);
      },
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
    return {
      connected: this.connected,
      lane: this.#switch.on ? 'durable and live' : 'durable',
      liveConnected: this.#lane.connected,
      inFlight: this.#window.packets,
      inFlightBytes: this.#window.bytes,
      acknowledged: this.#acknowledged,
      connects: this.#connects,
      lastPubackUs: this.#lastPubackUs,
      lastProblem: this.#lastProblem,
      generation: this.#generation,
      liveSent: this.#lane.sent,
      liveDropped: this.#lane.dropped,
    };
  }

  /** What a person must do something about, the worst first. */
  problems(): string[] {
    const state = this.#state;
    return [...(state === null ? [] : (this.#options.problems?.(state) ?? [])), ...problemsOf(this.#facts())];
  }

  liveStatus(online = this.connected || this.#lane.connected): LiveStatus {
    const { clock, outbox, owner, version } = this.#options;
    const state = this.#state;
    const nowMs = clock.nowMs();
    const certificate = this.#identity.lastGood;
    const problem = online ? problemOnWire(this.problems()) : undefined; // a will would tell later what was wrong before
    return {
      stream: 'live-status',
      gateway: owner,
      session: outbox.session,
      online,
      version,
      depthChunks: state?.pendingChunks ?? 0,
      depthBytes: state?.pendingBytes ?? 0,
      oldestAgeMs: state?.oldestPendingAtMs == null ? null : Math.max(0, nowMs - state.oldestPendingAtMs),
      lastPubackUs: this.#lastPubackUs,
      chunksPerSecondIn: round2(this.#rateIn.perSecond),
      chunksPerSecondOut: round2(this.#rateOut.perSecond),
      secondsUntilFull: state === null ? null : this.#secondsUntilFull(state),
      // To a tenth of a second: the cluster goes by it when the gateway can say nothing any more.
      certificateDaysLeft: certificate === null ? null : Math.round(((certificate.notAfterMs - nowMs) * 1e6) / DAY_MS) / 1e6,
      clock: this.clock,
      measuredAtUs: clock.nowUs(),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  #facts(): UplinkFacts {
    const { clock, owner, identity } = this.#options;
    const nowMs = clock.monotonicMs();
    const certificate = this.#identity.lastGood;
    const evicted = this.#evicted;
    const since = (atMs: number | null): number | null => (atMs === null ? null : nowMs - atMs);
    const offlineMs = since(this.#disconnectedAtMs);
    return {
      owner,
      nowMs: clock.nowMs(),
      certificate: certificate === null ? null : { path: identity.certPath, notAfterMs: certificate.notAfterMs },
      rivalAgoMs: since(this.#rivalAtMs),
      evicted: evicted === null ? null : { chunks: evicted.chunks, agoMs: nowMs - evicted.atMs },
      maxBytes: this.#state?.maxBytes ?? 0,
      offline: offlineMs === null ? null : { forMs: offlineMs, reason: this.#lastProblem },
      unansweredMs: nowMs - this.#answeredAtMs,
      clock: this.clock,
    };
  }

  // While it gives up readings it is full, whatever the bytes that wait say: room goes to gap records and to what is left free.
  #secondsUntilFull(state: OutboxState): number | null {
    return isEvicting(this.#facts()) ? 0 : secondsUntilFull(state.pendingBytes, state.maxBytes, this.#growth.perSecond);
  }

  async #close(): Promise<void> {
    if (!this.#isStarted) return;
    await this.#deliverRest().catch((error: unknown) =>
      this.#options.log.error({ err: error }, 'the last chunks could not be sent; they are sent at the next start'),
    );
    this.#sendStatus(false);
    this.#tickTimer?.cancel();
    this.#isStopping = true;
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
    this.#restart(this.#deliveredId);
    client.on('message', (topic, payload) => this.#onMessage(topic, payload));
    this.#askHello(client);
    this.#sendStatus(true);
    this.#lane.mayTry();
    this.#pump();
  }

  #onDown(): void {
    this.#disconnectedAtMs ??= this.#options.clock.monotonicMs();
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
    this.#restart(this.#deliveredId);
  }

  #will(): ConnectOptions['will'] {
    if (this.#options.announce === false) return undefined;
    return { topic: this.#statusTopic(), payload: Buffer.from(encodeLiveStatus(this.liveStatus(false))), qos: 0, retain: false };
  }

  /** Forgets what is on the way and goes on behind this id. */
  #restart(deliveredId: number): void {
    this.#epoch += 1;
    this.#window.clear();
    this.#buffer = [];
    this.#deliveredId = deliveredId;
    this.#cursor = deliveredId;
  }

  #pump(): void {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    this.#sendWhatFits()
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'the outbox could not be read'))
      .finally(() => {
        this.#pumping = false;
        if (this.#again) {
          this.#again = false;
          this.#pump();
        }
      });
  }

  async #sendWhatFits(): Promise<void> {
    for (;;) {
      const client = this.#client;
      if (client === null || this.#holding) return;
      const row = this.#buffer[0];
      if (row === undefined) {
        const epoch = this.#epoch;
        const rows = await this.#options.outbox.read(this.#cursor, READ_ROWS, READ_BYTES);
        if (epoch !== this.#epoch) continue;
        const last = rows.at(-1);
        if (last === undefined) return;
        this.#buffer = [...rows];
        this.#cursor = last.id;
        continue;
      }
      if (!this.#window.fits(row.message.byteLength)) return;
      this.#buffer.shift();
      this.#send(client, row);
    }
  }

  #send(client: MqttClient, row: OutboxRow): void {
    const epoch = this.#epoch;
    this.#window.add(row.id, row.message.byteLength);
    if (this.#ackTimer === null) this.#watchAcks(client);
    const payload = Buffer.from(row.message.buffer, row.message.byteOffset, row.message.byteLength);
    client.publish(formatTopic(this.#topicOwner, row.device, row.stream), payload, { qos: 1 }, (error) => {
      if (client !== this.#client) return;
      if (error) client.end(true);
      else if (epoch === this.#epoch) this.#acknowledge(client, row.id);
    });
  }

  #acknowledge(client: MqttClient, id: number): void {
    this.#acknowledged += 1;
    this.#answeredAtMs = this.#options.clock.monotonicMs();
    this.#lastPubackUs = this.#options.clock.nowUs();
    const upto = this.#window.acknowledge(id);
    if (upto !== null) {
      this.#deliveredId = upto;
      this.#options.outbox.ack(upto);
    }
    this.#ackTimer?.cancel();
    this.#ackTimer = null;
    if (this.#window.packets > 0) this.#watchAcks(client);
    this.#pump();
  }

  #watchAcks(client: MqttClient): void {
    const { clock, log, ackTimeoutMs = 30_000 } = this.#options;
    this.#ackTimer = clock.setTimer(ackTimeoutMs, () => {
      this.#note('ACK_OVERDUE', () =>
        log.warn({ ackTimeoutMs, inFlight: this.#window.packets }, 'chunks sent, no acknowledgement in time; connecting again'),
      );
      client.end(true);
    });
  }

  #askHello(client: MqttClient): void {
    const { clock, log, owner } = this.#options;
    this.#lastHelloMs = clock.monotonicMs();
    this.#helloSentUs = clock.nowUs();
    client.subscribe(commandTopic(owner), { qos: 0 }, (error) => {
      if (error && client === this.#client)
        log.warn({ err: error }, 'no subscription to the command topic: clock offset and database generation stay unknown');
    });
  }

  #onMessage(topic: string, payload: Uint8Array): void {
    if (topic !== commandTopic(this.#options.owner)) return;
    const receivedUs = this.#options.clock.nowUs();
    const hello = decodeHello(payload);
    if (!hello.ok) {
      this.#options.log.warn(
        { reason: hello.reason, detail: hello.detail },
        "could not decode the front door's hello; clock offset and database generation unchanged",
      );
      return;
    }
    if (this.#helloSentUs !== null) {
      this.#offset.add({ sentUs: this.#helloSentUs, receivedUs, clusterUs: hello.value.nowUs }, this.#options.clock.monotonicMs());
      this.#helloSentUs = null;
      this.#options.outbox.setClock(this.clock);
    }
    if (hello.value.rival === true) this.#rivalAtMs = this.#options.clock.monotonicMs();
    if (hello.value.generation !== this.#generation) void this.#onGeneration(hello.value.generation);
  }

  async #onGeneration(generation: string): Promise<void> {
    const { log, outbox } = this.#options;
    const previous = this.#generation;
    this.#generation = generation;
    try {
      if (previous === null) {
        await outbox.newGeneration(generation);
        return;
      }
      this.#holding = true;
      this.#restart(this.#deliveredId); // acknowledgements on the way may be those of the old database
      if (await outbox.newGeneration(generation)) this.#restart(0);
      log.warn({ previous, generation }, "the cluster's database is another one: sending again all that is here");
    } catch (error) {
      this.#generation = previous; // the next hello tries again
      log.error({ err: error }, 'the new database generation could not be noted');
    } finally {
      this.#holding = false;
      this.#pump();
    }
  }

  async #afterRepair(): Promise<void> {
    try {
      this.#restart((await this.#options.outbox.state()).deliveredId);
      this.#pump();
    } catch (error) {
      this.#options.log.error({ err: error }, 'the repaired outbox could not be read');
    }
  }

  #tick(): void {
    const { clock } = this.#options;
    this.#tickTimer = clock.setTimer(TICK_MS, () => {
      this.#measure()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'the outbox did not answer'))
        .finally(() => {
          if (!this.#isStopping) this.#tick();
        });
    });
  }

  async #measure(): Promise<void> {
    const { clock, outbox, announce = true, statusEveryMs = 5_000, helloEveryMs = 60_000 } = this.#options;
    const state = await outbox.state();
    const nowMs = clock.monotonicMs();
    this.#state = state;
    if (state.evictedChunks > (this.#evicted?.chunks ?? 0)) this.#evicted = { chunks: state.evictedChunks, atMs: nowMs };
    if (state.pendingChunks === 0) this.#answeredAtMs = nowMs;
    this.#rateIn.add(outbox.appended, nowMs);
    this.#rateOut.add(this.#acknowledged, nowMs);
    this.#growth.add(state.pendingBytes, nowMs);
    const ageMs = state.oldestPendingAtMs === null ? null : clock.nowMs() - state.oldestPendingAtMs;
    const on = this.#switch.update(ageMs, nowMs);
    outbox.setLive(on);
    this.#lane.want(on);
    if (on && this.connected) this.#lane.mayTry(); // refused once, it would else stay away for as long as the backlog lasts
    if (!on) this.#hasBegunLive = false;
    else if (!this.#hasBegunLive && this.#lane.connected) await this.#beginLive();
    else if (nowMs - this.#lastStartsMs >= STARTS_EVERY_MS) await this.#sendStarts();
    if (announce && nowMs - this.#lastStatusMs >= statusEveryMs) this.#sendStatus(true);
    if (this.#client !== null && nowMs - this.#lastHelloMs >= helloEveryMs) this.#askHello(this.#client);
    this.#pump(); // in case a read failed
  }

  /**
   * The live lane begins with the moments before it: what waits for its acknowledgement since the lag began, and a little more, so
   * that a reader's window is whole across the change of lanes. What is committed meanwhile is in there, or follows it.
   */
  async #beginLive(): Promise<void> {
    const { clock, log, outbox } = this.#options;
    const epoch = ++this.#liveEpoch;
    try {
      await this.#sendStarts();
      const rows = await outbox.recent(clock.nowMs() - RECENT_MS, RECENT_ROWS);
      if (epoch !== this.#liveEpoch || !this.#lane.connected) return;
      for (const row of rows) this.#sendLive(row);
      this.#hasBegunLive = true;
    } catch (error) {
      if (!this.#isStopping) log.error({ err: error }, 'the live lane could not begin; it is tried again');
    }
  }

  /** Who sees the live lane only has not had the start records of the backlog, and cannot scale without them. */
  async #sendStarts(): Promise<void> {
    if (!this.#lane.connected) return;
    this.#lastStartsMs = this.#options.clock.monotonicMs();
    for (const row of await this.#options.outbox.openStarts()) this.#sendLive(row);
  }

  #sendLive(row: OutboxRow): void {
    if (row.stream === 'status' || row.stream === 'gap') return;
    this.#lane.publish(formatTopic(this.#topicOwner, row.device, row.stream, true), row.message);
  }

  #sendStatus(online: boolean): void {
    if (this.#options.announce === false) return;
    this.#lastStatusMs = this.#options.clock.monotonicMs();
    const bytes = encodeLiveStatus(this.liveStatus(online));
    if (this.#lane.connected && this.#lane.publish(this.#statusTopic(), bytes)) return;
    const client = this.#client;
    if (client !== null) client.publish(this.#statusTopic(), Buffer.from(bytes), { qos: 0 });
  }

  #statusTopic(): string {
    return formatTopic(this.#topicOwner, this.#topicOwner, 'status', true);
  }

  /** Says a problem once, not at every attempt. */
  #note(problem: string, say: () => void): void {
    if (problem !== this.#lastProblem) say();
    this.#lastProblem = problem;
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
