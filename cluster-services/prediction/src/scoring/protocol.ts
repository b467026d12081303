import type { ChannelScale, Rate, Samples } from '@vitalwire/contract';
import type { Before, RecalledBaselines, WindowScore } from '@vitalwire/detector';

/** What a worker says of itself when its detector has passed the self-test. All workers of a pool must say the same model. */
export type ModelFacts = {
  readonly backend: string;
  readonly modelHash: string;
  readonly modelVersion: string;
  readonly seizureAt: number;
  readonly quietBelow: number;
};

/** Consecutive samples of one recording. Windows before `fromWindow` only feed filters and baseline; they are not scored. */
export type Push = {
  readonly kind: 'push';
  readonly session: number;
  readonly firstSample: number; // negative: before the recording, where its predecessor joins
  readonly samplesPerChannel: number;
  readonly samples: Samples; // channel after channel
  readonly before: Before; // what lies before samples that do not join the last
  readonly fromWindow: number;
  readonly thin?: Thin; // overload; absent: every window is judged
};

/** One window in `every` is judged, from `from` on. */
export type Thin = { readonly every: number; readonly phase: number; readonly from: number };

/** A second session that goes on from where the first one is now. */
export type Fork = { readonly kind: 'fork'; readonly session: number; readonly of: number };
export type Task = Push | Fork;

/** What was found in one window. Nothing in it depends on when or by whom it was computed, if it is `complete`. */
export type ScoredWindow = Omit<WindowScore, 'channelReasons'> & {
  readonly everyS?: number; // overload: only one window in so many was judged
};

export type ToWorker =
  | {
      readonly kind: 'open';
      readonly session: number;
      readonly rate: Rate;
      readonly channels: readonly ChannelScale[];
      readonly recalled: readonly RecalledBaselines[]; // what records say that channels were compared with
    }
  | { readonly kind: 'close'; readonly session: number }
  | { readonly kind: 'score'; readonly tasks: readonly Task[] };

/** Per task the windows it completed, or why it could not be scored. */
export type PushResult = readonly ScoredWindow[] | { readonly error: string };

export type FromWorker =
  | { readonly kind: 'ready'; readonly facts: ModelFacts }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'scored'; readonly results: readonly PushResult[]; readonly busyMs: number /* processor time */ };
