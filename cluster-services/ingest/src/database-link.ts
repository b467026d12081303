import { type Clock, fullJitter, isCodedError, type Lifecycle, type Log, pause } from '@vitalwire/runtime';
import { type ChunkStore, type CommitOutcome, type CommitRow, openChunkStore } from '@vitalwire/storage/commit';
import { IngestError } from './errors.ts';
import { isRowFault } from './group-commit.ts';

export type DatabaseLinkOptions = {
  readonly database: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when the database is another one than before: restored from a backup, or replaced. */
  readonly onGeneration: (generation: string) => void;
};

const CHECK_MS = 5_000;
const RETRY_MAX_MS = 1_000;

/** The way to the database, watched: the front door opens and the live lane flows without it, and it is known when it answers again. */
export class DatabaseLink implements Lifecycle {
  readonly #options: DatabaseLinkOptions;
  readonly #stopped = new AbortController();
  #store: ChunkStore | null = null;
  #watching: Promise<void> = Promise.resolve();
  #generation: string | null = null;
  #problem: string | null = 'it has not answered yet';

  constructor(options: DatabaseLinkOptions) {
    this.#options = options;
  }

  /** The last known generation, also while the database is down; null before it was ever seen. */
  get generation(): string | null {
    return this.#generation;
  }

  /** What is wrong, for the probe; null while the database answers. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Only a setting that names no database fails here; a database that does not answer is waited for in the background. */
  async start(): Promise<void> {
    const { clock, database, log } = this.#options;
    this.#store = openChunkStore({ database, clock, log });
    this.#watching = this.#watch(this.#store);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new IngestError('STOPPED'));
    const store = this.#store;
    this.#store = null;
    await store?.close();
    await this.#watching;
  }

  async commit(rows: readonly CommitRow[], deadlineMs: number): Promise<CommitOutcome[]> {
    if (this.#store === null) throw new IngestError('STOPPED');
    try {
      const outcomes = await this.#store.commit(rows, deadlineMs);
      this.#answered();
      return outcomes;
    } catch (error) {
      if (!isRowFault(error)) this.#failed(error);
      throw error;
    }
  }

  async #watch(store: ChunkStore): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopped;
    const backoff = fullJitter({ baseMs: 100, maxMs: RETRY_MAX_MS, clock });
    let isOpen = false;
    while (!signal.aborted) {
      try {
        if (!isOpen) await store.open();
        isOpen = true;
        const generation = await store.generation();
        if (signal.aborted) return;
        this.#answered();
        backoff.reset();
        if (generation !== this.#generation) {
          log.info({ generation, before: this.#generation }, 'the database generation is known');
          this.#generation = generation;
          this.#options.onGeneration(generation);
        }
      } catch (error) {
        if (!signal.aborted) this.#failed(error);
      }
      await pause(clock, this.#problem === null ? CHECK_MS : backoff.nextMs(), signal);
    }
  }

  #answered(): void {
    if (this.#problem !== null) this.#options.log.info('the database answers');
    this.#problem = null;
  }

  #failed(error: unknown): void {
    const problem = isCodedError(error) ? error.message : 'it does not answer';
    // Told when it begins, not once a second for an hour.
    if (this.#problem === null || this.#problem === 'it has not answered yet') {
      this.#options.log.error({ err: error }, 'the database does not answer: readings wait at their gateways, the live lane goes on');
    }
    this.#problem = problem;
  }
}
