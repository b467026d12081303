import type { Statements } from './statements.ts';

export type Count = { readonly chunks: number; readonly bytes: number };
type Counts = {
  readonly pending: Count; // not acknowledged
  readonly ring: Count; // delivered, kept against the loss of the database
  readonly deliveredId: number;
  readonly lastId: number;
  readonly evicted: number; // un-acknowledged chunks, since the start
  readonly damaged: number; // chunks that were not what was written, since the start
};

/**
 * How much is in the file: counted from it once, then moved with every row that comes or goes. Nobody else counts. Inside a transaction or a
 * savepoint the counts are as provisional as the rows: `snapshot` before it, `restore` if it is rolled back.
 */
export class Tally {
  #now: Counts = { pending: none, ring: none, deliveredId: 0, lastId: 0, evicted: 0, damaged: 0 };

  get pending(): Count {
    return this.#now.pending;
  }
  get ring(): Count {
    return this.#now.ring;
  }
  get deliveredId(): number {
    return this.#now.deliveredId;
  }
  get lastId(): number {
    return this.#now.lastId;
  }
  get evicted(): number {
    return this.#now.evicted;
  }
  get damaged(): number {
    return this.#now.damaged;
  }

  snapshot(): Counts {
    return this.#now;
  }

  restore(counts: Counts): void {
    this.#now = counts;
  }

  /** What lies in the file, whatever was thought before. What happened since the start stays. */
  recount(sql: Statements): void {
    const deliveredId = (sql.lastDelivery.get() as { upto_id: number } | undefined)?.upto_id ?? 0;
    this.#move({
      deliveredId,
      pending: sql.countAfter.get(deliveredId) as Count,
      ring: sql.countUpTo.get(deliveredId) as Count,
      lastId: (sql.lastId.get() as { seq: number } | undefined)?.seq ?? 0,
    });
  }

  inserted(id: number, bytes: number): void {
    this.#move({ lastId: id, pending: plus(this.#now.pending, 1, bytes) });
  }

  /** Everything up to `uptoId` is delivered; `moved` is what was pending until now. */
  delivered(uptoId: number, moved: Count): void {
    const { pending, ring } = this.#now;
    this.#move({
      deliveredId: uptoId,
      pending: plus(pending, -moved.chunks, -moved.bytes),
      ring: plus(ring, moved.chunks, moved.bytes),
    });
  }

  ringDropped(rows: readonly { readonly bytes: number }[]): void {
    this.#move({ ring: plus(this.#now.ring, -rows.length, -bytesOf(rows)) });
  }

  pendingEvicted(rows: readonly { readonly bytes: number }[]): void {
    const { pending, evicted } = this.#now;
    this.#move({ pending: plus(pending, -rows.length, -bytesOf(rows)), evicted: evicted + rows.length });
  }

  /** A message that is not what was written, gone from wherever it was. */
  damagedRemoved(id: number, bytes: number): void {
    const { pending, ring, deliveredId, damaged } = this.#now;
    this.#move({
      damaged: damaged + 1,
      ...(id > deliveredId ? { pending: plus(pending, -1, -bytes) } : { ring: plus(ring, -1, -bytes) }),
    });
  }

  #move(changed: Partial<Counts>): void {
    this.#now = { ...this.#now, ...changed };
  }
}

const none: Count = { chunks: 0, bytes: 0 };

function plus(count: Count, chunks: number, bytes: number): Count {
  return { chunks: count.chunks + chunks, bytes: count.bytes + bytes };
}

function bytesOf(rows: readonly { readonly bytes: number }[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes, 0);
}
