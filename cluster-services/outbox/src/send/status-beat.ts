import { encodeLiveStatus, formatTopic, type LiveStatus } from '@vitalwire/contract';
import type { Clock, FreshIdentity, Identity } from '@vitalwire/runtime';
import type { MqttClient } from 'mqtt';
import type { OutboxState } from '../append.ts';
import type { Outbox } from '../outbox.ts';
import type { Delivery } from './delivery.ts';
import type { Hello } from './hello.ts';
import type { LiveLane } from './live-lane.ts';
import { isEvicting, problemOnWire, problemsOf, type UplinkFacts } from './problems.ts';
import { Rate, secondsUntilFull } from './rates.ts';

/** How the durable connection stands. */
export type LinkState = {
  readonly client: MqttClient | null;
  readonly disconnectedAtMs: number | null; // monotonic
  readonly lastProblem: string | null;
};

export type StatusBeatOptions = {
  readonly owner: string;
  readonly version: string;
  readonly outbox: Pick<Outbox, 'session' | 'appended'>;
  readonly delivery: Delivery;
  readonly hello: Hello;
  readonly lane: LiveLane;
  readonly link: () => LinkState;
  readonly identity: Identity;
  readonly certificate: Pick<FreshIdentity, 'lastGood'>;
  readonly clock: Clock;
  /** Whether this sender has a status of its own. */
  readonly announce: boolean;
  readonly everyMs: number;
  /** What else is wrong on this machine. */
  readonly problems: ((state: OutboxState) => readonly string[]) | undefined;
};

const DAY_MS = 86_400_000;

/** How the sender is: measured twice a second, told every few seconds and when the connection changes. */
export class StatusBeat {
  readonly #options: StatusBeatOptions;
  readonly #rateIn = new Rate();
  readonly #rateOut = new Rate();
  readonly #growth = new Rate();
  #state: OutboxState | null = null;
  #evicted: { chunks: number; atMs: number } | null = null;
  #lastSentMs = Number.NEGATIVE_INFINITY;

  constructor(options: StatusBeatOptions) {
    this.#options = options;
  }

  get topic(): string {
    return formatTopic(this.#options.owner, this.#options.owner, 'status', true);
  }

  /** Something was committed. */
  committed(state: OutboxState): void {
    this.#state = state;
  }

  measured(state: OutboxState): void {
    const { clock, outbox, delivery } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#state = state;
    if (state.evictedChunks > (this.#evicted?.chunks ?? 0)) this.#evicted = { chunks: state.evictedChunks, atMs: nowMs };
    this.#rateIn.add(outbox.appended, nowMs);
    this.#rateOut.add(delivery.acknowledged, nowMs);
    this.#growth.add(state.pendingBytes, nowMs);
  }

  /** Tells it when it is time. */
  tick(): void {
    if (this.#options.clock.monotonicMs() - this.#lastSentMs >= this.#options.everyMs) this.send(true);
  }

  send(online: boolean): void {
    const { announce, clock, lane, link } = this.#options;
    if (!announce) return;
    this.#lastSentMs = clock.monotonicMs();
    const bytes = encodeLiveStatus(this.status(online));
    if (lane.connected && lane.publish(this.topic, bytes)) return;
    link().client?.publish(this.topic, Buffer.from(bytes), { qos: 0 });
  }

  /** What a person must do something about, the worst first. */
  problems(): string[] {
    const state = this.#state;
    return [...(state === null ? [] : (this.#options.problems?.(state) ?? [])), ...problemsOf(this.#facts())];
  }

  status(online: boolean): LiveStatus {
    const { clock, outbox, owner, version, delivery, hello, certificate } = this.#options;
    const state = this.#state;
    const nowMs = clock.nowMs();
    const notAfterMs = certificate.lastGood?.notAfterMs;
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
      lastPubackUs: delivery.lastPubackUs,
      chunksPerSecondIn: round2(this.#rateIn.perSecond),
      chunksPerSecondOut: round2(this.#rateOut.perSecond),
      secondsUntilFull: state === null ? null : this.#secondsUntilFull(state),
      // To a tenth of a second: the cluster goes by it when the gateway can say nothing any more.
      certificateDaysLeft: notAfterMs === undefined ? null : Math.round(((notAfterMs - nowMs) * 1e6) / DAY_MS) / 1e6,
      clock: hello.clock,
      measuredAtUs: clock.nowUs(),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  #facts(): UplinkFacts {
    const { clock, owner, identity, certificate, delivery, hello, link } = this.#options;
    const nowMs = clock.monotonicMs();
    const { disconnectedAtMs, lastProblem } = link();
    const { lastGood } = certificate;
    const evicted = this.#evicted;
    return {
      owner,
      nowMs: clock.nowMs(),
      certificate: lastGood === null ? null : { path: identity.certPath, notAfterMs: lastGood.notAfterMs },
      rivalAgoMs: hello.rivalAtMs === null ? null : nowMs - hello.rivalAtMs,
      evicted: evicted === null ? null : { chunks: evicted.chunks, agoMs: nowMs - evicted.atMs },
      maxBytes: this.#state?.maxBytes ?? 0,
      offline: disconnectedAtMs === null ? null : { forMs: nowMs - disconnectedAtMs, reason: lastProblem },
      unansweredMs: nowMs - delivery.answeredAtMs,
      clock: hello.clock,
    };
  }

  // While it gives up readings it is full, whatever the bytes that wait say: room goes to gap records and to what is left free.
  #secondsUntilFull(state: OutboxState): number | null {
    return isEvicting(this.#facts()) ? 0 : secondsUntilFull(state.pendingBytes, state.maxBytes, this.#growth.perSecond);
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
