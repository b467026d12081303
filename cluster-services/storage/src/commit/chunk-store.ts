import type { Clock, Log } from '@vitalwire/runtime';
import type { CommitOutcome, CommitRow } from './commit-row.ts';

/** The front door's way into the database: one transaction per batch, idempotent, never acknowledged before it is permanent. */
export interface ChunkStore {
  /**
   * Connects and checks the schema. Rejects with a StorageError (`retry` says whether waiting helps); the store then keeps
   * trying at every commit, so a caller may carry on.
   */
  open(): Promise<void>;
  /**
   * Makes all rows permanent, or none: rejects with a StorageError when that did not happen within `deadlineMs` milliseconds
   * from now, or when the outcome is not known. Sending the same rows again is always safe. Outcomes are in the order of the rows.
   */
  commit(rows: readonly CommitRow[], deadlineMs: number): Promise<CommitOutcome[]>;
  /** The identity of this database: changes when it is replaced or restored from a backup. Rejects while nothing could be committed. */
  generation(): Promise<string>;
  /** Finishes what was begun, then releases the database. May be called twice. */
  close(): Promise<void>;
}

export type ChunkStoreOptions = {
  readonly database: string; // 'sqlite:DIR' or 'mysql://user:password@host:port/database'
  readonly clock: Clock;
  readonly log: Log;
};
