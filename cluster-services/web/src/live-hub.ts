import type { Stream } from '@vitalwire/contract';
import type { Clock, Log } from '@vitalwire/runtime';
import { textFrame } from './socket-frame.ts';

export type HubLimits = {
  readonly maxViewers: number;
  readonly maxBufferedBytes: number; // per viewer, in our socket's send buffer; more means it does not read
  readonly maxCredit: number; // frames a viewer may allow ahead
  readonly noticeMs: number; // at most one `behind` notice per viewer in this time
};

export const hubLimits: HubLimits = { maxViewers: 200, maxBufferedBytes: 256 * 1024, maxCredit: 4_096, noticeMs: 1_000 };

/** One viewer's connection: whole WebSocket frames go in, and it says how much it has not sent yet. */
export type ViewerSocket = {
  write(frame: Uint8Array): void;
  bufferedBytes(): number;
  isOpen(): boolean;
};

/** What a viewer wants to see: these devices and what these patients wear; `devices` null means everything. */
export type Wish = {
  readonly devices: ReadonlySet<string> | null;
  readonly patients: ReadonlySet<string>;
  readonly streams: ReadonlySet<Stream>;
};

/** A chunk ready for every viewer: its WebSocket frame is built once and shared. */
export type Outgoing = {
  readonly device: string;
  readonly patient: string | null;
  readonly stream: Stream;
  readonly isBacklog: boolean; // being caught up after an outage
  readonly frame: Uint8Array;
};

export type HubCounts = { viewers: number; framesSent: number; framesDropped: number; viewersRefused: number };

/** A viewer as the hub keeps it. */
export class Viewer {
  readonly socket: ViewerSocket;
  wish: Wish | null = null;
  credit = 0;
  creditWindow = 0;
  dropped = 0; // since the last notice
  lastNoticeMs = Number.NEGATIVE_INFINITY;
  missedState = true; // the next state frame must be a whole one

  constructor(socket: ViewerSocket) {
    this.socket = socket;
  }
}

/**
 * Fans chunks out to viewers. A viewer that is behind (no credit left, or too much unsent) loses frames and is told how many;
 * nothing is ever queued for it, so one sleeping browser tab costs 256 KiB and no other viewer's time.
 */
export class LiveHub {
  readonly #limits: HubLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #viewers = new Set<Viewer>();
  #sent = 0;
  #dropped = 0;
  #refused = 0;

  constructor(limits: HubLimits, clock: Clock, log: Log) {
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
  }

  /** Null when the room is full. */
  join(socket: ViewerSocket): Viewer | null {
    if (this.#viewers.size >= this.#limits.maxViewers) {
      this.#refused += 1;
      this.#log.warn({ maxViewers: this.#limits.maxViewers }, 'viewer refused: the limit of viewers is reached');
      return null;
    }
    const viewer = new Viewer(socket);
    this.#viewers.add(viewer);
    return viewer;
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /**
   * From now on the viewer gets what it wishes for. Devices it names and had not named before begin with what is `recent` of them;
   * who wishes for everything gets each chunk once.
   */
  subscribe(viewer: Viewer, wish: Wish, credit: number, recent: Iterable<Outgoing> = []): void {
    const before = viewer.wish;
    viewer.wish = wish;
    viewer.credit = Math.min(credit, this.#limits.maxCredit);
    viewer.creditWindow = Math.max(1, viewer.credit);
    if (wish.devices === null) return;
    for (const outgoing of recent)
      if (wants(wish, outgoing) && !wants(before, outgoing)) this.offer(viewer, { ...outgoing, isBacklog: true });
  }

  unsubscribe(viewer: Viewer): void {
    viewer.wish = null;
  }

  addCredit(viewer: Viewer, frames: number): void {
    viewer.credit = Math.min(viewer.credit + frames, this.#limits.maxCredit);
    viewer.creditWindow = Math.max(viewer.creditWindow, viewer.credit);
  }

  publish(outgoing: Outgoing): void {
    for (const viewer of this.#viewers) if (wants(viewer.wish, outgoing)) this.offer(viewer, outgoing);
  }

  /** Sends one frame to one viewer if it keeps up, else counts it as dropped. */
  offer(viewer: Viewer, outgoing: Outgoing): void {
    if (!viewer.socket.isOpen()) return;
    // What is being caught up may use half of a viewer's room only, so that history never crowds out the present.
    const share = outgoing.isBacklog ? 0.5 : 1;
    const hasCredit = viewer.credit > viewer.creditWindow * (1 - share);
    if (!hasCredit || viewer.socket.bufferedBytes() > this.#limits.maxBufferedBytes * share) {
      viewer.dropped += 1;
      this.#dropped += 1;
      this.#notifyBehind(viewer);
      return;
    }
    viewer.credit -= 1;
    this.#sent += 1;
    viewer.socket.write(outgoing.frame);
  }

  /** Sends a state frame to everyone who is keeping up; who missed one gets the whole state next time. */
  publishState(changed: Uint8Array | null, whole: () => Uint8Array): void {
    let shared: Uint8Array | null = null;
    for (const viewer of this.#viewers) {
      if (!viewer.socket.isOpen() || (changed === null && !viewer.missedState)) continue;
      if (viewer.socket.bufferedBytes() > this.#limits.maxBufferedBytes) {
        viewer.missedState = true;
        continue;
      }
      if (viewer.missedState) {
        shared ??= whole();
        viewer.missedState = false;
        viewer.socket.write(shared);
      } else if (changed !== null) viewer.socket.write(changed);
      if (viewer.dropped > 0) this.#notifyBehind(viewer);
    }
  }

  /** Sends a small notice to every viewer that still reads. */
  broadcast(frame: Uint8Array): void {
    for (const viewer of this.#viewers) {
      if (viewer.socket.isOpen() && viewer.socket.bufferedBytes() <= this.#limits.maxBufferedBytes) viewer.socket.write(frame);
    }
  }

  counts(): HubCounts {
    return { viewers: this.#viewers.size, framesSent: this.#sent, framesDropped: this.#dropped, viewersRefused: this.#refused };
  }

  #notifyBehind(viewer: Viewer): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - viewer.lastNoticeMs < this.#limits.noticeMs || viewer.socket.bufferedBytes() > this.#limits.maxBufferedBytes) return;
    viewer.lastNoticeMs = nowMs;
    viewer.socket.write(textFrame(JSON.stringify({ type: 'behind', dropped: viewer.dropped })));
    viewer.dropped = 0;
  }
}

function wants(wish: Wish | null, outgoing: Outgoing): boolean {
  if (wish === null || !wish.streams.has(outgoing.stream)) return false;
  if (wish.devices === null || wish.devices.has(outgoing.device)) return true;
  return outgoing.patient !== null && wish.patients.has(outgoing.patient);
}
