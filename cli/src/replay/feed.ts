/**
 * What one virtual device measures on one stream, addressed by position. Anything can be asked for again, so that what was
 * not answered is sent again, however late: the device forgets nothing.
 */
export type Feed<Item> = {
  /** Until which position a block that begins at `position` goes, and when it is complete in ms of data time. */
  blockAt(position: number): { readonly end: number; readonly dueMs: number };
  /** How many readings have been measured by then. */
  measuredBy(dataMs: number): number;
  /** Readings `from` to `to` (not included). */
  read(from: number, to: number): Item;
  /** Most readings in one request. */
  readonly maxPerRequest: number;
};

/**
 * The block to send now: the one at `position`, and with it every further whole block that is already complete, as long as
 * the request stays small. After an outage a device catches up in few requests.
 */
export function dueBlock(feed: Feed<unknown>, position: number, dataMs: number): { end: number; dueMs: number } {
  let block = feed.blockAt(position);
  for (;;) {
    const next = feed.blockAt(block.end);
    if (next.dueMs > dataMs || next.end - position > feed.maxPerRequest || next.end === block.end) return block;
    block = next;
  }
}
