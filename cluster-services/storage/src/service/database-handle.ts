import { type Clock, fullJitter, isCodedError, type Lifecycle, type Log, pause } from '@vitalwire/runtime';
import type { Kysely } from 'kysely';
import { StorageError } from '../errors.ts';
import { databaseError, type OpenDatabase } from '../schema/open-database.ts';

export type DatabaseHandleOptions<Tables> = {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly open: () => OpenDatabase<Tables>;
  /** Brings the schema up to date and does whatever must be done before the first query. */
  readonly prepare: (database: OpenDatabase<Tables>) => Promise<void>;
  /** Everything believed about the contents is void. */
  readonly onReopen?: () => void;
};

const RETRY_MAX_MS = 5_000;

/** A database that may be away: opened in the background until it is there, and opened again when it was replaced. */
export class DatabaseHandle<Tables> implements Lifecycle {
  readonly #options: DatabaseHandleOptions<Tables>;
  readonly #stopped = new AbortController();
  #open: OpenDatabase<Tables> | null = null;
  #problem: string | null = 'not open yet';
  #damage: string | null = null; // stays told until the file is another one: other queries may go well
  #opening: Promise<void> = Promise.resolve();

  constructor(options: DatabaseHandleOptions<Tables>) {
    this.#options = options;
  }

  /** What is wrong, for the probe and for refusals; null while the database answers. */
  get problem(): string | null {
    return this.#problem ?? this.#damage;
  }

  /** A check of the whole file, or a query, has found it damaged; null when the check found it whole. */
  tellDamage(damage: string | null): void {
    if (damage !== null && damage !== this.#damage)
      this.#options.log.error({ database: this.#options.name, damage }, 'the database is damaged');
    this.#damage = damage;
  }

  /** Tries once; if the database is away, goes on trying in the background. Throws when trying again cannot help. */
  async start(): Promise<void> {
    try {
      await this.#tryOpen();
    } catch (error) {
      this.#failed(error);
      if (isCodedError(error) && !error.retry) throw error;
      this.#opening = this.#keepTrying();
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#opening;
    const open = this.#open;
    this.#open = null;
    await open?.db.destroy().catch(() => {}); // a server that does not answer cannot be taken leave of
  }

  /** Lets go of queries that wait for a database which does not answer: the service stops. */
  abandon(): void {
    this.#stopped.abort();
    this.#open?.abandon();
  }

  /** Runs queries; whatever goes wrong in the database becomes a StorageError. */
  async use<T>(work: (db: Kysely<Tables>, database: OpenDatabase<Tables>) => Promise<T>): Promise<T> {
    const open = this.#open;
    if (open === null) throw new StorageError('UNAVAILABLE', `${this.#options.name}: ${this.#problem ?? 'not open'}`);
    try {
      const answer = await work(open.db, open);
      this.#healthy();
      return answer;
    } catch (cause) {
      const error = databaseError(cause, open.where);
      if (isCodedError(error) && error.retry) this.#failed(error);
      if (StorageError.is(error, 'DAMAGED')) this.tellDamage((error as StorageError).message);
      throw error;
    }
  }

  /** Closes what is open and opens again: the file was replaced, or its schema is gone. */
  async reopen(why: string): Promise<void> {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    this.#problem = why;
    this.#options.log.warn({ database: this.#options.name, why }, 'opening the database again');
    this.#options.onReopen?.();
    await open.db.destroy().catch(() => {}); // it is replaced because it is broken
    this.#opening = this.#keepTrying();
  }

  async #tryOpen(): Promise<void> {
    const database = this.#options.open();
    try {
      await this.#options.prepare(database);
    } catch (cause) {
      await database.db.destroy().catch(() => {}); // why it cannot be used is what matters
      throw databaseError(cause, database.where);
    }
    if (this.#stopped.signal.aborted) {
      await database.db.destroy();
      return;
    }
    this.#options.onReopen?.();
    this.#open = database;
    this.#damage = null;
    this.#healthy();
  }

  async #keepTrying(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    const backoff = fullJitter({ baseMs: 200, maxMs: RETRY_MAX_MS, clock });
    while (!signal.aborted && this.#open === null) {
      await pause(clock, backoff.nextMs(), signal);
      if (signal.aborted) return;
      try {
        await this.#tryOpen();
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #healthy(): void {
    if (this.#problem !== null) this.#options.log.info({ database: this.#options.name }, 'the database answers');
    this.#problem = null;
  }

  #failed(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    // Once when it begins and when the reason changes, not at every attempt.
    if (problem !== this.#problem) this.#options.log.error({ database: this.#options.name, err: error }, 'the database is not available');
    this.#problem = problem;
  }
}
