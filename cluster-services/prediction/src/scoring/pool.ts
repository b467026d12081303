import type { ChannelScale, Rate } from '@vitalwire/contract';
import type { RecalledBaselines } from '@vitalwire/detector';
import type { Lifecycle } from '@vitalwire/runtime';
import { PredictionError } from '../errors.ts';
import type { ModelFacts, ScoredWindow } from './protocol.ts';
import { type Lane, type PushedSamples, ScoringWorker } from './scoring-worker.ts';
import type { WorkerProcessOptions } from './worker-process.ts';

export type PoolOptions = WorkerProcessOptions & { readonly workers: number };

/** How the pool is doing, for metrics and probes. Channel seconds: one channel's second of samples, about one channel window. */
export type PoolState = {
  readonly workers: number;
  readonly ready: number;
  readonly restarts: number;
  readonly pids: readonly number[];
  readonly busyMs: number; // processor time, sum over all workers since the start
  readonly waiting: Readonly<Record<Lane, number>>; // channel seconds
  readonly oldestLiveMs: number; // how long the oldest live samples have waited
  readonly oldestPacedMs: number; // the same of recordings that come at the pace they are recorded at
  readonly liveShare: number; // share of the last seconds the busiest worker was busy with what is received
  readonly everyS: number; // overload: only one window in so many is judged; 1 = every one is
  readonly leftOut: number; // windows left out under overload since the start
};

/** The running state of one recording's signal in a worker: filters, look-back, baseline. */
export type ScoringSession = {
  /** The worker that held the state has died: begin a new session. */
  readonly isLost: boolean;
  /** Samples in order, without overlap; resolves with the windows they complete. Rejects with WORKER_LOST, and then for ever. */
  push(samples: PushedSamples, lane: Lane): Promise<readonly ScoredWindow[]>;
  /** A second session that goes on from here, independent of this one, whose samples so far were pushed live. */
  fork(): ScoringSession;
  close(): void;
};

/** Live windows that wait longer than this: the service is behind. */
export const BEHIND_MS = 2_000;

/**
 * Worker processes that score windows, several recordings in one batch, live windows always before those being caught up. A recording's
 * sessions stay in one worker. A worker that dies is started again; what it was asked is answered with WORKER_LOST.
 */
export class ScoringPool implements Lifecycle {
  readonly #workers: ScoringWorker[];
  readonly #homes = new Map<string, { worker: ScoringWorker; sessions: number }>(); // by recording
  #facts: ModelFacts | null = null;
  #hop = 1;

  constructor({ workers, ...process }: PoolOptions) {
    this.#workers = Array.from({ length: workers }, (_, index) => new ScoringWorker(index, process));
  }

  /** The model of all workers; known after the start. */
  get facts(): ModelFacts {
    if (this.#facts === null) throw new Error('the pool has not been started');
    return this.#facts;
  }

  get state(): PoolState {
    const sum = (value: (worker: ScoringWorker) => number) => this.#workers.reduce((total, worker) => total + value(worker), 0);
    const oldest = this.#workers.map(({ oldestMs }) => oldestMs);
    return {
      workers: this.#workers.length,
      ready: sum(({ isReady }) => Number(isReady)),
      restarts: sum(({ restarts }) => restarts),
      pids: this.#workers.flatMap(({ pid }) => pid ?? []),
      busyMs: sum(({ busyMs }) => busyMs),
      waiting: { live: sum(({ waiting }) => waiting.live), 'catch-up': sum(({ waiting }) => waiting['catch-up']) },
      oldestLiveMs: Math.max(0, ...oldest.map(({ all }) => all)),
      oldestPacedMs: Math.max(0, ...oldest.map(({ paced }) => paced)),
      liveShare: Math.max(0, ...this.#workers.map(({ liveShare }) => liveShare)),
      everyS: this.#hop,
      leftOut: sum(({ leftOut }) => leftOut),
    };
  }

  /** Channel seconds of received samples that wait. */
  get waitingLive(): number {
    return this.#workers.reduce((sum, { waiting }) => sum + waiting.live, 0);
  }

  /** From now on only one window in so many is judged of what is received. */
  thin(hop: number): void {
    this.#hop = hop;
    for (const worker of this.#workers) worker.hop = hop;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const all = await Promise.all(this.#workers.map((worker) => worker.start()));
    const [first] = all;
    if (first === undefined) throw new RangeError('a pool needs a worker');
    if (all.some(({ modelHash }) => modelHash !== first.modelHash))
      throw new PredictionError('MODELS_DIFFER', all.map(({ modelHash }) => modelHash).join(', '));
    this.#facts = first;
    for (const worker of this.#workers) worker.expectModel(first.modelHash);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  /** A new session. All sessions of one recording are held by the same worker, others by the one that holds fewest. */
  open(recordingId: string, rate: Rate, channels: readonly ChannelScale[], recalled: readonly RecalledBaselines[] = []): ScoringSession {
    const home = this.#homeOf(recordingId);
    return this.#held(recordingId, home, home.worker.open({ rate, channels, recalled }));
  }

  #held(recordingId: string, home: { worker: ScoringWorker; sessions: number }, id: number): ScoringSession {
    const { worker } = home;
    let open = true;
    home.sessions++;
    return {
      get isLost() {
        return !worker.has(id);
      },
      push: (samples, lane) => worker.push(id, samples, lane),
      fork: () => this.#held(recordingId, home, worker.fork(id)),
      close: () => {
        if (!open) return;
        open = false;
        worker.close(id);
        if (--home.sessions === 0) this.#homes.delete(recordingId);
      },
    };
  }

  #homeOf(recordingId: string): { worker: ScoringWorker; sessions: number } {
    const known = this.#homes.get(recordingId);
    if (known !== undefined) return known;
    const worker = this.#workers.reduce((least, one) => (one.sessions < least.sessions ? one : least));
    const home = { worker, sessions: 0 };
    this.#homes.set(recordingId, home);
    return home;
  }
}
