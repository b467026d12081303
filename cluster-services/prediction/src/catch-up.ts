import type { EegChunk } from '@vitalwire/contract';
import type { Detector } from '@vitalwire/detector';
import type { Clock, Lifecycle, Log } from '@vitalwire/runtime';
import type { Detections, Subject } from './detections.ts';
import type { Montages } from './montages.ts';
import { RecordingWindows, type TimedWindow } from './recording-windows.ts';
import type { StorageQueries } from './storage-queries.ts';

/** A recording that gave a reason to look is looked at this much later, when what was on its way has been committed. */
const SETTLE_MS = 1_000;
/** After a failed question to storage. */
const RETRY_MS = 2_000;
const CHUNKS_PER_PAGE = 100;
/** Windows read from storage in one go; ranges closer together than this are read as one. */
const WINDOWS_PER_READ = 500;
const NEAR_WINDOWS = 50;
/** Rounds of question and answer for one recording before it has to wait for the next sweep. */
const MAX_ROUNDS = 10_000;
/** Recordings remembered as wholly scored. */
const MAX_SETTLED = 50_000;

export type CatchUpOptions = {
  readonly storage: StorageQueries;
  readonly detector: Pick<Detector, 'modelHash' | 'windowSamples' | 'hopSamples' | 'refusal'>;
  readonly detections: Pick<Detections, 'score' | 'isOnTheWay'>;
  readonly montages: Montages;
  readonly clock: Clock;
  readonly log: Log;
  readonly sweepMs: number;
};

type Range = { readonly fromWindow: number; readonly toWindow: number };

/**
 * Finds stored windows without a detection and scores them: of all recordings at the start, after each reconnect and every `sweepMs`,
 * of one recording when something about it was missed. Asks storage again for as long as it does not answer.
 */
export class CatchUp implements Lifecycle {
  readonly #options: CatchUpOptions;
  readonly #abort = new AbortController();
  readonly #due = new Map<string, number>(); // recording → when to look at it, monotonic ms
  readonly #settled = new Map<string, number>(); // recording → chunks it had when everything was scored
  #sweepDueMs = 0;
  #generation: string | null = null;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #problem: string | null = null;

  constructor(options: CatchUpOptions) {
    this.#options = options;
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
        for (const [recordingId, dueMs] of this.#due) {
          if (signal.aborted) return;
          if (dueMs > clock.monotonicMs()) continue;
          this.#due.delete(recordingId);
          await this.#lookAt(recordingId, signal);
        }
        if (this.#problem !== null) log.info('storage answers again');
        this.#problem = null;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#problem === null) log.warn({ err: error }, 'storage cannot be asked; what is received is scored all the same');
        this.#problem = error instanceof Error ? error.message : String(error);
        this.#sweepDueMs = Math.min(this.#sweepDueMs, clock.monotonicMs() + RETRY_MS);
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
      await this.#rest(signal);
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const nextMs = Math.min(this.#sweepDueMs, ...this.#due.values());
    if (signal.aborted || nextMs <= clock.monotonicMs()) return;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(nextMs - clock.monotonicMs(), resolve);
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

  async #lookAt(recordingId: string, signal: AbortSignal): Promise<void> {
    const { storage, detector, montages, log } = this.#options;
    const { gateway, device, channels, storedChunks } = await storage.recording(recordingId, signal);
    if (channels.length > 0) montages.add(channels);
    let before = '';
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const ranges = await storage.unscored(recordingId, detector.modelHash, detector, signal);
      const left = ranges.filter((range) => this.#isLeft(recordingId, range));
      if (left.length === 0) {
        if (ranges.length === 0) this.#settle(recordingId, storedChunks);
        return;
      }
      const now = JSON.stringify(left);
      if (now === before) {
        log.warn({ recordingId, ranges: left.slice(0, 3) }, 'stored windows that could not be scored; the next sweep tries again');
        return;
      }
      before = now;
      for (const range of inReads(left)) await this.#scoreRange({ recordingId, gateway, device }, range, left, signal);
    }
  }

  /** False when every window of the range is being scored from what was received. */
  #isLeft(recordingId: string, { fromWindow, toWindow }: Range): boolean {
    for (let window = fromWindow; window <= toWindow; window++) {
      if (!this.#options.detections.isOnTheWay(recordingId, window)) return true;
    }
    return false;
  }

  async #scoreRange(subject: Subject, range: Range, wanted: readonly Range[], signal: AbortSignal): Promise<void> {
    const { detector, detections } = this.#options;
    const fromSample = range.fromWindow * detector.hopSamples;
    const toSample = range.toWindow * detector.hopSamples + detector.windowSamples;
    let seq = await this.#seqOf(subject.recordingId, fromSample, signal);
    let cut: RecordingWindows | null = null;
    for (let reached = false; !reached; ) {
      const chunks = await this.#options.storage.chunks(subject.recordingId, seq, CHUNKS_PER_PAGE, signal);
      const windows: TimedWindow[] = [];
      for (const chunk of chunks) {
        cut ??= this.#cutterOf(chunk);
        if (cut === null) return; // its scale is still unknown: the start record has not been stored yet
        windows.push(...cut.push(chunk));
        seq = chunk.seq + 1;
        reached = chunk.firstSample + chunk.samplesPerChannel >= toSample;
        if (reached) break;
      }
      const asked = windows.filter(({ window }) => wanted.some(({ fromWindow, toWindow }) => window >= fromWindow && window <= toWindow));
      await orAborted(Promise.all(asked.map((window) => detections.score(subject, window, 'catch-up'))), signal);
      reached ||= chunks.length === 0;
    }
  }

  /** A seq at or before the chunk that holds `sample`: by halving, as chunks may be of any length. */
  async #seqOf(recordingId: string, sample: number, signal: AbortSignal): Promise<number> {
    const { storage } = this.#options;
    const { firstSeq, maxSeq } = await storage.recording(recordingId, signal);
    let low = firstSeq ?? 0; // starts at or before the sample, as far as anything stored does
    let high = maxSeq ?? 0;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [chunk] = await storage.chunks(recordingId, middle, 1, signal);
      if (chunk === undefined || chunk.firstSample > sample) high = middle - 1;
      else low = Math.max(middle, Math.min(chunk.seq, high));
    }
    return low;
  }

  #cutterOf(chunk: EegChunk): RecordingWindows | null {
    const montage = this.#options.montages.get(chunk.montageHash);
    return montage === undefined
      ? null
      : new RecordingWindows(this.#options.detector, chunk.rate, montage.length === chunk.channels ? montage : []);
  }

  #settle(recordingId: string, storedChunks: number): void {
    this.#settled.set(recordingId, storedChunks);
    for (const oldest of this.#settled.keys()) {
      if (this.#settled.size <= MAX_SETTLED) break;
      this.#settled.delete(oldest);
    }
  }
}

/** Ranges joined where they are near, and cut where they are long. */
export function inReads(ranges: readonly Range[]): Range[] {
  const joined: { fromWindow: number; toWindow: number }[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && range.fromWindow - last.toWindow <= NEAR_WINDOWS) last.toWindow = Math.max(last.toWindow, range.toWindow);
    else joined.push({ ...range });
  }
  return joined.flatMap(({ fromWindow, toWindow }) =>
    Array.from({ length: Math.ceil((toWindow - fromWindow + 1) / WINDOWS_PER_READ) }, (_, index) => ({
      fromWindow: fromWindow + index * WINDOWS_PER_READ,
      toWindow: Math.min(toWindow, fromWindow + (index + 1) * WINDOWS_PER_READ - 1),
    })),
  );
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(new DOMException('stopped', 'AbortError'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
