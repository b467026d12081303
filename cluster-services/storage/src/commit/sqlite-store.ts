import { Worker } from 'node:worker_threads';
import { type Clock, type Log, sourceExecArgv, untilWorkerEnds, workerUrl } from '@vitalwire/runtime';
import { isErrorCode, StorageError } from '../errors.ts';
import type { ChunkStore } from './chunk-store.ts';
import { packRows, sharedMs, type WorkerReply, type WorkerRequest } from './commit-message.ts';
import { type CommitOutcome, type CommitRow, checkRow, rowLimits } from './commit-row.ts';

const OPEN_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 10_000;

type Pending = { readonly settle: (reply: WorkerReply) => void; readonly fail: (error: StorageError) => void };

/** Commits to readings.sqlite through a worker thread: the event loop that carries MQTT never waits for a disk. */
export class SqliteStore implements ChunkStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #nextId = 1;
  #closed = false;

  constructor(options: { path: string; clock: Clock; log: Log }) {
    this.#path = options.path;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  async open(): Promise<void> {
    await this.#ask({ type: 'open', id: this.#takeId() }, OPEN_DEADLINE_MS);
  }

  async commit(rows: readonly CommitRow[], deadlineMs: number): Promise<CommitOutcome[]> {
    if (rows.length === 0) return [];
    if (rows.length > rowLimits.rowsPerCommit)
      throw new StorageError('BAD_ROW', `${rows.length} rows in one commit, at most ${rowLimits.rowsPerCommit}`);
    for (const row of rows) checkRow(row);
    const { packed, bytes } = packRows(rows);
    const committedAtUs = this.#clock.nowUs();
    const request: WorkerRequest = {
      type: 'commit',
      id: this.#takeId(),
      rows: packed,
      bytes,
      committedAtUs,
      deadlineMs: sharedMs() + deadlineMs,
    };
    const reply = await this.#ask(request, deadlineMs, [bytes]);
    if (reply.outcomes === undefined || reply.outcomes.length !== rows.length)
      throw new StorageError('UNAVAILABLE', 'the commit worker answered something else');
    return reply.outcomes;
  }

  async generation(): Promise<string> {
    const reply = await this.#ask({ type: 'generation', id: this.#takeId() }, OPEN_DEADLINE_MS);
    if (reply.generation === undefined) throw new StorageError('UNAVAILABLE', 'the commit worker answered something else');
    return reply.generation;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    if (worker === null) return;
    try {
      // The worker answers in order: when this returns, every batch begun before is committed or refused.
      await this.#ask({ type: 'close', id: this.#takeId() }, CLOSE_DEADLINE_MS);
    } catch (error) {
      this.#log.warn({ err: error }, 'the commit worker did not close in time');
    }
    this.#worker = null;
    await untilWorkerEnds(worker);
  }

  #ask(request: WorkerRequest, deadlineMs: number, transfer: ArrayBuffer[] = []): Promise<Extract<WorkerReply, { ok: true }>> {
    if (this.#closed && request.type !== 'close') return Promise.reject(new StorageError('CLOSED'));
    const worker = this.#startWorker();
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#pending.delete(request.id);
        timer.cancel();
      };
      const timer = this.#clock.setTimer(deadlineMs, () => {
        finish();
        reject(new StorageError('UNAVAILABLE', `no answer from ${this.#path} within ${deadlineMs} ms`));
      });
      this.#pending.set(request.id, {
        settle: (reply) => {
          finish();
          if (reply.ok) resolve(reply);
          else reject(new StorageError(isErrorCode(reply.code) ? reply.code : 'UNAVAILABLE', reply.detail));
        },
        fail: (error) => {
          finish();
          reject(error);
        },
      });
      worker.postMessage(request, transfer);
    });
  }

  #startWorker(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(workerUrl('./sqlite-worker', import.meta.url), {
      execArgv: sourceExecArgv(import.meta.url),
      workerData: { path: this.#path },
    });
    this.#worker = worker;
    worker.on('message', (reply: WorkerReply) => this.#pending.get(reply.id)?.settle(reply));
    worker.on('error', (error) => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, null));
    return worker;
  }

  // Whether the batches in flight were committed is not known; the next request starts a new worker.
  #lost(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    if (!this.#closed) this.#log.error({ err: cause }, 'the commit worker ended');
    const failed = [...this.#pending.values()];
    this.#pending.clear();
    for (const { fail } of failed) fail(new StorageError('UNAVAILABLE', 'the commit worker ended', { cause }));
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }
}
