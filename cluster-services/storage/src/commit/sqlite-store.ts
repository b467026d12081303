import { Worker } from 'node:worker_threads';
import { AskedWorker, type AskOptions, type Clock, type Log, type Question, sourceExecArgv, workerUrl } from '@vitalwire/runtime';
import { isErrorCode, StorageError } from '../errors.ts';
import type { ChunkStore } from './chunk-store.ts';
import { packRows, sharedMs, type WorkerReply, type WorkerRequest } from './commit-message.ts';
import { type CommitOutcome, type CommitRow, checkRow, rowLimits } from './commit-row.ts';

const OPEN_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 10_000;

type Answered = Extract<WorkerReply, { ok: true }>;

/** Commits to readings.sqlite through a worker thread: the event loop that carries MQTT never waits for a disk. */
export class SqliteStore implements ChunkStore {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #thread: AskedWorker<WorkerRequest, WorkerReply>;
  #closed = false;

  constructor({ path, clock, log }: { path: string; clock: Clock; log: Log }) {
    this.#clock = clock;
    this.#log = log;
    this.#thread = new AskedWorker({
      clock,
      spawn: () =>
        new Worker(workerUrl('./sqlite-worker', import.meta.url), { execArgv: sourceExecArgv(import.meta.url), workerData: { path } }),
      unanswered: (why, cause) => new StorageError('UNAVAILABLE', `the commit worker of ${path}: ${why}`, { cause }),
      // Whether the batches in flight were committed is not known; the next request starts a new worker.
      onLost: (cause) => log.error({ err: cause }, 'the commit worker ended'),
    });
  }

  async open(): Promise<void> {
    await this.#ask({ type: 'open' }, { deadlineMs: OPEN_DEADLINE_MS });
  }

  async commit(rows: readonly CommitRow[], deadlineMs: number): Promise<CommitOutcome[]> {
    if (rows.length === 0) return [];
    if (rows.length > rowLimits.rowsPerCommit)
      throw new StorageError('BAD_ROW', `${rows.length} rows in one commit, at most ${rowLimits.rowsPerCommit}`);
    for (const row of rows) checkRow(row);
    const { packed, bytes } = packRows(rows);
    const committedAtUs = this.#clock.nowUs();
    const reply = await this.#ask(
      { type: 'commit', rows: packed, bytes, committedAtUs, deadlineMs: sharedMs() + deadlineMs },
      { deadlineMs, transfer: [bytes] },
    );
    if (reply.outcomes === undefined || reply.outcomes.length !== rows.length)
      throw new StorageError('UNAVAILABLE', 'the commit worker answered something else');
    return reply.outcomes;
  }

  async generation(): Promise<string> {
    const reply = await this.#ask({ type: 'generation' }, { deadlineMs: OPEN_DEADLINE_MS });
    if (reply.generation === undefined) throw new StorageError('UNAVAILABLE', 'the commit worker answered something else');
    return reply.generation;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      // The worker answers in order: when this returns, every batch begun before is committed or refused.
      await this.#thread.end({ type: 'close' }, { deadlineMs: CLOSE_DEADLINE_MS });
    } catch (error) {
      this.#log.warn({ err: error }, 'the commit worker did not close in time');
    }
  }

  async #ask(question: Question<WorkerRequest>, options: AskOptions): Promise<Answered> {
    if (this.#closed) throw new StorageError('CLOSED');
    const reply = await this.#thread.ask(question, options);
    if (reply.ok) return reply;
    throw new StorageError(isErrorCode(reply.code) ? reply.code : 'UNAVAILABLE', reply.detail);
  }
}
