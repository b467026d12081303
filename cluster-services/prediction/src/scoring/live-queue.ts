import type { ScoredWindow, Task, Thin } from './protocol.ts';

/** The windows that a push completes, both ends included. */
export type WindowSpan = { readonly first: number; readonly last: number };

/** A task that waits for its worker. */
export type Waiting = {
  readonly task: Task;
  readonly cost: number; // channel seconds
  readonly seconds: number; // of samples
  readonly sinceMs: number;
  /** null: it completes none, and may wait for one that does. Undefined: not known, it is not to wait. */
  readonly completes: WindowSpan | null | undefined;
  readonly resolve: (windows: readonly ScoredWindow[]) => void;
  readonly reject: (error: unknown) => void;
};

/** What is taken, and which of its windows are judged. */
export type Taken = { readonly waiting: Waiting; readonly thin: Thin | null };

/** Samples that complete no window to be judged wait for one that does, at most so long: fewer and larger messages. */
const HOLD_MS = 4_000;
/** Who was like a seizure so lately goes first. */
const URGENT_MS = 60_000;
/** More samples than this and half as many again as it has waited for: they come faster than they are recorded, as after an outage. */
const PACED_S = 2;
const PACED_SHARE = 1.5;

/** The tasks of one recording's sessions, which have to stay in order. */
type Line = { waiting: Waiting[]; mustGo: boolean; urgentUntilMs: number };

/**
 * What was received and waits to be scored, recording by recording. Who was like a seizure lately goes first, then who has waited longest;
 * what comes faster than it is recorded goes last. With a hop of more than 1 only one window in so many is judged, of those that
 * had to wait for longer than the hop only the newest.
 */
export class LiveQueue {
  readonly #lines = new Map<number, Line>(); // last = began to wait last
  #cost = 0;

  /** Channel seconds. */
  get cost(): number {
    return this.#cost;
  }

  add(line: number, waiting: Waiting): void {
    const known = this.#lines.get(line);
    if (known !== undefined && known.waiting.length > 0) known.waiting.push(waiting);
    else {
      this.#lines.delete(line);
      this.#lines.set(line, { waiting: [waiting], mustGo: false, urgentUntilMs: known?.urgentUntilMs ?? 0 });
    }
    this.#cost += waiting.cost;
  }

  /** A window like a seizure was found. */
  wasSeizure(line: number, nowMs: number): void {
    const known = this.#lines.get(line);
    if (known !== undefined) known.urgentUntilMs = nowMs + URGENT_MS;
    else this.#lines.set(line, { waiting: [], mustGo: false, urgentUntilMs: nowMs + URGENT_MS });
  }

  /** What a session has is not to wait for more: nothing more comes, or what comes next takes another way. */
  flush(line: number): void {
    const known = this.#lines.get(line);
    if (known !== undefined && known.waiting.length > 0) known.mustGo = true;
  }

  /** How long windows that are to be judged have waited at most: of all, and of those that come at the pace they are recorded at. */
  oldestMs(hop: number, nowMs: number): { readonly all: number; readonly paced: number } {
    let all = 0;
    let paced = 0;
    for (const [id, line] of this.#lines) {
      const waitedMs = this.#waitedMs(id, line, hop, nowMs);
      if (waitedMs === null) continue;
      all = Math.max(all, waitedMs);
      if (waitedMs > paced && isPaced(line, nowMs)) paced = waitedMs;
    }
    return { all, paced };
  }

  /** Tasks of about `room` channel seconds, of each recording in their order. One is always taken, however large. */
  take(room: number, hop: number, nowMs: number): Taken[] {
    for (const [id, { waiting, urgentUntilMs }] of this.#lines) if (waiting.length === 0 && urgentUntilMs <= nowMs) this.#lines.delete(id);
    const ready = [...this.#lines].flatMap(([id, line]) => {
      const waitedMs = this.#waitedMs(id, line, hop, nowMs);
      if (waitedMs === null && !line.mustGo && !isHeldForLong(line, nowMs)) return [];
      return [{ id, line, waitedMs: waitedMs ?? 0, rank: line.urgentUntilMs > nowMs ? 0 : isPaced(line, nowMs) ? 1 : 2 }];
    });
    ready.sort((a, b) => a.rank - b.rank); // and those of a rank stay in the order in which they began to wait
    const taken: Taken[] = [];
    let left = room;
    for (const { id, line, waitedMs } of ready) {
      if (left <= 0) break;
      let count = 0;
      const isLate = hop > 1 && waitedMs > 1000 * hop;
      const newest = isLate ? newestOf(line.waiting) : null;
      for (const waiting of line.waiting) {
        if (left <= 0) break;
        left -= waiting.cost;
        taken.push({ waiting, thin: thinOf(waiting, id, hop, newest) });
        count++;
      }
      this.#remove(line, count);
    }
    return taken;
  }

  /** All that waits, which nobody will answer. */
  drain(): Waiting[] {
    const all = [...this.#lines.values()].flatMap(({ waiting }) => waiting);
    this.#lines.clear();
    this.#cost = 0;
    return all;
  }

  #remove(line: Line, count: number): void {
    for (const { cost } of line.waiting.splice(0, count)) this.#cost -= cost;
    if (line.waiting.length > 0) return;
    line.mustGo = false;
    if ([...this.#lines.values()].every(({ waiting }) => waiting.length === 0)) this.#cost = 0; // sums of fractions do not come back to nought by themselves
  }

  /** Since when the oldest task that completes a window to be judged waits; null: none does. */
  #waitedMs(id: number, { waiting }: Line, hop: number, nowMs: number): number | null {
    const first = waiting.find(({ completes }) => completes === undefined || (completes !== null && hasWanted(completes, id, hop)));
    return first === undefined ? null : nowMs - first.sinceMs;
  }
}

/** Each recording has its own phase, so that not all are due in the same second. */
export function isWanted(window: number, { every, phase, from }: Thin): boolean {
  return window >= from && (((window + phase) % every) + every) % every === 0;
}

function hasWanted({ first, last }: WindowSpan, line: number, hop: number): boolean {
  for (let window = first; window <= last && window < first + hop; window++)
    if (isWanted(window, { every: hop, phase: line, from: first })) return true;
  return false;
}

function thinOf({ completes, task }: Waiting, line: number, hop: number, newest: ReadonlyMap<number, number> | null): Thin | null {
  if (hop === 1 || completes === undefined) return null;
  const last = newest?.get(task.session);
  const every = { every: hop, phase: line, from: Number.MIN_SAFE_INTEGER };
  if (last === undefined) return every;
  let from = last;
  while (from > last - hop && !isWanted(from, every)) from--;
  return { ...every, from };
}

/** The newest window of each session. */
function newestOf(waiting: readonly Waiting[]): Map<number, number> {
  const newest = new Map<number, number>();
  for (const { task, completes } of waiting)
    if (completes) newest.set(task.session, Math.max(completes.last, newest.get(task.session) ?? completes.last));
  return newest;
}

function isPaced({ waiting }: Line, nowMs: number): boolean {
  const [oldest] = waiting;
  if (oldest === undefined) return true;
  const seconds = waiting.reduce((sum, one) => sum + one.seconds, 0);
  return seconds <= PACED_S + PACED_SHARE * ((nowMs - oldest.sinceMs) / 1000);
}

function isHeldForLong({ waiting }: Line, nowMs: number): boolean {
  const [oldest] = waiting;
  return oldest !== undefined && nowMs - oldest.sinceMs >= HOLD_MS;
}
