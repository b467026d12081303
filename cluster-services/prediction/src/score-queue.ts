import type { Detector, Score } from '@vitalwire/detector';
import type { Rails } from '@vitalwire/vitals';

/** One window of every channel that can be scored, and the ends of each channel's converter. */
export type WindowJob = { readonly channels: readonly Float64Array[]; readonly rails: readonly Rails[] };

/** A score and which of the job's channels it is of. */
export type ChannelScore = Score & { readonly channel: number };

/** Channel windows scored in one turn of the event loop: some 10 ms, so that reading MQTT is never held up for long. */
const BATCH_WINDOWS = 64;
/** Channel windows that may wait when they come faster than they can be scored: some 5 s of work and 50 MB. */
const MAX_WAITING_WINDOWS = 32_768;

type Waiting = { readonly job: WindowJob; readonly resolve: (score: ChannelScore) => void; readonly reject: (error: unknown) => void };

/** Scores windows in small batches; urgent windows pass those of catching up. */
export class ScoreQueue {
  readonly #detector: Pick<Detector, 'scoreWindows'>;
  readonly #urgent: Waiting[] = [];
  readonly #backlog: Waiting[] = [];
  #waitingWindows = 0;
  #scheduled = false;

  constructor(detector: Pick<Detector, 'scoreWindows'>) {
    this.#detector = detector;
  }

  get depth(): number {
    return this.#urgent.length + this.#backlog.length;
  }

  /** True when nothing more should be put in for now: after an outage backlogs arrive many times faster than they can be scored. */
  get isFull(): boolean {
    return this.#waitingWindows >= MAX_WAITING_WINDOWS;
  }

  /** The score of the channel that speaks for the window. */
  score(job: WindowJob, urgent: boolean): Promise<ChannelScore> {
    return new Promise((resolve, reject) => {
      (urgent ? this.#urgent : this.#backlog).push({ job, resolve, reject });
      this.#waitingWindows += job.channels.length;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#scoreBatch();
      if (this.depth > 0) this.#schedule();
    });
  }

  #scoreBatch(): void {
    const batch: Waiting[] = [];
    for (let windows = 0; windows < BATCH_WINDOWS; ) {
      const next = this.#urgent.shift() ?? this.#backlog.shift();
      if (next === undefined) break;
      batch.push(next);
      windows += next.job.channels.length;
    }
    this.#waitingWindows -= batch.reduce((sum, { job }) => sum + job.channels.length, 0);
    try {
      const scores = this.#detector.scoreWindows(
        batch.flatMap(({ job }) => job.channels),
        batch.flatMap(({ job }) => job.rails),
      );
      let at = 0;
      for (const { job, resolve } of batch) {
        resolve(topChannel(scores.slice(at, at + job.channels.length)));
        at += job.channels.length;
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** The channel most like a seizure; where no channel has a probability, the first that came nearest to having one. */
export function topChannel(scores: readonly Score[]): ChannelScore {
  const [top] = scores.map((score, channel) => ({ ...score, channel })).sort((a, b) => rank(b) - rank(a) || a.channel - b.channel);
  if (top === undefined) throw new RangeError('a window without channels');
  return top;
}

function rank({ probability, verdict }: Score): number {
  if (probability !== null) return 1 + probability;
  return verdict === 'unsure' ? 0.5 : 0;
}
