import type { RecordingInfo } from '@vitalwire/contract';
import { LOOKBACK_HOPS } from '@vitalwire/detector';
import { type Clock, type Lifecycle, type Log, pause, RecentMap } from '@vitalwire/runtime';
import { type WindowShape, windowShapeFor } from '@vitalwire/vitals';
import type { Detections, Subject } from './detections.ts';
import type { Montages } from './montages.ts';
import type { Followed } from './reception.ts';
import type { TimedWindow } from './recording-windows.ts';
import type { ScoringPool } from './scoring/pool.ts';
import type { StorageQueries } from './storage-queries.ts';
import { orAborted, type Reading, StoredSignal } from './stored-signal.ts';

/** A recording that gave a reason to look is looked at this much later, when what was on its way has been committed. */
const SETTLE_MS = 500;
/** Without room for it, until it is looked for again. */
const NO_ROOM_MS = 1_000;
/** After a failed question to storage. */
const RETRY_MS = 500;
/** Windows near the end that are scored on the way to following a recording; older ones when it is followed. */
const WINDOWS_ON_THE_WAY = 600;
/** Rounds of question and answer for one recording before it has to wait for the next sweep. */
const MAX_ROUNDS = 10_000;
/** Recordings remembered as wholly scored. */
const MAX_SETTLED = 50_000;

export type CatchUpOptions = {
  readonly storage: StorageQueries;
  readonly modelHash: string;
  readonly pool: Pick<ScoringPool, 'open'>;
  readonly detections: Pick<Detections, 'publish' | 'isOnTheWay'>;
  readonly followed: Followed;
  readonly montages: Montages;
  readonly clock: Clock;
  readonly log: Log;
  readonly sweepMs: number;
  /** Recordings looked at at the same time: as many as there are workers. */
  readonly atOnce: number;
  /** Whether there is room to score what was missed, or to read up to what is received: neither may compete with what is received. */
  readonly hasRoom: (what: 'catch-up' | 'follow') => boolean;
};

type Range = { readonly fromWindow: number; readonly toWindow: number };

/**
 * Finds stored windows without a detection and scores them: of all recordings at the start, after each reconnect and every `sweepMs`,
 * of one recording when something about it was missed. Asks storage again for as long as it does not answer.
 */
export class CatchUp implements Lifecycle {
  readonly #options: CatchUpOptions;
  readonly #stored: StoredSignal;
  readonly #abort = new AbortController();
  readonly #due = new Map<string, number>(); // recording → when to look at it, monotonic ms
  readonly #following = new Set<string>(); // being read up to what is received
  readonly #settled = new RecentMap<string, number>(MAX_SETTLED); // recording → chunks it had when everything was scored
  #sweepDueMs = 0;
  #generation: string | null = null;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #problem: string | null = null;

  constructor(options: CatchUpOptions) {
    this.#options = options;
    this.#stored = new StoredSignal(options);
  }

  /** Why storage could not be asked the last time; null when it could. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Recordings waiting to be looked at. */
  get due(): number {
    return this.#due.size;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await this.#running;
  }

  /** Something of this recording was missed. */
  look(recordingId: string): void {
    this.#settled.delete(recordingId);
    if (this.#due.has(recordingId)) return;
    this.#due.set(recordingId, this.#options.clock.monotonicMs() + SETTLE_MS);
    this.#wake?.();
  }

  /** Anything may have been missed. */
  lookAtAll(): void {
    this.#sweepDueMs = this.#options.clock.monotonicMs();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { clock, log, sweepMs } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        if (clock.monotonicMs() >= this.#sweepDueMs) {
          this.#sweepDueMs = clock.monotonicMs() + sweepMs; // before the sweep: a wish that comes meanwhile is not lost
          await this.#sweep(signal);
        }
        await Promise.all(Array.from({ length: this.#options.atOnce }, () => this.#lookAtDue(signal)));
        if (this.#problem !== null) log.info('storage answers again');
        this.#problem = null;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#problem === null) log.warn({ err: error }, 'storage cannot be asked; what is received is scored all the same');
        this.#problem = error instanceof Error ? error.message : String(error);
        this.#sweepDueMs = Math.min(this.#sweepDueMs, clock.monotonicMs() + RETRY_MS);
        await pause(clock, RETRY_MS, signal);
      }
      await this.#rest(signal);
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const nextMs = Math.min(this.#sweepDueMs, ...this.#due.values());
    const waitMs = this.#options.hasRoom('catch-up') ? nextMs - clock.monotonicMs() : Math.max(NO_ROOM_MS, nextMs - clock.monotonicMs());
    if (signal.aborted || waitMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(waitMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = null;
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { storage, clock } = this.#options;
    const generation = await storage.generation(signal);
    if (generation !== this.#generation) this.#settled.clear(); // another database: what was scored may be gone
    this.#generation = generation;
    let cursor: string | null = null;
    do {
      const page = await storage.eegRecordings(cursor, signal);
      for (const { recordingId, storedChunks } of page.recordings) {
        if (this.#settled.get(recordingId) !== storedChunks) this.#due.set(recordingId, clock.monotonicMs());
      }
      cursor = page.next;
    } while (cursor !== null);
  }

  async #lookAtDue(signal: AbortSignal): Promise<void> {
    for (;;) {
      const recordingId = this.#takeDue();
      if (recordingId === null || signal.aborted) return;
      try {
        await this.#lookAt(recordingId, signal);
      } catch (error) {
        if (!signal.aborted) this.#due.set(recordingId, this.#options.clock.monotonicMs() + RETRY_MS);
        throw error;
      }
    }
  }

  /** What is being received and cannot be followed comes first: somebody is watching. */
  #takeDue(): string | null {
    const nowMs = this.#options.clock.monotonicMs();
    const { hasRoom } = this.#options;
    const isAll = hasRoom('catch-up');
    if (!isAll && !hasRoom('follow')) return null;
    let chosen: string | null = null;
    for (const [recordingId, dueMs] of this.#due) {
      if (dueMs > nowMs) continue;
      if (isAll) chosen ??= recordingId;
      if (!this.#isMissed(recordingId)) continue;
      chosen = recordingId;
      break;
    }
    if (chosen !== null) this.#due.delete(chosen);
    return chosen;
  }

  async #lookAt(recordingId: string, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const info = await this.#infoOf(recordingId, signal);
    const shape = await this.#shapeOf(info, signal);
    if (shape === null) return;
    await this.#followAgain(info, shape, signal);
    if (!this.#options.hasRoom('catch-up')) {
      this.#due.set(recordingId, this.#options.clock.monotonicMs() + RETRY_MS); // its older windows, when there is room
      return;
    }
    let before = '';
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const ranges = await this.#unscored(recordingId, shape, signal);
      const left = this.#leftOf(recordingId, ranges);
      if (left.length === 0) {
        if (ranges.length === 0) this.#settle(recordingId, info.storedChunks);
        return;
      }
      const now = JSON.stringify(left);
      if (now === before) {
        log.warn({ recordingId, ranges: left.slice(0, 3) }, 'stored windows that could not be scored; the next sweep tries again');
        return;
      }
      before = now;
      for (const run of inRuns(left)) await this.#scoreRun(info, shape, run, left, signal);
    }
  }

  /** Recordings that are received and cannot be followed do not wait until an hour of another one is caught up. */
  async #followDue(signal: AbortSignal): Promise<void> {
    if (!this.#options.hasRoom('follow')) return;
    const nowMs = this.#options.clock.monotonicMs();
    const due = [...this.#due].filter(([recordingId, dueMs]) => dueMs <= nowMs && this.#isMissed(recordingId));
    for (const [recordingId] of due) {
      const info = await this.#infoOf(recordingId, signal);
      const shape = await this.#shapeOf(info, signal);
      if (shape !== null) await this.#followAgain(info, shape, signal);
    }
  }

  /** Reads up to what is being received and hands over, so that received chunks go on from there. */
  async #followAgain(info: RecordingInfo, shape: WindowShape, signal: AbortSignal): Promise<void> {
    const { recordingId } = info;
    if (!this.#isMissed(recordingId) || this.#following.has(recordingId)) return;
    this.#following.add(recordingId);
    try {
      const missing = this.#options.followed.missing(recordingId);
      if (missing === 'all') await this.#followFromNear(info, shape, signal);
      else if (missing !== null && missing !== 'nothing') {
        const { windows, fromSeq } = missing;
        await this.#readAndFollow(info, { windows, nextSeq: fromSeq, before: 'nothing' }, windows.nextWindow, () => true, signal);
      }
    } finally {
      this.#following.delete(recordingId);
    }
  }

  /** Without any state: looks back from the last windows that are stored. */
  async #followFromNear(info: RecordingInfo, shape: WindowShape, signal: AbortSignal): Promise<void> {
    const { recordingId, maxSeq } = info;
    const [last] = await this.#options.storage.chunks(recordingId, maxSeq ?? 0, 1, signal);
    const toSample = last === undefined ? 0 : last.firstSample + last.samplesPerChannel;
    const endWindow = Math.max(0, Math.floor((toSample - shape.windowSamples) / shape.hopSamples) + 1);
    const nearest = endWindow - WINDOWS_ON_THE_WAY;
    // Under overload nothing is scored on the way: what is received now is worth more.
    const unscored = this.#options.hasRoom('catch-up') ? await this.#unscored(recordingId, shape, signal) : [];
    const near = unscored.filter(({ toWindow }) => toWindow >= nearest);
    const fromWindow = Math.max(0, nearest, Math.min(endWindow, ...near.map((range) => range.fromWindow)));
    const reading = await this.#stored.open(info, fromWindow, signal);
    if (reading === null) return;
    await this.#readAndFollow(info, reading, fromWindow, (window) => window >= endWindow || isIn(near, window), signal);
  }

  /** Whatever goes wrong, the windows are handed over or closed. */
  async #readAndFollow(
    info: RecordingInfo,
    reading: Reading,
    fromWindow: number,
    isWanted: (window: number) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const from = reading.nextSeq;
        for await (const windows of this.#stored.read(info.recordingId, reading, { fromWindow }, signal))
          await this.#publish(
            info,
            windows.filter(({ window }) => isWanted(window)),
            signal,
          );
        if (this.#options.followed.follow(info.recordingId, reading.windows, reading.nextSeq) || reading.nextSeq === from) return;
      }
    } catch (error) {
      reading.windows.close(); // a part of a page may have been pushed: nobody knows where it stands
      throw error;
    }
  }

  #isMissed(recordingId: string): boolean {
    const missing = this.#options.followed.missing(recordingId);
    return missing !== null && missing !== 'nothing';
  }

  async #infoOf(recordingId: string, signal: AbortSignal): Promise<RecordingInfo> {
    const info = await this.#options.storage.recording(recordingId, signal);
    if (info.channels.length > 0) this.#options.montages.add(info.channels);
    return info;
  }

  async #scoreRun(info: RecordingInfo, shape: WindowShape, run: Range, wanted: readonly Range[], signal: AbortSignal): Promise<void> {
    const reading = await this.#stored.open(info, run.fromWindow, signal);
    if (reading === null) return; // its scale is still unknown: the start record has not been stored yet
    try {
      const toSample = run.toWindow * shape.hopSamples + shape.windowSamples;
      for await (const windows of this.#stored.read(info.recordingId, reading, { fromWindow: run.fromWindow, toSample }, signal)) {
        await this.#publish(
          info,
          windows.filter(({ window }) => isIn(wanted, window)),
          signal,
        );
        await this.#followDue(signal);
        while (!this.#options.hasRoom('catch-up') && !signal.aborted) {
          await this.#options.clock.sleep(NO_ROOM_MS, signal);
          await this.#followDue(signal);
        }
      }
    } finally {
      reading.windows.close();
    }
  }

  async #publish({ recordingId, gateway, device }: Subject, windows: readonly TimedWindow[], signal: AbortSignal): Promise<void> {
    const complete = windows.filter((window) => window.complete);
    await orAborted(
      Promise.all(complete.map((window) => this.#options.detections.publish({ recordingId, gateway, device }, window, 'catch-up'))),
      signal,
    );
  }

  async #unscored(recordingId: string, shape: WindowShape, signal: AbortSignal): Promise<Range[]> {
    return this.#options.storage.unscored(recordingId, this.#options.modelHash, shape, signal);
  }

  /** Without the windows that are on their way from what was received. */
  #leftOf(recordingId: string, ranges: readonly Range[]): Range[] {
    const { detections, followed } = this.#options;
    const fresh = followed.freshFrom(recordingId) ?? Number.POSITIVE_INFINITY;
    return ranges.flatMap(({ fromWindow, toWindow }) => {
      const range = { fromWindow, toWindow: Math.min(toWindow, fresh - 1) };
      for (let window = range.fromWindow; window <= range.toWindow; window++) {
        if (!detections.isOnTheWay(recordingId, window)) return [range];
      }
      return [];
    });
  }

  /** null: nothing of the recording is stored. */
  async #shapeOf({ recordingId, rate, firstSeq }: RecordingInfo, signal: AbortSignal): Promise<WindowShape | null> {
    if (rate !== null) return windowShapeFor(rate);
    const [first] = firstSeq === null ? [] : await this.#options.storage.chunks(recordingId, firstSeq, 1, signal);
    return first === undefined ? null : windowShapeFor(first.rate);
  }

  #settle(recordingId: string, storedChunks: number): void {
    this.#settled.set(recordingId, storedChunks);
  }
}

/** Ranges joined where reading on costs no more than looking back anew would. */
export function inRuns(ranges: readonly Range[]): Range[] {
  const runs: { fromWindow: number; toWindow: number }[] = [];
  for (const range of ranges) {
    const last = runs.at(-1);
    if (last !== undefined && range.fromWindow - last.toWindow <= LOOKBACK_HOPS) last.toWindow = Math.max(last.toWindow, range.toWindow);
    else runs.push({ ...range });
  }
  return runs;
}

function isIn(ranges: readonly Range[], window: number): boolean {
  return ranges.some(({ fromWindow, toWindow }) => window >= fromWindow && window <= toWindow);
}
