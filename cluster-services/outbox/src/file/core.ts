import type { ClockState } from '@vitalwire/contract/wire';
import type Database from 'better-sqlite3';
import type { OutboxRow } from '../append.ts';
import type { DiskReserve } from './disk-reserve.ts';
import type { Statements } from './statements.ts';
import type { Tally } from './tally.ts';

export type OutboxFileOptions = {
  readonly path: string;
  readonly owner: string; // the gateway or service whose messages these are
  readonly maxBytes: number;
  readonly ringMs: number;
  readonly minFreeBytes: number; // of the disk; below it the outbox stops growing
  readonly nowMs: () => number;
  readonly onStatement?: () => void; // before each statement: tests look at the file between two
};

/** What is known of the disk, and the bound that follows from it. */
export type DiskState = {
  readonly reserve: DiskReserve;
  maxBytes: number; // what the file may use now
  isRefused: boolean; // the last append did not fit
  isSqueezed: boolean; // the disk was full, and there is no reserve again yet
};

/** What every room of the file works with. A repair puts another database and its statements in the place of the damaged ones. */
export type Core = {
  readonly options: OutboxFileOptions;
  readonly tally: Tally;
  readonly disk: DiskState;
  readonly db: Database.Database;
  readonly sql: Statements;
  readonly pageBytes: number;
  clock: ClockState; // what the gateway knows of its clock: goes into the records that the outbox makes itself
  live: OutboxRow[] | null; // where inserted rows are collected for the live lane; null = nobody asked
};

export function metaOf({ sql }: Pick<Core, 'sql'>, name: string): string | null {
  return (sql.meta.get(name) as { value: string } | undefined)?.value ?? null;
}
