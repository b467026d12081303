import type { EdgeWatch, EndReason, NumericChunk, RecordingStart, Samples } from '@vitalwire/contract';
import type { AlarmRecord, Asked } from '@vitalwire/vitals';
import type { KeptBaselines } from './kept-baselines.ts';

/** What the watch sees of what was committed: enough to score and to alarm, in the order of the commits. */
export type Reading =
  | { readonly kind: 'start'; readonly start: WatchedStart }
  | { readonly kind: 'end'; readonly recordingId: string; readonly reason: EndReason }
  | {
      readonly kind: 'eeg';
      readonly recordingId: string;
      readonly firstSample: number;
      readonly samplesPerChannel: number;
      readonly samples: Samples;
      readonly measuredAtUs: number;
    }
  | {
      readonly kind: 'numeric';
      readonly recordingId: string;
      readonly stream: NumericChunk['stream'];
      readonly of: NumericChunk['kind'];
      readonly readings: NumericChunk['readings'];
    };

export type WatchedStart = Pick<
  RecordingStart,
  'subject' | 'device' | 'of' | 'rate' | 'channels' | 'montageHash' | 'predecessor' | 'captureId' | 'captureFirstSample' | 'replay'
>;

export type Model = { readonly modelHash: string; readonly modelVersion: string };
/** What the thread knows: the rest of `EdgeWatch` is the agent's. */
export type View = Pick<EdgeWatch, 'devices' | 'alarms' | 'pauses'>;

export type ToWatch =
  | { readonly kind: 'begin'; readonly gateway: string; readonly records: readonly AlarmRecord[]; readonly kept: readonly KeptBaselines[] }
  | { readonly kind: 'readings'; readonly readings: readonly Reading[] }
  | { readonly kind: 'acknowledge'; readonly ticket: number; readonly alarmId: string; readonly by: string }
  | { readonly kind: 'look'; readonly ticket: number };

export type FromWatch =
  | { readonly kind: 'ready'; readonly model: Model }
  | { readonly kind: 'taken' } // one message of readings was looked at
  | { readonly kind: 'baselines'; readonly kept: readonly KeptBaselines[] }
  | { readonly kind: 'records'; readonly records: readonly AlarmRecord[] }
  | { readonly kind: 'acknowledged'; readonly ticket: number; readonly answer: Asked }
  | { readonly kind: 'looked'; readonly ticket: number; readonly view: View };
