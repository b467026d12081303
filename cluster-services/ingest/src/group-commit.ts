import { type Clock, fullJitter, isCodedError, type Log, within } from '@vitalwire/runtime';
import type { ChunkStore, CommitOutcome, CommitRow } from '@vitalwire/storage/commit';
import { IngestError } from './errors.ts';

export type GroupCommitLimits = {
  readonly rowsPerCommit: number;
  readonly bytesPerCommit: number;
  readonly waitingBytes: number;
  readonly deadlineMs: number;
};

const groupCommitLimits: GroupCommitLimits = {
  rowsPerCommit: 200,
  bytesPerCommit: 4 * 1024 * 1024,
  waitingBytes: 96 * 1024 * 1024, // the front door's own bound is lower; this one holds if senders come and go
  deadlineMs: 10_000, // below one and a half of the shortest keepalive, so that a stall is never taken for a dead client
};

export type GroupCommitOptions = {
  readonly store: Pick<ChunkStore, 'commit'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<GroupCommitLimits>;
  /** Told after each attempt: how long it took, how many rows, and whether the database took them. */
  readonly onCommit?: (attempt: { readonly rows: number; readonly ms: number; readonly isCommitted: boolean }) => void;
};

type Waiting = {
  readonly row: CommitRow;
  readonly deadlineMs: number;
  readonly isAbandoned: () => boolean;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: Error) => void;
};

const OVERRUN_MS = 1_000; // a store that does not keep its deadline is given up this much later

/** Collects rows while a commit is under way and commits them together as soon as it returns: no timer, no waiting when idle. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #limits: GroupCommitLimits;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | null = null;
  #isStopping = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#limits = { ...groupCommitLimits, ...options.limits };
  }

  get waitingRows(): number {
    return this.#waiting.length;
  }

  /** Resolves with the row's outcome after the transaction; rejects when it was not committed before the deadline. */
  add(row: CommitRow, isAbandoned: () => boolean = () => false): Promise<CommitOutcome> {
    const { clock } = this.#options;
    return new Promise((resolve, reject) => {
      if (this.#isStopping) return reject(new IngestError('STOPPED'));
      if (this.#waitingBytes > 0 && this.#waitingBytes + row.message.byteLength > this.#limits.waitingBytes)
        return reject(new IngestError('WAITING_FULL'));
      this.#waiting.push({ row, deadlineMs: clock.monotonicMs() + this.#limits.deadlineMs, isAbandoned, resolve, reject });
      this.#waitingBytes += row.message.byteLength;
      this.#running ??= new Promise((done) => setImmediate(() => done(this.#run())));
    });
  }

  /** Finishes what has been handed in, as far as the deadlines allow. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = fullJitter({ baseMs: 50, maxMs: 1_000, clock: this.#options.clock });
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      const error = await this.#commit(batch);
      if (error === null) backoff.reset();
      else if (isRowFault(error)) await this.#commitSingly(batch);
      else {
        this.#putBack(batch);
        await this.#options.clock.sleep(backoff.nextMs());
      }
    }
    this.#running = null;
  }

  /** The next rows in arrival order; on the way, whoever is overdue or gone is told so and left out. */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    let taken = 0;
    const nowMs = this.#options.clock.monotonicMs();
    for (const waiting of this.#waiting) {
      const size = waiting.row.message.byteLength;
      const isDue = waiting.deadlineMs > nowMs && !waiting.isAbandoned();
      if (isDue && batch.length > 0 && (batch.length >= this.#limits.rowsPerCommit || bytes + size > this.#limits.bytesPerCommit)) break;
      taken += 1;
      this.#waitingBytes -= size;
      if (isDue) {
        batch.push(waiting);
        bytes += size;
      } else {
        waiting.reject(new IngestError(waiting.deadlineMs > nowMs ? 'ABANDONED' : 'COMMIT_OVERDUE'));
      }
    }
    this.#waiting.splice(0, taken);
    return batch;
  }

  #putBack(batch: readonly Waiting[]): void {
    this.#waiting.unshift(...batch);
    for (const { row } of batch) this.#waitingBytes += row.message.byteLength;
  }

  /** One transaction; null when it is done and everybody told, else what the database said. Its outcome may then be unknown: a repeat is harmless. */
  async #commit(batch: readonly Waiting[]): Promise<Error | null> {
    const { clock, store, onCommit } = this.#options;
    const beganMs = clock.monotonicMs();
    const leftMs = Math.max(1, Math.min(...batch.map((waiting) => waiting.deadlineMs)) - beganMs);
    let outcomes: CommitOutcome[];
    try {
      const rows = batch.map((waiting) => waiting.row);
      outcomes = await within(clock, leftMs + OVERRUN_MS, store.commit(rows, leftMs), () => new IngestError('COMMIT_OVERDUE'));
      if (outcomes.length !== batch.length) throw new Error(`the store answered ${outcomes.length} outcomes for ${batch.length} rows`);
    } catch (error) {
      onCommit?.({ rows: batch.length, ms: clock.monotonicMs() - beganMs, isCommitted: false });
      return error instanceof Error ? error : new Error(String(error));
    }
    onCommit?.({ rows: batch.length, ms: clock.monotonicMs() - beganMs, isCommitted: true });
    for (const [index, waiting] of batch.entries()) waiting.resolve(outcomes[index] ?? 'committed');
    return null;
  }

  /** A row that the database will never take must not hold back the others: each goes alone, and only the culprit fails. */
  async #commitSingly(batch: readonly Waiting[]): Promise<void> {
    for (const [index, waiting] of batch.entries()) {
      const error = await this.#commit([waiting]);
      if (error === null) continue;
      if (!isRowFault(error)) return this.#putBack(batch.slice(index));
      this.#options.log.error({ err: error, recordingId: waiting.row.recordingId, seq: waiting.row.seq }, 'the database refused a row');
      waiting.reject(error);
    }
  }
}

/** True for errors that lie with a row, not with the database: the same row would meet them again, another would not. */
export function isRowFault(error: unknown): boolean {
  return isCodedError(error) && (error.code === 'BAD_ROW' || error.code === 'REFUSED');
}
