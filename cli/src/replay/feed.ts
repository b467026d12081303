/** Readings `begin` to `end` (not included) that travel together, complete at `dueMs` of data time. */
export type Block = {
  readonly begin: number;
  readonly end: number;
  readonly dueMs: number;
  readonly joins: boolean; // it may travel in one request with the block that ends where it begins
};

/**
 * What one virtual device measures on one stream, addressed by position in its capture. Anything can be asked for again, so that what was
 * not answered is sent again, however late: the device forgets nothing. Positions may jump, where nothing was measured.
 */
export type Feed<Item> = {
  /** The block at `position`, or the next one after it; null when nothing follows. */
  blockAt(position: number): Promise<Block | null>;
  /** Before which position everything has been measured by then. */
  measuredBy(dataMs: number): Promise<number>;
  /** Readings `from` to `to` (not included), of blocks that touch. */
  read(from: number, to: number): Promise<Item>;
  /** Most readings in one request. */
  readonly maxPerRequest: number;
};

/**
 * The block to send now: the one at `position`, and with it every further whole block that touches it and is already complete, as long
 * as the request stays small. After an outage a device catches up in few requests.
 */
export async function dueBlock(feed: Feed<unknown>, first: Block, dataMs: number): Promise<Block> {
  let block = first;
  for (;;) {
    const next = await feed.blockAt(block.end);
    if (
      next === null ||
      !next.joins ||
      next.begin !== block.end ||
      next.end <= next.begin ||
      next.dueMs > dataMs ||
      next.end - first.begin > feed.maxPerRequest
    )
      return block;
    block = { ...next, begin: first.begin };
  }
}
