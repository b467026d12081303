import type { EegChunk, RecordingInfo } from '@vitalwire/contract';
import { type Before, LOOKBACK_HOPS, RECALL_HOPS, type RecalledBaselines } from '@vitalwire/detector';
import { windowShapeFor } from '@vitalwire/vitals';
import { BEFORE_ALL, SAME_ELECTRODES_US } from './known-levels.ts';
import type { Montages } from './montages.ts';
import { RecordingWindows, type TimedWindow } from './recording-windows.ts';
import type { ScoringPool } from './scoring/pool.ts';
import type { RecordedBaselines, StorageQueries } from './storage-queries.ts';

/** Chunks read from storage at once: half a minute. */
const CHUNKS_PER_PAGE = 120;
/** An agent that restarts again and again leaves short recordings; so many of them are followed back. */
const MAX_PREDECESSORS = 16;
/** Windows that are not wanted at all: what is pushed only feeds filters and baseline. */
const NONE = Number.MAX_SAFE_INTEGER;

export type StoredSignalOptions = {
  readonly storage: Pick<StorageQueries, 'recording' | 'chunks' | 'baselines'>;
  readonly modelHash: string;
  readonly pool: Pick<ScoringPool, 'open'>;
  readonly montages: Montages;
};

/** How far was read: the state of the windows, the next seq, and what lies before it. */
export type Reading = { readonly windows: RecordingWindows; nextSeq: number; before: Before };

type Stretch = { readonly info: RecordingInfo; readonly fromSeq: number; readonly earlierBy: number };

/** Reads a recording from storage so that its windows get the scores they would have got as it was received. */
export class StoredSignal {
  readonly #options: StoredSignalOptions;

  constructor(options: StoredSignalOptions) {
    this.#options = options;
  }

  /**
   * Begins at `window`: what its score looks back on is read and pushed, over the border to the predecessor where that joins without a
   * gap, and what channels were compared with is taken from the records of the windows before it, and its own. null: the recording's
   * scale is not known yet.
   */
  async open(info: RecordingInfo, window: number, signal: AbortSignal): Promise<Reading | null> {
    const first = await this.#firstChunk(info, signal);
    if (first === null) return null;
    const montage = this.#options.montages.get(first.montageHash);
    if (montage === undefined) return null;
    const { hopSamples } = windowShapeFor(first.rate);
    const { own, earlier } = await this.#lookBack(info, (window - LOOKBACK_HOPS) * hopSamples, signal);
    const scales = montage.length === first.channels ? montage : [];
    const recalled = await this.#recalled(info, window, hopSamples, earlier, signal);
    const windows = RecordingWindows.open(this.#options.pool, info.recordingId, first.rate, scales, recalled);
    const oldest = earlier[0] ?? own;
    const reading: Reading = { windows, nextSeq: own.fromSeq, before: oldest.fromSeq > (oldest.info.firstSeq ?? 0) ? 'unseen' : 'nothing' };
    try {
      for (const stretch of earlier) await this.#pushEarlier(reading, stretch, signal);
      return reading;
    } catch (error) {
      windows.close();
      throw error;
    }
  }

  /** Reads on to the end of what is stored, or until `toSample` is reached; `fromWindow` is the first that is scored. */
  async *read(
    recordingId: string,
    reading: Reading,
    { fromWindow, toSample = Number.POSITIVE_INFINITY }: { fromWindow: number; toSample?: number },
    signal: AbortSignal,
  ): AsyncGenerator<TimedWindow[]> {
    for await (const chunks of this.#pages(recordingId, reading.nextSeq, signal)) {
      const { windows, before } = reading;
      const pushed = chunks.map((chunk, index) =>
        windows.push(chunk, 'catch-up', { fromWindow, before: index === 0 ? before : 'nothing' }),
      );
      const last = chunks.at(-1) as EegChunk;
      reading.nextSeq = last.seq + 1;
      reading.before = 'nothing'; // what storage does not have between two chunks is a hole
      yield (await orAborted(Promise.all(pushed), signal)).flat();
      if (last.firstSample + last.samplesPerChannel >= toSample) return;
    }
  }

  async #pushEarlier(reading: Reading, { info, fromSeq, earlierBy }: Stretch, signal: AbortSignal): Promise<void> {
    for await (const chunks of this.#pages(info.recordingId, fromSeq, signal)) {
      const { windows, before } = reading;
      const pushed = chunks.map((chunk, index) =>
        windows.push(chunk, 'catch-up', { fromWindow: NONE, earlierBy, before: index === 0 ? before : 'nothing' }),
      );
      reading.before = 'nothing';
      await orAborted(Promise.all(pushed), signal);
    }
  }

  /** Where the recording itself has to be read from, and what of its predecessors has to be pushed before, oldest first. */
  async #lookBack(info: RecordingInfo, fromSample: number, signal: AbortSignal): Promise<{ own: Stretch; earlier: Stretch[] }> {
    const fromSeq = fromSample > 0 ? await this.#seqOf(info, fromSample, signal) : (info.firstSeq ?? 0);
    const own = { info, fromSeq, earlierBy: 0 };
    const earlier: Stretch[] = [];
    let later = info;
    for (let missing = -fromSample, earlierBy = 0; missing > 0 && later.predecessor !== null && earlier.length < MAX_PREDECESSORS; ) {
      const before: RecordingInfo = await this.#options.storage.recording(later.predecessor, signal);
      const samples = await this.#samplesOf(before, signal);
      if (!joins(before, samples, later)) break;
      earlierBy += samples;
      const isEnough = samples > missing;
      earlier.unshift({
        info: before,
        fromSeq: isEnough ? await this.#seqOf(before, samples - missing, signal) : (before.firstSeq ?? 0),
        earlierBy,
      });
      missing -= samples;
      later = before;
    }
    return { own, earlier };
  }

  /** What is recorded near a window, else the newest that is recorded before it, in the recording or its predecessors. */
  async #recalled(
    info: RecordingInfo,
    window: number,
    hopSamples: number,
    earlier: readonly Stretch[],
    signal: AbortSignal,
  ): Promise<readonly RecalledBaselines[]> {
    const own = await this.#recordedNear(info.recordingId, window, signal);
    if (own[0] !== undefined && own[0].window <= Math.max(0, window - RECALL_HOPS)) return own;
    const before = own.length > 0 ? null : await this.#newestBefore(info.recordingId, window, signal);
    if (before !== null) return [before];
    const last = earlier.at(-1);
    if (last === undefined) return own.length > 0 ? own : this.#ofPredecessor(info, signal);
    const lastWindow = Math.floor(last.earlierBy / hopSamples);
    const recorded = await this.#recordedNear(last.info.recordingId, lastWindow, signal);
    const found = recorded.length > 0 ? recorded : [await this.#newestBefore(last.info.recordingId, lastWindow, signal)];
    // The predecessor's windows lie elsewhere between samples: the nearest that begins no later.
    const moved = found.flatMap((one) =>
      one === null ? [] : [{ ...one, window: Math.floor((one.firstSample - last.earlierBy) / hopSamples) }],
    );
    return [...moved, ...own];
  }

  #recordedNear(recordingId: string, window: number, signal: AbortSignal): Promise<RecordedBaselines[]> {
    const { storage, modelHash } = this.#options;
    const range = { fromWindow: Math.max(0, window - RECALL_HOPS), toWindow: Math.max(0, window) };
    return storage.baselines(recordingId, modelHash, range, RECALL_HOPS + 1, signal);
  }

  /** The newest record before a window, however old: farther and farther back, then by halving. */
  async #newestBefore(recordingId: string, window: number, signal: AbortSignal): Promise<RecordedBaselines | null> {
    const { storage, modelHash } = this.#options;
    const firstIn = async (fromWindow: number, toWindow: number) =>
      (await storage.baselines(recordingId, modelHash, { fromWindow, toWindow }, 1, signal))[0];
    for (let toWindow = window - 1, reach = LOOKBACK_HOPS; toWindow >= 0; reach *= 4) {
      const fromWindow = Math.max(0, toWindow - reach);
      let newest = await firstIn(fromWindow, toWindow);
      for (let high = toWindow; newest !== undefined && newest.window < high; ) {
        const middle = Math.ceil((newest.window + high) / 2);
        const later = await firstIn(middle, high);
        if (later === undefined) high = middle - 1;
        else newest = later;
      }
      if (newest !== undefined) return newest;
      toWindow = fromWindow - 1;
    }
    return null;
  }

  /** Its electrodes are those of a predecessor that has just ended, although samples between them are missing. */
  async #ofPredecessor(info: RecordingInfo, signal: AbortSignal): Promise<readonly RecalledBaselines[]> {
    if (info.predecessor === null) return [];
    const before = await this.#options.storage.recording(info.predecessor, signal);
    const last = await this.#lastChunk(before, signal);
    const { rate } = info;
    if (last === null || rate === null || last.montageHash !== info.montageHash) return [];
    if (last.rate.num !== rate.num || last.rate.den !== rate.den) return [];
    const endedUs = last.measuredAtUs + (last.samplesPerChannel * 1e6 * rate.den) / rate.num;
    if (Math.abs(info.startedAtUs - endedUs) > SAME_ELECTRODES_US) return [];
    const lastWindow = Math.floor((last.firstSample + last.samplesPerChannel) / windowShapeFor(rate).hopSamples);
    const newest = await this.#newestBefore(before.recordingId, lastWindow, signal);
    return newest === null ? [] : [{ window: BEFORE_ALL, levels: newest.levels }];
  }

  /** Pages of stored chunks; the next is asked for while one is looked at. */
  async *#pages(recordingId: string, fromSeq: number, signal: AbortSignal): AsyncGenerator<EegChunk[]> {
    const { storage } = this.#options;
    let next = storage.chunks(recordingId, fromSeq, CHUNKS_PER_PAGE, signal);
    for (;;) {
      const chunks = await next;
      const last = chunks.at(-1);
      if (last === undefined) return;
      next = storage.chunks(recordingId, last.seq + 1, CHUNKS_PER_PAGE, signal);
      next.catch(() => undefined); // whoever awaits it gets it; nobody may
      yield chunks;
    }
  }

  async #firstChunk({ recordingId, firstSeq }: RecordingInfo, signal: AbortSignal): Promise<EegChunk | null> {
    const [first] = await this.#options.storage.chunks(recordingId, firstSeq ?? 0, 1, signal);
    return first ?? null;
  }

  /** Samples per channel up to the end of the last stored chunk. */
  async #samplesOf(info: RecordingInfo, signal: AbortSignal): Promise<number> {
    const last = await this.#lastChunk(info, signal);
    return last === null ? 0 : last.firstSample + last.samplesPerChannel;
  }

  async #lastChunk({ recordingId, maxSeq }: RecordingInfo, signal: AbortSignal): Promise<EegChunk | null> {
    const [last] = maxSeq === null ? [] : await this.#options.storage.chunks(recordingId, maxSeq, 1, signal);
    return last ?? null;
  }

  /** A seq at or before the chunk that holds `sample`: by halving, as chunks may be of any length. */
  async #seqOf({ recordingId, firstSeq, maxSeq }: RecordingInfo, sample: number, signal: AbortSignal): Promise<number> {
    let low = firstSeq ?? 0; // starts at or before the sample, as far as anything stored does
    let high = maxSeq ?? 0;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [chunk] = await this.#options.storage.chunks(recordingId, middle, 1, signal);
      if (chunk === undefined || chunk.firstSample > sample) high = middle - 1;
      else low = Math.max(middle, Math.min(chunk.seq, high));
    }
    return low;
  }
}

/** Whether a recording goes on, sample after sample, where its predecessor ended: the device's own count says so. */
export function joins(earlier: Place, samples: number, later: Place): boolean {
  return (
    samples > 0 &&
    earlier.captureId !== null &&
    earlier.captureFirstSample !== null &&
    earlier.rate !== null &&
    earlier.captureId === later.captureId &&
    earlier.captureFirstSample + samples === later.captureFirstSample &&
    earlier.montageHash === later.montageHash &&
    earlier.rate.num === later.rate?.num &&
    earlier.rate.den === later.rate.den
  );
}
type Place = Pick<RecordingInfo, 'captureId' | 'captureFirstSample' | 'montageHash' | 'rate'>;

/** Waits for the work, or rejects as soon as the signal aborts. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
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
