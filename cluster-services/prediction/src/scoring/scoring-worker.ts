import type { ChannelScale, Rate } from '@vitalwire/contract';
import type { RecalledBaselines } from '@vitalwire/detector';
import { type Backoff, fullJitter } from '@vitalwire/runtime';
import { PredictionError } from '../errors.ts';
import type { ModelFacts, Push, PushResult, ScoredWindow, Task, ToWorker } from './protocol.ts';
import { WorkerProcess, type WorkerProcessOptions } from './worker-process.ts';

/** Live: somebody is watching. Catch-up: what was missed, read from storage. */
export type Lane = 'live' | 'catch-up';

export type PushedSamples = Omit<Push, 'kind' | 'session'>;
type Opening = Held & { readonly recalled: readonly RecalledBaselines[] };
type Held = { readonly rate: Rate; readonly channels: readonly ChannelScale[] };
type Session = Held & { readonly hertz: number; pending: number; closing: boolean };
type Waiting = {
  readonly task: Task;
  readonly cost: number; // channel seconds
  readonly sinceMs: number;
  readonly resolve: (windows: readonly ScoredWindow[]) => void;
  readonly reject: (error: unknown) => void;
};

/** Channel seconds per batch: some 20 ms of work. So long does a live window wait at most for those being caught up. */
const BATCH_CHANNEL_SECONDS = 64;

/** A worker process that is always there: queues in front of it, another process when one dies. */
export class ScoringWorker {
  readonly #index: number;
  readonly #options: WorkerProcessOptions;
  readonly #backoff: Backoff = fullJitter({ baseMs: 200, maxMs: 10_000, resetAfterMs: 30_000 });
  readonly #queues: Record<Lane, Waiting[]> = { live: [], 'catch-up': [] };
  readonly #waiting: Record<Lane, number> = { live: 0, 'catch-up': 0 };
  readonly #sessions = new Map<number, Session>();
  #process: WorkerProcess | null = null;
  #starting: WorkerProcess | null = null;
  #early: Exclude<ToWorker, { kind: 'score' }>[] = []; // told while no process was ready
  #model: string | null = null;
  #nextSession = 0;
  #isScoring = false;
  #stopping = false;
  restarts = 0;
  busyMs = 0;

  constructor(index: number, options: WorkerProcessOptions) {
    this.#index = index;
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#process !== null;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get waiting(): Readonly<Record<Lane, number>> {
    return this.#waiting;
  }

  get oldestLiveMs(): number {
    const [oldest] = this.#queues.live;
    return oldest === undefined ? 0 : this.#options.clock.monotonicMs() - oldest.sinceMs;
  }

  /** Rejects when the detector cannot be loaded: then nothing ever can be scored here. */
  async start(): Promise<ModelFacts> {
    const process = new WorkerProcess(this.#options);
    try {
      return await this.#use(process);
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  /** A process that comes later with another model is not used. */
  expectModel(hash: string): void {
    this.#model = hash;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#loseAll('the service stops');
    const process = this.#process ?? this.#starting;
    this.#process = null;
    await process?.stop();
  }

  /** False once it was closed, or lost with the process that held it. */
  has(session: number): boolean {
    return this.#sessions.get(session)?.closing === false;
  }

  open({ rate, channels, recalled }: Opening): number {
    const session = this.#remember(rate, channels);
    this.#tell({ kind: 'open', session, rate, channels, recalled });
    return session;
  }

  /** A copy of what a session that is pushed to live holds, after all that was pushed so far. */
  fork(of: number): number {
    const known = this.#sessions.get(of);
    if (known === undefined) return 0; // lost with its worker, and so is the copy
    const session = this.#remember(known.rate, known.channels);
    this.#enqueue({ kind: 'fork', session, of }, 0, 'live').catch(() => undefined); // a push to the copy will tell
    return session;
  }

  /** What was pushed before is still answered. */
  close(session: number): void {
    const known = this.#sessions.get(session);
    if (known === undefined) return;
    known.closing = true;
    this.#closeIfIdle(session, known);
  }

  push(session: number, samples: PushedSamples, lane: Lane): Promise<readonly ScoredWindow[]> {
    const known = this.#sessions.get(session);
    if (known === undefined || known.closing) return Promise.reject(new PredictionError('WORKER_LOST'));
    const cost = (samples.samplesPerChannel / known.hertz) * known.channels.length;
    return this.#enqueue({ kind: 'push', session, ...samples }, cost, lane);
  }

  #remember(rate: Rate, channels: readonly ChannelScale[]): number {
    const session = ++this.#nextSession;
    this.#sessions.set(session, { rate, channels, hertz: rate.num / rate.den, pending: 0, closing: false });
    return session;
  }

  #enqueue(task: Task, cost: number, lane: Lane): Promise<readonly ScoredWindow[]> {
    const session = this.#sessions.get(task.session);
    if (session !== undefined) session.pending++;
    return new Promise((resolve, reject) => {
      this.#queues[lane].push({ task, cost, sinceMs: this.#options.clock.monotonicMs(), resolve, reject });
      this.#waiting[lane] += cost;
      this.#scoreNext();
    });
  }

  #closeIfIdle(id: number, session: Session): void {
    if (!session.closing || session.pending > 0) return;
    this.#sessions.delete(id);
    this.#tell({ kind: 'close', session: id });
  }

  #tell(message: Exclude<ToWorker, { kind: 'score' }>): void {
    if (this.#process === null) this.#early.push(message);
    else this.#process.tell(message);
  }

  #scoreNext(): void {
    const process = this.#process;
    if (process === null || this.#isScoring) return;
    const batch = this.#nextBatch();
    if (batch.length === 0) return;
    this.#isScoring = true;
    process.score(batch.map(({ task }) => task)).then(
      ({ results, busyMs }) => {
        this.#isScoring = false;
        this.busyMs += busyMs;
        for (const [index, waiting] of batch.entries()) {
          settle(waiting, results[index]);
          const session = this.#sessions.get(waiting.task.session);
          if (session === undefined) continue;
          session.pending--;
          this.#closeIfIdle(waiting.task.session, session);
        }
        this.#scoreNext();
      },
      (error: unknown) => {
        this.#isScoring = false;
        for (const { reject } of batch) reject(error);
      },
    );
  }

  /** As much as one batch holds, live before catch-up. One task is always taken, however large. */
  #nextBatch(): Waiting[] {
    const batch: Waiting[] = [];
    let room = BATCH_CHANNEL_SECONDS;
    for (const lane of ['live', 'catch-up'] as const) {
      const queue = this.#queues[lane];
      let taken = 0;
      for (const { cost } of queue) {
        if (room <= 0) break;
        room -= cost;
        taken++;
      }
      for (const waiting of queue.splice(0, taken)) {
        this.#waiting[lane] -= waiting.cost;
        batch.push(waiting);
      }
      if (queue.length === 0) this.#waiting[lane] = 0; // sums of fractions do not come back to nought by themselves
    }
    return batch;
  }

  async #use(process: WorkerProcess): Promise<ModelFacts> {
    const facts = await process.facts;
    if (this.#model !== null && facts.modelHash !== this.#model)
      throw new PredictionError('MODELS_DIFFER', `${facts.modelHash}, not ${this.#model}`);
    if (this.#stopping) throw new PredictionError('WORKER_LOST', 'the service stops');
    this.#process = process;
    this.#starting = null;
    for (const message of this.#early.splice(0)) process.tell(message);
    void process.gone.then((why) => this.#onGone(process, why));
    this.#backoff.healthy();
    this.#scoreNext();
    return facts;
  }

  #onGone(process: WorkerProcess, why: string): void {
    if (this.#process !== process) return;
    this.#process = null;
    this.restarts++;
    this.#loseAll(why);
    this.#options.log.error({ worker: this.#index, why }, 'a scoring worker died; starting another, its windows are scored again');
    this.#again();
  }

  #again(): void {
    this.#options.clock.setTimer(this.#backoff.nextMs(), () => {
      if (this.#stopping) return;
      const process = new WorkerProcess(this.#options);
      this.#starting = process;
      this.#use(process).catch(async (error: unknown) => {
        await process.stop();
        if (this.#stopping) return;
        this.#options.log.error({ err: error, worker: this.#index }, 'a scoring worker could not be started; trying again');
        this.#again();
      });
    });
  }

  /** State and questions of a dead process are gone with it. */
  #loseAll(why: string): void {
    this.#sessions.clear();
    this.#early = [];
    for (const lane of ['live', 'catch-up'] as const) {
      for (const { reject } of this.#queues[lane].splice(0)) reject(new PredictionError('WORKER_LOST', why));
      this.#waiting[lane] = 0;
    }
  }
}

function settle({ resolve, reject }: Waiting, result: PushResult | undefined): void {
  if (result === undefined) reject(new PredictionError('NOT_SCORED', 'no answer'));
  else if ('error' in result) reject(new PredictionError('NOT_SCORED', result.error));
  else resolve(result);
}
