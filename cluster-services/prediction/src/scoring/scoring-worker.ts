import type { ChannelScale, Rate } from '@vitalwire/contract';
import type { RecalledBaselines } from '@vitalwire/detector';
import { type Backoff, fullJitter } from '@vitalwire/runtime';
import { PredictionError } from '../errors.ts';
import { LiveQueue, type Taken, type Waiting, type WindowSpan } from './live-queue.ts';
import type { ModelFacts, Push, PushResult, ScoredWindow, Task, ToWorker } from './protocol.ts';
import { WorkerProcess, type WorkerProcessOptions } from './worker-process.ts';

/** Live: somebody is watching. Catch-up: what was missed, read from storage. */
export type Lane = 'live' | 'catch-up';

export type PushedSamples = Omit<Push, 'kind' | 'session' | 'thin'> & {
  /** The windows it completes, null if none; without it nothing is left out under overload. */
  readonly completes?: WindowSpan | null;
};
type Opening = Held & { readonly recalled: readonly RecalledBaselines[] };
type Held = { readonly rate: Rate; readonly channels: readonly ChannelScale[] };
type Session = Held & { readonly hertz: number; readonly line: number; pending: number; closing: boolean };

/** Channel seconds per batch: some 20 ms of work. So long does a live window wait at most for those being caught up. */
const BATCH_CHANNEL_SECONDS = 64;
/** Under overload most of a batch is only prepared: so many times as much. */
const MAX_BATCHES_IN_ONE = 4;
/** The load is the mean over about so long. */
const LOAD_OVER_MS = 10_000;

/** A worker process that is always there: queues in front of it, another process when one dies. */
export class ScoringWorker {
  readonly #index: number;
  readonly #options: WorkerProcessOptions;
  readonly #backoff: Backoff = fullJitter({ baseMs: 200, maxMs: 10_000, resetAfterMs: 30_000 });
  readonly #live = new LiveQueue();
  #catchUp: Waiting[] = [];
  #catchUpCost = 0;
  #liveShare = 0;
  #sharedMs: number;
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
  /** Windows received that were left out under overload. */
  leftOut = 0;
  /** Only one window in so many is judged of what is received. */
  hop = 1;

  constructor(index: number, options: WorkerProcessOptions) {
    this.#index = index;
    this.#options = options;
    this.#sharedMs = options.clock.monotonicMs();
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
    return { live: this.#live.cost, 'catch-up': this.#catchUpCost };
  }

  /** How long the oldest live windows have waited: of all recordings, and of those that come at the pace they are recorded at. */
  get oldestMs(): { readonly all: number; readonly paced: number } {
    return this.#live.oldestMs(this.hop, this.#options.clock.monotonicMs());
  }

  /** The share of the last seconds in which it was busy with what is received. */
  get liveShare(): number {
    if (!this.#isScoring) this.#addShare(0); // a batch tells when it is done
    return this.#liveShare;
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
    const session = this.#remember(rate, channels, null);
    this.#tell({ kind: 'open', session, rate, channels, recalled });
    return session;
  }

  /** A copy of what a session that is pushed to live holds, after all that was pushed so far. */
  fork(of: number): number {
    const known = this.#sessions.get(of);
    if (known === undefined) return 0; // lost with its worker, and so is the copy
    const session = this.#remember(known.rate, known.channels, known.line);
    this.#enqueue({ kind: 'fork', session, of }, 0, 'live', null).catch(() => undefined); // a push to the copy will tell
    return session;
  }

  /** What was pushed before is still answered. */
  close(session: number): void {
    const known = this.#sessions.get(session);
    if (known === undefined) return;
    known.closing = true;
    this.#live.flush(known.line);
    this.#closeIfIdle(session, known);
    this.#scoreNext();
  }

  push(session: number, { completes, ...samples }: PushedSamples, lane: Lane): Promise<readonly ScoredWindow[]> {
    const known = this.#sessions.get(session);
    if (known === undefined || known.closing) return Promise.reject(new PredictionError('WORKER_LOST'));
    return this.#enqueue({ kind: 'push', session, ...samples }, samples.samplesPerChannel / known.hertz, lane, completes);
  }

  /** A copy waits in the line of its original. */
  #remember(rate: Rate, channels: readonly ChannelScale[], line: number | null): number {
    const session = ++this.#nextSession;
    this.#sessions.set(session, { rate, channels, hertz: rate.num / rate.den, line: line ?? session, pending: 0, closing: false });
    return session;
  }

  #enqueue(task: Task, seconds: number, lane: Lane, completes: Waiting['completes']): Promise<readonly ScoredWindow[]> {
    const session = this.#sessions.get(task.session);
    if (session !== undefined) session.pending++;
    const cost = seconds * (session?.channels.length ?? 0);
    return new Promise((resolve, reject) => {
      const waiting = { task, cost, seconds, completes, sinceMs: this.#options.clock.monotonicMs(), resolve, reject };
      if (lane === 'live') {
        this.#live.add(session?.line ?? task.session, waiting);
        if (completes === null) return; // it waits for one that completes a window
      } else {
        if (session !== undefined) this.#live.flush(session.line); // in order: what was received before goes before
        this.#catchUp.push(waiting);
        this.#catchUpCost += cost;
      }
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
    const { clock } = this.#options;
    const { taken, liveCost, cost } = this.#nextBatch();
    if (taken.length === 0) return;
    const { hop } = this;
    const sinceMs = clock.monotonicMs();
    this.#isScoring = true;
    process.score(taken.map(taskOf)).then(
      ({ results, busyMs }) => {
        this.#isScoring = false;
        this.busyMs += busyMs;
        const elapsedMs = clock.monotonicMs() - sinceMs;
        this.#addShare(cost === 0 ? elapsedMs : (elapsedMs * liveCost) / cost);
        for (const [index, one] of taken.entries()) this.#settle(one, results[index], hop);
        this.#scoreNext();
      },
      (error: unknown) => {
        this.#isScoring = false;
        for (const { waiting } of taken) waiting.reject(error);
      },
    );
  }

  #settle({ waiting, thin }: Taken, result: PushResult | undefined, hop: number): void {
    const session = this.#sessions.get(waiting.task.session);
    if (result !== undefined && !('error' in result)) {
      if (session !== undefined && result.some(({ verdict }) => verdict === 'seizure' || verdict === 'focal'))
        this.#live.wasSeizure(session.line, this.#options.clock.monotonicMs());
      if (thin !== null && waiting.completes) this.leftOut += waiting.completes.last - waiting.completes.first + 1 - result.length;
    }
    settle(waiting, result, thin === null ? 1 : hop);
    if (session === undefined) return;
    session.pending--;
    this.#closeIfIdle(waiting.task.session, session);
  }

  /** As much as one batch holds, live before catch-up. One task is always taken, however large. */
  #nextBatch(): { taken: Taken[]; liveCost: number; cost: number } {
    const room = BATCH_CHANNEL_SECONDS * Math.min(this.hop, MAX_BATCHES_IN_ONE);
    const before = this.#live.cost;
    const taken = this.#live.take(room, this.hop, this.#options.clock.monotonicMs());
    const liveCost = before - this.#live.cost;
    let left = room - liveCost;
    let count = 0;
    for (const { cost } of this.#catchUp) {
      if (left <= 0) break;
      left -= cost;
      count++;
    }
    let cost = liveCost;
    for (const waiting of this.#catchUp.splice(0, count)) {
      this.#catchUpCost -= waiting.cost;
      cost += waiting.cost;
      taken.push({ waiting, thin: null });
    }
    if (this.#catchUp.length === 0) this.#catchUpCost = 0; // sums of fractions do not come back to nought by themselves
    return { taken, liveCost, cost };
  }

  /** A running mean: what was busy since it was last looked at, in the time since then. */
  #addShare(busyMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    const passedMs = Math.max(busyMs, nowMs - this.#sharedMs);
    this.#sharedMs = nowMs;
    if (passedMs <= 0) return;
    const kept = Math.exp(-passedMs / LOAD_OVER_MS);
    this.#liveShare = this.#liveShare * kept + (busyMs / passedMs) * (1 - kept);
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
    for (const { reject } of [...this.#live.drain(), ...this.#catchUp.splice(0)]) reject(new PredictionError('WORKER_LOST', why));
    this.#catchUpCost = 0;
  }
}

function taskOf({ waiting: { task }, thin }: Taken): Task {
  return thin === null || task.kind === 'fork' ? task : { ...task, thin };
}

function settle({ resolve, reject }: Waiting, result: PushResult | undefined, everyS: number): void {
  if (result === undefined) reject(new PredictionError('NOT_SCORED', 'no answer'));
  else if ('error' in result) reject(new PredictionError('NOT_SCORED', result.error));
  else resolve(everyS === 1 ? result : result.map((window) => ({ ...window, everyS })));
}
