import type { ChannelScale, ClockState, EegChunk } from '@vitalwire/contract';
import type { Before, RecalledBaselines } from '@vitalwire/detector';
import { type WindowShape, windowShapeFor, windowsInside } from '@vitalwire/vitals';
import type { ScoringPool, ScoringSession } from './scoring/pool.ts';
import type { ScoredWindow } from './scoring/protocol.ts';
import type { Lane } from './scoring/scoring-worker.ts';

/** A scored window and the time of its first sample, as its chunk tells it. */
export type TimedWindow = ScoredWindow & { readonly measuredAtUs: number; readonly clock: ClockState };

type Anchor = {
  readonly firstSample: number;
  readonly toSample: number;
  readonly measuredAtUs: number;
  readonly clock: ClockState;
};
type Time = Pick<Anchor, 'measuredAtUs' | 'clock'>;

export type PushOptions = {
  /** Windows before this one only feed filters and baseline. */
  readonly fromWindow?: number;
  /** What lies before the chunk if it does not join the last; a score that may depend on something `unseen` is not complete. */
  readonly before?: Before;
  /** Samples that were recorded of a predecessor before this recording began: its chunks are counted back from there. */
  readonly earlierBy?: number;
};

/** The windows of one recording from its chunks in order, scored in a worker, and the times of their first samples. */
export class RecordingWindows {
  readonly shape: WindowShape;
  readonly #session: ScoringSession;
  #anchors: Anchor[];
  #startedAt: number | null; // where the joined stretch began
  #nextSample: number;

  private constructor(
    session: ScoringSession,
    shape: WindowShape,
    state: { anchors: Anchor[]; startedAt: number | null; nextSample: number },
  ) {
    this.#session = session;
    this.shape = shape;
    this.#anchors = state.anchors;
    this.#startedAt = state.startedAt;
    this.#nextSample = state.nextSample;
  }

  static open(
    pool: Pick<ScoringPool, 'open'>,
    recordingId: string,
    rate: EegChunk['rate'],
    montage: readonly ChannelScale[],
    recalled: readonly RecalledBaselines[] = [],
  ): RecordingWindows {
    const session = pool.open(recordingId, rate, montage, recalled);
    return new RecordingWindows(session, windowShapeFor(rate), { anchors: [], startedAt: null, nextSample: 0 });
  }

  /** The worker that held its state has died: nothing more comes of it. */
  get isLost(): boolean {
    return this.#session.isLost;
  }

  /** The first window that what was pushed so far does not complete. */
  get nextWindow(): number {
    return Math.max(0, Math.floor((this.#nextSample - this.shape.windowSamples) / this.shape.hopSamples) + 1);
  }

  /** Adds one chunk and resolves with the windows it completes. A chunk that does not join the last begins anew. */
  async push(chunk: EegChunk, lane: Lane, { fromWindow = 0, before = 'unseen', earlierBy = 0 }: PushOptions = {}): Promise<TimedWindow[]> {
    const firstSample = chunk.firstSample - earlierBy;
    const times = this.#timesOf(chunk, firstSample);
    const { samplesPerChannel, samples } = chunk;
    const completed = [...times.keys()];
    const completes = completed.length === 0 ? null : { first: completed[0] as number, last: completed.at(-1) as number };
    const windows = await this.#session.push({ firstSample, samplesPerChannel, samples, before, fromWindow, completes }, lane);
    return windows.flatMap((window) => {
      const time = times.get(window.window);
      return time === undefined || window.window < fromWindow ? [] : [{ ...window, ...time }];
    });
  }

  /** A copy that goes on from here. Only of one that was pushed live last. */
  fork(): RecordingWindows {
    return new RecordingWindows(this.#session.fork(), this.shape, {
      anchors: [...this.#anchors],
      startedAt: this.#startedAt,
      nextSample: this.#nextSample,
    });
  }

  close(): void {
    this.#session.close();
  }

  /** The times of the windows that this chunk completes, taken now: the score comes when more chunks have gone by. */
  #timesOf({ samplesPerChannel, measuredAtUs, clock, rate }: EegChunk, firstSample: number): Map<number, Time> {
    const { windowSamples, hopSamples } = this.shape;
    const toSample = firstSample + samplesPerChannel;
    if (this.#startedAt === null || firstSample > this.#nextSample) {
      this.#startedAt = firstSample;
      this.#anchors = [];
    }
    const seen = Math.max(this.#nextSample, this.#startedAt);
    this.#nextSample = Math.max(this.#nextSample, toSample);
    this.#anchors.push({ firstSample, toSample, measuredAtUs, clock });
    const times = new Map<number, Time>();
    const { fromWindow, toWindow } = windowsInside(this.#startedAt, toSample, this.shape);
    const first = Math.max(fromWindow, Math.floor((seen - windowSamples) / hopSamples) + 1);
    for (let window = first; window <= toWindow; window++) {
      const sample = window * hopSamples;
      const anchor = this.#anchors.findLast((one) => sample >= one.firstSample && sample < one.toSample);
      if (anchor === undefined) throw new Error(`window ${window} was completed without a chunk that holds its first sample`);
      const offsetUs = ((sample - anchor.firstSample) * 1e6 * rate.den) / rate.num;
      times.set(window, { measuredAtUs: Math.round(anchor.measuredAtUs + offsetUs), clock: anchor.clock });
    }
    this.#anchors = this.#anchors.filter((one) => one.toSample > toSample - windowSamples - hopSamples);
    return times;
  }
}
